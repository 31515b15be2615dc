"""Statistics of fields whose values are counted one by one."""

from __future__ import annotations

from collections.abc import Callable

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.answers import NO_BOOLEANS, Answer, undefined, without
from aporia_provider.monitoring.row_statistics import COUNTS, Question, Statistic
from aporia_provider.monitoring.values import ValueState, shortened


def _values(state: ValueState, _: Question) -> Answer:
    counts = state.counts
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = state.count - sum(counts.values())
    return Answer({"counts": dict(ordered), "unlisted": rest}, samples=state.count)


def _value_count(state: ValueState, question: Question) -> Answer:
    if question.value is None:
        raise ValidationError("value_count takes the value to count")
    counts = state.counts
    # A histogram shows a long value shortened, and it may be asked for by that text.
    name = question.value if question.value in counts else shortened(question.value)
    if name not in counts and state.others.level:
        return undefined("the value is among those that were not counted one by one", state.count)
    least = name in state.frequent and name not in state.others.counts
    reason = "at least: it may be in buckets where it was not among the most frequent" if least else None
    return Answer(counts.get(name, 0), samples=state.count, reason=reason)


def _unique(state: ValueState, _: Question) -> Answer:
    sample = state.tail.sample
    if not sample.level:
        return Answer(state.distinct, samples=state.count)
    reason = "an estimate from a sample of the values, with three standard errors as bound"
    return Answer(state.distinct, samples=state.count, bound=3 * sample.distinct_error, reason=reason)


def _length(make: Callable[[ValueState], float | None]) -> Statistic:
    def length(state: ValueState, _: Question) -> Answer:
        made = make(state) if state.count else None
        return undefined("there are no values") if made is None else Answer(made, samples=state.count)

    return length


def _of_fitting(made: Statistic) -> Statistic:
    """A statistic of the values of the declared type that says how many others it leaves out."""
    return lambda state, question: without(made(state, question), state.misfits, NO_BOOLEANS, state.count)


_OF_VALUES: dict[str, Statistic] = {
    "unique_values": _unique,
    "value_count": _value_count,
    "histogram": _values,
    "min_length": _length(lambda state: state.shortest),
    "max_length": _length(lambda state: state.longest),
    "mean_length": _length(lambda state: state.length / state.count),
}
CATEGORIES = {**COUNTS, **{name: _of_fitting(made) for name, made in _OF_VALUES.items()}}
