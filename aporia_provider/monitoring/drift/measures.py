"""
Drift metrics of a field by name: distances between its distribution and the baseline's.

Missing values are excluded from all distances; they have their own metric.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

from aporia_provider.metrics import Zeros
from aporia_provider.monitoring.drift.bin_distances import (
    Counts,
    euclidean_distance,
    hellinger_distance,
    js_distance,
    linf_distance,
    psi,
    total_variation,
)
from aporia_provider.monitoring.drift.category_comparison import Comparison, compare
from aporia_provider.monitoring.drift.category_histograms import CategoryHistogram
from aporia_provider.monitoring.drift.chi_squared import chi_squared, cramers_v
from aporia_provider.monitoring.drift.distance_result import Distance, InsufficientData, Minimum
from aporia_provider.monitoring.drift.distribution_distances import ks_distance, scale, wasserstein_distance
from aporia_provider.monitoring.drift.rebinning import NumericHistogram, counts_between
from aporia_provider.monitoring.metric_definition import (
    CATEGORY_TYPES,
    NUMBER_TYPES,
    VECTOR_TYPES,
    DriftDistance,
)
from aporia_provider.monitoring.result_limits import WIDEST_UNBOUNDED

NORMALISED: Final = "normalised_wasserstein_distance"
"""Distance that requires the baseline's standard deviation."""
SUGGESTED: Final = Minimum()
"""Recommended minimum data for a reliable distance."""


def _of_histograms(
    distance: Callable[[NumericHistogram, NumericHistogram], Distance | InsufficientData],
) -> Any:
    """Return a distance of histograms that ignores the standard deviation of the baseline."""
    return lambda baseline, current, deviation: distance(baseline, current)


def _area(
    baseline: NumericHistogram, current: NumericHistogram, deviation: float | None
) -> Distance | InsufficientData:
    unit = math.inf if deviation is None else scale(baseline, deviation)
    distance = wasserstein_distance(baseline, current)
    return (
        distance
        if isinstance(distance, InsufficientData)
        else replace(distance, max_reliable_bound=WIDEST_UNBOUNDED * unit)
    )


def _normalised_area(
    baseline: NumericHistogram, current: NumericHistogram, deviation: float | None
) -> Distance | InsufficientData:
    if deviation is None:
        raise ValueError(f"{NORMALISED!r} requires the baseline's standard deviation")
    unit = scale(baseline, deviation)
    distance = wasserstein_distance(baseline, current, margin=unit)
    if isinstance(distance, InsufficientData):
        return distance
    return replace(distance, max_reliable_bound=WIDEST_UNBOUNDED * unit).divided_by(unit)


_BINNED_TYPES = (*NUMBER_TYPES, *CATEGORY_TYPES)
_SCORE = "distance that the Aporia platform uses as the drift score: the {}"
DISTANCES: tuple[DriftDistance, ...] = (
    DriftDistance("drift_score", NUMBER_TYPES, js_distance, _SCORE.format("Jensen-Shannon distance")),
    DriftDistance("drift_score", CATEGORY_TYPES, hellinger_distance, _SCORE.format("Hellinger distance")),
    DriftDistance(
        "drift_score",
        VECTOR_TYPES,
        euclidean_distance,
        _SCORE.format("Euclidean distance"),
        compared="vectors",
    ),
    DriftDistance("js_distance", _BINNED_TYPES, js_distance, "Jensen-Shannon distance, from 0 to 1"),
    DriftDistance("hellinger_distance", _BINNED_TYPES, hellinger_distance, "Hellinger distance, from 0 to 1"),
    DriftDistance(
        "total_variation",
        _BINNED_TYPES,
        total_variation,
        "half the sum of the differences of the proportions of the bins, from 0 to 1",
    ),
    DriftDistance(
        "linf_distance",
        _BINNED_TYPES,
        linf_distance,
        "greatest difference of the proportions of a bin, from 0 to 1",
    ),
    DriftDistance("psi", _BINNED_TYPES, psi, "population stability index", ("zeros",)),
    DriftDistance(
        "ks_distance",
        NUMBER_TYPES,
        _of_histograms(ks_distance),
        "greatest difference of the cumulative distributions, from 0 to 1",
        compared="histograms",
    ),
    DriftDistance(
        "wasserstein_distance",
        NUMBER_TYPES,
        _area,
        "area between the cumulative distributions, in the unit of the field",
        compared="histograms",
    ),
    DriftDistance(
        NORMALISED,
        NUMBER_TYPES,
        _normalised_area,
        "area between the cumulative distributions, in standard deviations of the baseline",
        compared="histograms",
    ),
    DriftDistance(
        "chi_squared",
        CATEGORY_TYPES,
        chi_squared,
        "statistic of the chi-squared test of equal distributions, with `p_value`",
        compared="categories",
    ),
    DriftDistance("cramers_v", CATEGORY_TYPES, cramers_v, "effect size of the chi-squared test, from 0 to 1"),
    DriftDistance(
        "euclidean_distance",
        VECTOR_TYPES,
        euclidean_distance,
        "length of the difference of the mean vectors",
        compared="vectors",
    ),
)
"""Distances of fields to their baselines."""

