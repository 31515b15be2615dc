"""
Drift metrics of a field by name: distances between its distribution and the baseline's.

Missing values are excluded from all distances; they have their own metric.
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
"""Distance that requires the baseline's standard deviation."""

SUGGESTED: Final = Minimum()
"""Recommended minimum data for a verdict."""
NUMERIC_METRICS: Final = frozenset((*_BINNED, _KS, _AREA, NORMALISED))
"""Metrics of :func:`numeric_drift`."""
CATEGORY_METRICS: Final = frozenset((*_BINNED, *_TESTS))
"""Metrics of :func:`compare_categories`."""
NUMERIC_SCORE: Final = "js_distance"
"""Metric that the Aporia platform uses as the drift score of numeric fields."""
CATEGORY_SCORE: Final = "hellinger_distance"
"""Metric that the Aporia platform uses as the drift score of categorical fields."""


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
    Compare the distribution of a numeric field with its baseline.

    Distances of bins use the coarse bins of the baseline; all other distances use all edges. The normalised
    Wasserstein distance is trimmed, and in standard deviations of the baseline.

    :param metric: One of :data:`NUMERIC_METRICS`.
    :param baseline: Histogram of the baseline.
    :param current: Histogram of the current data, in the same bins or those of another model version.
    :param deviation: Population standard deviation of the baseline, if known. The normalised distance
        requires it; without it, the bound of the other Wasserstein distance is not checked.
    :param zeros: Treatment of empty bins in the population stability index.
    :param minimum: Minimum data for a reliable distance. The number per bin applies only to distances of
        bins.
    :raises ValueError: if the metric does not exist, or the deviation is missing.
    """
    if metric not in NUMERIC_METRICS:
        raise ValueError(f"{metric!r} is no distance of numeric fields")
    if metric not in _BINNED:
        return _enough(_cumulative(metric, baseline, current, deviation), minimum, per_bin=False)
    sides = (counts_between(side, baseline.grid.boundaries) for side in (baseline, current))
    return _enough(_binned(metric, zeros)(*sides), minimum, per_bin=True)


def compare_categories(
    metric: str,
    baseline: CategoryHistogram,
    current: CategoryHistogram,
    *,
    zeros: Zeros = "floor",
    minimum: Minimum = SUGGESTED,
) -> Comparison:
    """
    Compare the distribution of a categorical field with its baseline.

    :param metric: One of :data:`CATEGORY_METRICS`; the outcome of ``chi_squared`` is a
        :class:`~aporia_provider.monitoring.drift.chi_squared.ChiSquared`.
    :param baseline: Histogram of the baseline.
    :param current: Histogram of the current data.
    :param zeros: Treatment of empty categories in the population stability index.
    :param minimum: Minimum data for a reliable distance.
    :raises ValueError: if the metric does not exist.
    """
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
