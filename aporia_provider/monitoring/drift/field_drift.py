"""Drift of fields of any type, computed from states."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.metrics import Zeros
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.drift.boolean_spellings import COMPARED, in_one_spelling
from aporia_provider.monitoring.drift.category_comparison import Comparison
from aporia_provider.monitoring.drift.category_histograms import MOST_LISTED, CategoryHistogram
from aporia_provider.monitoring.drift.distance_metric_result import distance_metric_result
from aporia_provider.monitoring.drift.distance_result import InsufficientData, Minimum
from aporia_provider.monitoring.drift.measures import (
    CATEGORY_METRICS,
    NORMALISED,
    NUMERIC_METRICS,
    SUGGESTED,
    VECTOR_METRICS,
    compare_categories,
    numeric_drift,
)
from aporia_provider.monitoring.drift.rebinning import NumericHistogram
from aporia_provider.monitoring.profiles.plan import Bins
from aporia_provider.monitoring.result import (
    INFINITE,
    NO_BOOLEANS,
    UNUSABLE_VECTORS,
    insufficient,
    joined,
    undefined,
    unreliable,
    with_left_out,
)
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState
from aporia_provider.monitoring.states.vector_state import VectorBins, VectorState
from aporia_provider.monitoring.statistics.moments import known_deviation, variance

S = TypeVar("S", bound=State)

_LARGEST = Fraction(sys.float_info.max)


@dataclass(frozen=True)
class ComparedState:
    """
    One side of a comparison.

    :param state: State of the field; None if there is no data.
    :param bins: Bins of the state.
    """

    state: State | None
    bins: Bins | None


def drift(
    metric: str,
    baseline: ComparedState,
    current: ComparedState,
    *,
    zeros: Zeros = "floor",
    minimum: Minimum = SUGGESTED,
) -> MetricResult:
    """
    Compare a field with its baseline.

    :param metric: Name of one of :data:`~.measures.DISTANCES`.
    :param baseline: The baseline.
    :param current: The current data.
    :param zeros: Treatment of empty bins in the population stability index.
    :param minimum: Minimum data for a reliable distance.
    :raises aporia_provider.errors.ValidationError: if the metric does not exist for fields of this type.
    """
    if baseline.state is None or current.state is None:
        side = "the baseline" if baseline.state is None else "the range"
        return insufficient(f"there are no rows in {side}")
    return with_unusable(_compared(metric, baseline, current, zeros, minimum), baseline.state, current.state)


def with_unusable(result: MetricResult, baseline: State, current: State) -> MetricResult:
    """Return the result of a comparison of usable values, with the number of the unusable values."""
    count, description, usable = _left_out(baseline)
    return with_left_out(
        with_left_out(result, *_left_out(current)), count, f"in the baseline, {description}", usable
    )


def _compared(
    metric: str, baseline: ComparedState, current: ComparedState, zeros: Zeros, minimum: Minimum
) -> MetricResult:
    """Compare the usable values. The number of unusable values is not added to the result yet."""
    if isinstance(current.state, NumericState):
        return _numeric(metric, baseline, current, zeros, minimum)
    if isinstance(current.state, ValueState):
        _check(metric, CATEGORY_METRICS, "categories")
        sides = category_histogram(baseline), category_histogram(current)
        alike = in_one_spelling(*sides)
        comparison = compare_categories(metric, *(alike or sides), zeros=zeros, minimum=minimum)
        answer = _of_comparison(comparison)
        return answer if alike is None else _noted(answer, COMPARED)
    return _vectors(metric, baseline, current, minimum)


def _left_out(state: State) -> tuple[int, str, int]:
    """Return the number of unusable values of a state, their description, and the number of usable values."""
    if isinstance(state, NumericState):
        return state.infinite, INFINITE, state.finite
    if isinstance(state, VectorState):
        return state.dimension_errors, UNUSABLE_VECTORS, state.vectors
    if isinstance(state, ValueState):
        return state.misfits, NO_BOOLEANS, state.count
    return 0, "", 0


def _noted(answer: MetricResult, note: str) -> MetricResult:
    return replace(answer, reason=joined(answer.reason, note))


def _numeric(
    metric: str, baseline: ComparedState, current: ComparedState, zeros: Zeros, minimum: Minimum
) -> MetricResult:
    _check(metric, NUMERIC_METRICS, "numbers")
    sides = numeric_histogram(baseline), numeric_histogram(current)
    if sides[0] is None or sides[1] is None:
        return undefined("the field has no bins, because no sync has read a value of it")
    spread: float | None = 0.0
    if sides[0].samples and NUMERIC_METRICS[metric].compared == "histograms":
        spread = known_deviation(_same(NumericState, baseline.state), sides[0].bins)
    if spread is None and metric == NORMALISED:
        return undefined(
            "the standard deviation of the baseline cannot be computed from its bins", sides[1].samples
        )
    return distance_metric_result(
        numeric_drift(metric, sides[0], sides[1], deviation=spread, zeros=zeros, minimum=minimum)
    )


def numeric_histogram(side: ComparedState) -> NumericHistogram | None:
    """
    Return the histogram of a numeric field; None if it has no bins.

    :raises aporia_provider.errors.ValidationError: if the field is not numeric.
    """
    state = _same(NumericState, side.state)
    if not isinstance(side.bins, NumericBins):
        return None
    ends = state.least, state.greatest
    return NumericHistogram(side.bins, state.counts, state.below, state.above, *ends)


def category_histogram(side: ComparedState) -> CategoryHistogram:
    """
    Return the histogram of a field with categories.

    :raises aporia_provider.errors.ValidationError: if the field has no categories.
    """
    values = _same(ValueState, side.state)
    listed = side.bins.values if isinstance(side.bins, CategoryBins) else ()
    counts = {**dict.fromkeys(listed, 0), **values.known}
    example = max(values.counts.items(), key=lambda item: (item[1], item[0]), default=(None, 0))[0]
    every = {**counts, **values.others.counts}
    if not values.others.level and len(every) <= MOST_LISTED:
        return CategoryHistogram(every, example=example)
    return CategoryHistogram(counts, values.tail, example)


def _of_comparison(comparison: Comparison) -> MetricResult:
    answer = distance_metric_result(comparison.outcome)
    answer = replace(answer, reason=joined(answer.reason, comparison.reason))
    if comparison.shown is None:
        return answer
    return replace(unreliable(distance_metric_result(comparison.shown)), reason=answer.reason)


def _vectors(metric: str, baseline: ComparedState, current: ComparedState, minimum: Minimum) -> MetricResult:
    _check(metric, VECTOR_METRICS, "vectors")
    before, now = _same(VectorState, baseline.state), _same(VectorState, current.state)
    if not before.vectors or not now.vectors or len(before.sums) != len(now.sums):
        return undefined("there are no vectors of the same dimension on both sides", now.vectors)
    if before.norm.positive_infinities or now.norm.positive_infinities:
        return undefined("the lengths of some vectors exceed the largest float", now.vectors)
    sides = ((before, _norm_bins(baseline)), (now, _norm_bins(current)))
    means = [[float(total / side.vectors) for total in side.sums] for side in (before, now)]
    distance = VECTOR_METRICS[metric].compute(
        *means, samples=now.vectors, baseline_samples=before.vectors, variance=_pooled_variance(*sides)
    )
    return distance_metric_result(
        distance if isinstance(distance, InsufficientData) else minimum.checked(distance)
    )


def _norm_bins(side: ComparedState) -> NumericBins | None:
    return side.bins.norm if isinstance(side.bins, VectorBins) else None


def _pooled_variance(*sides: tuple[VectorState, NumericBins | None]) -> float:
    """
    Return the sum of the variances of the components, from the mean squared length and the mean vector.

    The two sides are pooled: without drift, they are samples of the same distribution.
    """
    count = sum(state.vectors for state, _ in sides)
    squares = sum((_squared_lengths(state.norm, bins) for state, bins in sides), Fraction(0))
    both = (left + right for left, right in zip(*(state.sums for state, _ in sides), strict=True))
    pooled = (squares - sum(total * total for total in both) / count) / (count - 1)
    return float(min(max(Fraction(0), pooled), _LARGEST))


def _squared_lengths(norms: NumericState, bins: NumericBins | None) -> Fraction:
    spread = variance(norms, bins) or Fraction(0)
    return norms.finite * spread + norms.total * norms.total / norms.finite


def _check(metric: str, distances: Iterable[str], noun: str) -> None:
    if metric not in distances:
        raise ValidationError(f"{metric!r} does not compare {noun}; use {', '.join(sorted(distances))}")


def _same(kind: type[S], state: State | None) -> S:
    if not isinstance(state, kind):
        raise ValidationError("The field has another type in the baseline and cannot be compared")
    return state