NUMERIC_METRICS: Final = {each.name: each for each in DISTANCES if "numeric" in each.types}
"""Distances of :func:`numeric_drift`, by name."""
CATEGORY_METRICS: Final = {each.name: each for each in DISTANCES if "categorical" in each.types}
"""Distances of :func:`compare_categories`, by name."""
VECTOR_METRICS: Final = {each.name: each for each in DISTANCES if "vector" in each.types}
"""Distances of vectors, by name."""


def numeric_drift(
    metric: str,
    baseline: NumericHistogram,
    current: NumericHistogram,
    *,
    deviation: float | None = None,
    zeros: Zeros = "floor",
    minimum: Minimum = SUGGESTED,
) -> Distance | InsufficientData:
    """
    Compare the distribution of a numeric field with its baseline.

    Distances of bins use the coarse bins of the baseline; all other distances use all edges. The normalised
    Wasserstein distance is trimmed, and in standard deviations of the baseline.

    :param metric: One of :data:`NUMERIC_METRICS`.
    :param baseline: Histogram of the baseline.
    :param current: Histogram of the current data, in the same bins or the bins of another model version.
    :param deviation: Population standard deviation of the baseline, if known. The normalised Wasserstein
        distance requires it. Without it, the Wasserstein distance is reliable regardless of its bound.
    :param zeros: Treatment of empty bins in the population stability index.
    :param minimum: Minimum data for a reliable distance. The number per bin applies only to distances of
        bins.
    :raises ValueError: if the metric does not exist, or the deviation is missing.
    """
    if metric not in NUMERIC_METRICS:
        raise ValueError(f"{metric!r} is not a distance of numeric fields")
    distance = NUMERIC_METRICS[metric]
    if distance.compared == "histograms":
        return _enough(distance.compute(baseline, current, deviation), minimum, per_bin=False)
    sides = (counts_between(side, baseline.bins.boundaries) for side in (baseline, current))
    return _enough(_of_bins(distance, zeros)(*sides), minimum, per_bin=True)


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
        raise ValueError(f"{metric!r} is not a distance of categorical fields")
    distance = CATEGORY_METRICS[metric]
    new_values = distance.compared != "categories"
    comparison = compare(_of_bins(distance, zeros), baseline, current, new_values=new_values)
    return replace(comparison, outcome=_enough(comparison.outcome, minimum, per_bin=True))


def _of_bins(
    distance: DriftDistance, zeros: Zeros
) -> Callable[[Counts, Counts], Distance | InsufficientData]:
    return partial(distance.compute, zeros=zeros) if "zeros" in distance.parameters else distance.compute


def _enough(
    outcome: Distance | InsufficientData, minimum: Minimum, *, per_bin: bool
) -> Distance | InsufficientData:
    if isinstance(outcome, InsufficientData):
        return outcome
    return minimum.checked(outcome, outcome.bins if per_bin else 1)
