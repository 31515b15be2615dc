"""Statistics of categorical fields."""

from __future__ import annotations

from collections.abc import Callable

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.metric_definition import CATEGORY_TYPES, FieldStatistic
from aporia_provider.monitoring.result import NO_BOOLEANS, undefined, unreliable, with_left_out
from aporia_provider.monitoring.result_limits import WIDEST_BOUND
from aporia_provider.monitoring.states.value_state import ValueState, shortened
from aporia_provider.monitoring.statistics.row_statistics import Statistic, StatisticParameters
from aporia_provider.monitoring.statistics.value_counts import counts_of, most_of_others

_SAMPLED = "in buckets with many distinct values, only some of them are counted exactly"
_LENGTHS = "length in characters; of arrays and dicts, of their elements and keys"


def _values(state: ValueState, _: StatisticParameters) -> MetricResult:
    bounds = counts_of(state, state.counts)
    ordered = sorted(
        ((text, count.least) for text, count in bounds.items()), key=lambda entry: (-entry[1], entry[0])
    )
    unlisted = state.count - sum(count for _, count in ordered)
    histogram = {"counts": dict(ordered), "unlisted": unlisted}
    bound = max((count.spread for count in bounds.values()), default=0)
    reason = _of_listed(sum(count.spread > 0 for count in bounds.values()), most_of_others(state, bounds))
    answer = MetricResult(histogram, samples=state.count, bound=bound, reason=reason)
    return unreliable(answer) if bound > WIDEST_BOUND * state.count else answer


def _of_listed(unsure: int, others: int) -> str | None:
    """Return a note on inexact counts and on values that are not listed; None if there are none."""
    facts = [
        f"{unsure} of the counts are lower bounds" if unsure else None,
        f"values that are not listed occur up to {others} times each" if others else None,
    ]
    return f"{' and '.join(filter(None, facts))}: {_SAMPLED}" if any(facts) else None


def _value_count(state: ValueState, parameters: StatisticParameters) -> MetricResult:
    if parameters.value is None:
        raise ValidationError("value_count requires the parameter value")
    # A histogram shows long values shortened, so the shortened text is accepted as well.
    name = parameters.value if parameters.value in state.counts else shortened(parameters.value)
    count = counts_of(state, [name])[name]
    if not count.spread:
        return MetricResult(count.least, samples=state.count)
    reason = f"the value occurs from {count.least} to {count.most} times: {_SAMPLED}"
    answer = MetricResult(count.least, samples=state.count, bound=count.spread, reason=reason)
    return unreliable(answer) if 2 * count.spread > count.least else answer


def _unique(state: ValueState, _: StatisticParameters) -> MetricResult:
    sample = state.tail.sample
    if not sample.level:
        return MetricResult(state.distinct, samples=state.count)
    reason = "an estimate from a sample of the values, with three standard errors as bound"
    return MetricResult(state.distinct, samples=state.count, bound=3 * sample.distinct_error, reason=reason)


def _length(make: Callable[[ValueState], float | None]) -> Statistic:
    def length(state: ValueState, _: StatisticParameters) -> MetricResult:
        number = make(state) if state.count else None
        return (
            undefined("there are no values") if number is None else MetricResult(number, samples=state.count)
        )

    return length


def _of_fitting(statistic: Statistic) -> Statistic:
    """Return a statistic that adds the number of misfits left out to the result of another."""
    return lambda state, parameters: with_left_out(
        statistic(state, parameters), state.misfits, NO_BOOLEANS, state.count
    )


def _categorical(name: str, statistic: Statistic, description: str, *parameters: str) -> FieldStatistic:
    return FieldStatistic(name, CATEGORY_TYPES, _of_fitting(statistic), description, parameters)


def _mean_items(state: ValueState, _: StatisticParameters) -> MetricResult:
    arrays = state.rows - state.nulls
    return MetricResult(state.count / arrays, samples=arrays) if arrays else undefined("there are no values")


CATEGORIES = (
    _categorical("unique_values", _unique, "distinct values; of arrays and dicts, distinct elements or keys"),
    _categorical("value_count", _value_count, "rows with `value`", "value"),
    _categorical("histogram", _values, "counts of the values"),
    _categorical("min_length", _length(lambda state: state.shortest), f"minimum {_LENGTHS}"),
    _categorical("max_length", _length(lambda state: state.longest), f"maximum {_LENGTHS}"),
    _categorical("mean_length", _length(lambda state: state.length / state.count), f"mean {_LENGTHS}"),
    FieldStatistic("mean_items", ("array",), _mean_items, "mean number of elements that are not null"),
)
