"""Drift scores of many states of a field, compared with one baseline."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from aporia_provider.errors import AporiaError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.drift.bin_terms import hellinger_terms, jensen_shannon_terms
from aporia_provider.monitoring.drift.boolean_spellings import in_one_spelling
from aporia_provider.monitoring.drift.category_histograms import MOST_CATEGORIES, CategoryHistogram
from aporia_provider.monitoring.drift.distance_metric_result import distance_metric_result
from aporia_provider.monitoring.drift.distance_result import Distance
from aporia_provider.monitoring.drift.distance_series import root_distances
from aporia_provider.monitoring.drift.field_drift import (
    ComparedState,
    category_histogram,
    drift,
    with_unusable,
)
from aporia_provider.monitoring.drift.measures import SUGGESTED
from aporia_provider.monitoring.drift.rebinning import Floats
from aporia_provider.monitoring.profiles.plan import Bins
from aporia_provider.monitoring.result import undefined
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState

_METRIC = "drift_score"
_OF_NUMBERS = 1 / (8 * math.log(2))
_OF_CATEGORIES = 1 / 8


def drift_scores(
    baseline: ComparedState, states: Sequence[State | None], bins: Bins | None
) -> list[MetricResult]:
    """
    Return the drift score of each state, as :func:`~.field_drift.drift` does, in less time.

    A field that cannot be compared has an undefined result with the reason.

    :param baseline: The baseline.
    :param states: The states; None for a range without rows.
    :param bins: Bins of the states.
    """
    results: list[MetricResult | None] = [None] * len(states)
    if isinstance(baseline.state, NumericState) and isinstance(bins, NumericBins):
        _compare_numbers(baseline.state, baseline.bins, states, bins, results)
    elif isinstance(baseline.state, ValueState):
        _compare_categories(baseline, states, bins, results)
    return [
        _single_distance(baseline, ComparedState(state, bins)) if result is None else result
        for state, result in zip(states, results, strict=True)
    ]


def _single_distance(baseline: ComparedState, current: ComparedState) -> MetricResult:
    try:
        return drift(_METRIC, baseline, current)
    except AporiaError as error:
        return undefined(error.message)


def _compare_numbers(
    baseline: NumericState,
    baseline_bins: Bins | None,
    states: Sequence[State | None],
    bins: NumericBins,
    results: list[MetricResult | None],
) -> None:
    """Set the results of states that were counted in the bins of the baseline."""
    if baseline_bins != bins or not any(baseline.counts):
        return
    compared = [
        (place, state)
        for place, state in enumerate(states)
        if isinstance(state, NumericState) and any(state.counts)
    ]
    if not compared:
        return
    starts = [0, *(index + 1 for index in bins.coarse)]
    every = np.array([baseline.counts, *(state.counts for _, state in compared)], dtype=np.float64)
    counts = np.add.reduceat(every, starts, axis=1)
    distances = root_distances(jensen_shannon_terms, _OF_NUMBERS, counts[0], counts[1:])
    for (place, state), distance in zip(compared, distances, strict=True):
        results[place] = with_unusable(_checked(distance), baseline, state)


def _compare_categories(
    baseline: ComparedState,
    states: Sequence[State | None],
    bins: Bins | None,
    results: list[MetricResult | None],
) -> None:
    """Set the results of states whose values are all known by name, if the baseline's are too."""
    before = category_histogram(baseline)
    if before.unlisted or not before.samples or baseline.state is None:
        return
    histograms = [
        (index, state, category_histogram(ComparedState(state, bins)))
        for index, state in enumerate(states)
        if isinstance(state, ValueState)
    ]
    compared = [histogram for histogram in histograms if _is_listed(before, histogram[2])]
    if not compared:
        return
    names = sorted({name for side in (before, *(each[2] for each in compared)) for name in side.counts})
    counts = np.array([_row(side, names) for side in (before, *(each[2] for each in compared))])
    distances = root_distances(hellinger_terms, _OF_CATEGORIES, counts[0], counts[1:])
    for (index, state, _), distance in zip(compared, distances, strict=True):
        results[index] = with_unusable(_checked(distance), baseline.state, state)


def _is_listed(baseline: CategoryHistogram, current: CategoryHistogram) -> bool:
    """Return whether the values of two sides are compared one by one, without a note."""
    if current.unlisted or not current.samples:
        return False
    values, others = _values(baseline), _values(current)
    if len(values | others) > MOST_CATEGORIES or not values & others:
        return False
    return in_one_spelling(baseline, current) is None


def _values(side: CategoryHistogram) -> set[str]:
    return {name for name, count in side.counts.items() if count}


def _row(side: CategoryHistogram, names: Sequence[str]) -> Floats:
    return np.array([side.counts.get(name, 0) for name in names], dtype=np.float64)


def _checked(distance: Distance) -> MetricResult:
    return distance_metric_result(SUGGESTED.checked(distance, distance.bins))
