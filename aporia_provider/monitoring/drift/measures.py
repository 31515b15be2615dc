"""
Drift of a field: how far its distribution is from the baseline's, by the names of the metrics.

Missing values have no place in any of these distances: they are a metric of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from aporia_provider.monitoring.drift.bin_distances import (
    Counts,
    Zeros,
    hellinger_distance,
    js_distance,
    linf_distance,
    psi,
    total_variation,
)
from aporia_provider.monitoring.drift.category_comparison import Comparison, compare
from aporia_provider.monitoring.drift.category_histograms import CategoryHistogram
from aporia_provider.monitoring.drift.chi_squared import chi_squared, cramers_v
from aporia_provider.monitoring.drift.distance_result import Distance, Minimum, NotEnough
from aporia_provider.monitoring.drift.distribution_distances import ks_distance, scale, wasserstein_distance
from aporia_provider.monitoring.drift.rebinning import Floats, NumericHistogram, counts_between
from aporia_provider.monitoring.result_limits import WIDEST_UNBOUNDED

_BINNED: dict[str, Callable[[Counts, Counts], Distance | NotEnough]] = {
    "js_distance": js_distance,
    "hellinger_distance": hellinger_distance,
    "total_variation": total_variation,
    "linf_distance": linf_distance,
    "psi": psi,
}
_TESTS: dict[str, Callable[[Floats, Floats], Distance | NotEnough]] = {
    "chi_squared": chi_squared,
    "cramers_v": cramers_v,
}
_KS, _AREA = "ks_distance", "wasserstein_distance"
NORMALISED: Final = "normalised_wasserstein_distance"
"""The distance that takes the baseline's standard deviation."""

SUGGESTED: Final = Minimum()
"""The least data a verdict should rest on."""
NUMERIC_METRICS: Final = frozenset((*_BINNED, _KS, _AREA, NORMALISED))
"""What :func:`numeric_drift` can compute."""
CATEGORY_METRICS: Final = frozenset((*_BINNED, *_TESTS))
"""What :func:`category_drift` can compute."""
NUMERIC_SCORE: Final = "js_distance"
"""What the platform calls the drift score of a numeric field."""
CATEGORY_SCORE: Final = "hellinger_distance"
"""What it calls the drift score of a categorical field."""


def numeric_drift(
    metric: str,
    baseline: NumericHistogram,
    current: NumericHistogram,
    *,
    deviation: float | None = None,
    zeros: Zeros = "floor",
    minimum: Minimum = SUGGESTED,
) -> Distance | NotEnough:
    """
    Compare a numeric field's values to the baseline's.

    Distances of bins are taken on the coarse bins of the baseline's grid, the others on all edges. The
    normalised Wasserstein distance is trimmed and in standard deviations of the baseline.

    :param metric: One of :data:`NUMERIC_METRICS`.
    :param baseline: The baseline's histogram.
    :param current: The focal histogram, on the same grid or on that of another model version.
    :param deviation: The baseline's population standard deviation, if known. The normalised distance takes
        it, and the other Wasserstein distance is not judged by its bound without it.
    :param zeros: What the population stability index makes of empty bins.
    :param minimum: How much data it takes. The number of values per bin matters to distances of bins only.
    :raises ValueError: There is no such metric, or it takes the deviation.
    """
    if metric not in NUMERIC_METRICS:
        raise ValueError(f"{metric!r} is no distance of numeric fields")
    if metric not in _BINNED:
        return _enough(_cumulative(metric, baseline, current, deviation), minimum, per_bin=False)
    sides = (counts_between(side, baseline.grid.boundaries) for side in (baseline, current))
    return _enough(_binned(metric, zeros)(*sides), minimum, per_bin=True)


def category_drift(
    metric: str,
    baseline: CategoryHistogram,
    current: CategoryHistogram,
    *,
    zeros: Zeros = "floor",
    minimum: Minimum = SUGGESTED,
) -> Distance | NotEnough:
    """
    Compare a categorical field's values to the baseline's.

    :param metric: One of :data:`CATEGORY_METRICS`; ``chi_squared`` returns a
        :class:`~aporia_provider.monitoring.drift.chi_squared.ChiSquared`.
    :param baseline: The baseline's histogram.
    :param current: The focal histogram.
    :param zeros: What the population stability index makes of categories that one side lacks.
    :param minimum: How much data it takes.
    :raises ValueError: There is no such metric.
    """
    return compare_categories(metric, baseline, current, zeros=zeros, minimum=minimum).outcome


def compare_categories(
    metric: str,
    baseline: CategoryHistogram,
    current: CategoryHistogram,
    *,
    zeros: Zeros = "floor",
    minimum: Minimum = SUGGESTED,
) -> Comparison:
    """What :func:`category_drift` returns, with what to know about it."""
    if metric not in CATEGORY_METRICS:
        raise ValueError(f"{metric!r} is no distance of categorical fields")
    measure = _TESTS[metric] if metric in _TESTS else _binned(metric, zeros)
    found = compare(measure, baseline, current, new_values=metric != "chi_squared")
    return replace(found, outcome=_enough(found.outcome, minimum, per_bin=True))


def _binned(metric: str, zeros: Zeros) -> Callable[[Counts, Counts], Distance | NotEnough]:
    return partial(psi, zeros=zeros) if metric == "psi" else _BINNED[metric]


def _cumulative(
    metric: str, baseline: NumericHistogram, current: NumericHistogram, deviation: float | None
) -> Distance | NotEnough:
    if metric == _KS:
        return ks_distance(baseline, current)
    if metric == NORMALISED and deviation is None:
        raise ValueError(f"{NORMALISED!r} takes the baseline's standard deviation")
    unit = math.inf if deviation is None else scale(baseline, deviation)
    distance = wasserstein_distance(baseline, current, margin=unit if metric == NORMALISED else None)
    if isinstance(distance, NotEnough):
        return distance
    measured = replace(distance, widest=WIDEST_UNBOUNDED * unit)
    return measured.divided_by(unit) if metric == NORMALISED else measured


def _enough(outcome: Distance | NotEnough, minimum: Minimum, *, per_bin: bool) -> Distance | NotEnough:
    if isinstance(outcome, NotEnough):
        return outcome
    return minimum.judged(outcome, outcome.bins if per_bin else 1)
