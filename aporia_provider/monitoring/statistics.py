"""What the state of a field says about its values: the statistics, by the protocol's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.answers import (
    INFINITE,
    UNUSABLE_VECTORS,
    Answer,
    in_time,
    of_number,
    rounded,
    undefined,
    without,
)
from aporia_provider.monitoring.grid import NumericGrid
from aporia_provider.monitoring.moments import (
    is_cut,
    squared_deviations,
    squared_sum,
    standard_deviation,
    variance,
)
from aporia_provider.monitoring.numbers import NumericState
from aporia_provider.monitoring.quantiles import quantile
from aporia_provider.monitoring.states import State
from aporia_provider.monitoring.values import ValueState, shortened
from aporia_provider.monitoring.vectors import VectorState


@dataclass(frozen=True)
class Question:
    """
    What is asked of a field besides the metric.

    :param grid: The bins it was counted on.
    :param quantile: For ``quantile``: from 0 to 1.
    :param value: For ``value_count``: which value.
    """

    grid: Any = None
    quantile: float | None = None
    value: str | None = None


Statistic = Callable[[Any, Question], Answer]


def statistic(name: str, type_: str, state: State, question: Question) -> Answer:
    """
    Compute a statistic.

    :param name: One of :func:`statistics_of` the type.
    :param type_: Field type, see :data:`~aporia_provider.schema.FIELD_TYPES`.
    :param state: State of the field; sums of states are states.
    :param question: What is asked besides.
    :raises aporia_provider.errors.ValidationError: if the type has no such statistic, or something it takes
        was not given; it names what there is.
    """
    return find_statistic(name, type_)(state, question)


def find_statistic(name: str, type_: str) -> Statistic:
    """
    A statistic of a type, by name.

    :raises aporia_provider.errors.ValidationError: if there is none; it names what there is.
    """
    known = statistics_of(type_)
    if name not in known:
        names = ", ".join(sorted(known))
        raise ValidationError(f"There is no metric {name!r} of {type_} fields; there are {names}")
    return known[name]


def statistics_of(type_: str) -> Mapping[str, Statistic]:
    """The statistics that fields of a type have, by name."""
    return _BY_TYPE[type_]


def _of_rows(part: Callable[[Any], int]) -> Statistic:
    return lambda state, _: Answer(part(state), samples=state.rows)


def _share(part: Callable[[Any], int]) -> Statistic:
    def share(state: Any, _: Question) -> Answer:
        if not state.rows:
            return undefined("there are no rows")
        return Answer(part(state) / state.rows, samples=state.rows)

    return share


def _number(make: Callable[[NumericState, NumericGrid | None], Any]) -> Statistic:
    def number(state: NumericState, question: Question) -> Answer:
        if not state.finite:
            return undefined("there are no values")
        made = make(state, question.grid)
        if made is None:
            return undefined("there is one value only", state.finite)
        return of_number(made, state.finite)

    return number


def _of_squares(make: Callable[[NumericState, NumericGrid | None], Any]) -> Statistic:
    made = _number(make)

    def of_squares(state: NumericState, question: Question) -> Answer:
        if state.finite and is_cut(state, question.grid):
            reason = "squared distances from the baseline's mean are beyond the largest float"
            return undefined(reason, state.finite)
        return made(state, question)

    return of_squares


def _quantile(state: NumericState, question: Question) -> Answer:
    share = question.quantile
    if share is None or not 0 <= share <= 1:
        raise ValidationError(f"quantile has to be from 0 to 1, not {share!r}")
    return quantile(state, question.grid, share)


def _histogram(state: NumericState, question: Question) -> Answer:
    """Counts of the coarse bins, the outer ones open; two equal edges are the bin of that value alone."""
    grid = question.grid
    if grid is None:
        return undefined("the field has no bins yet", state.finite)
    bins = {"edges": list(grid.shown_boundaries), "counts": list(grid.coarsen(state.counts))}
    return Answer(bins, samples=state.finite)


def _finite(made: Statistic) -> Statistic:
    """A statistic of the finite values that says how many infinite ones it leaves out."""
    return lambda state, question: without(made(state, question), state.infinite, INFINITE)


def _missing(state: Any) -> int:
    """Rows without a value: null or, as in pandas, NaN."""
    nulls: int = state.nulls
    return nulls + state.nans if isinstance(state, NumericState) else nulls


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


def _mean_vector(state: VectorState, _: Question) -> Answer:
    if not state.vectors:
        found = undefined("there are no vectors of the right dimension")
    else:
        mean = [float(total / state.vectors) for total in state.sums]
        found = Answer(mean, samples=state.vectors)
    return without(found, state.dimension_errors, UNUSABLE_VECTORS)


def _norm(name: str) -> Statistic:
    def norm(state: VectorState, question: Question) -> Answer:
        grid = question.grid.norm if question.grid else None
        found = _NUMBERS[name](state.norm, Question(grid))
        return without(found, state.dimension_errors, UNUSABLE_VECTORS)

    return norm


def _rounded(wrapped: Statistic) -> Statistic:
    return lambda state, question: rounded(wrapped(state, question))


def _in_time(wrapped: Statistic) -> Statistic:
    """A statistic of times, which were counted in microseconds, as a time."""
    return lambda state, question: in_time(wrapped(state, question))


_COUNTS: dict[str, Statistic] = {
    "count": _of_rows(lambda state: state.rows),
    "column_count": _of_rows(lambda state: state.rows - _missing(state)),
    "missing_count": _of_rows(_missing),
    "missing_ratio": _share(_missing),
}
_NUMBERS: dict[str, Statistic] = {
    "mean": _finite(_number(lambda state, _: state.total / state.finite)),
    "min": _finite(_number(lambda state, _: state.least)),
    "max": _finite(_number(lambda state, _: state.greatest)),
    "median": _finite(lambda state, question: quantile(state, question.grid, 0.5)),
    "quantile": _finite(_quantile),
}
_MOMENTS: dict[str, Statistic] = {
    "sum": _finite(_number(lambda state, _: state.total)),
    "absolute_sum": _finite(_number(lambda state, _: state.positive_sum - state.negative_sum)),
    "squared_sum": _finite(_of_squares(squared_sum)),
    "squared_deviation_sum": _finite(_of_squares(squared_deviations)),
    "variance": _finite(_of_squares(lambda state, grid: variance(state, grid, less=1))),
    "std": _finite(_of_squares(standard_deviation)),
    "zero_count": _of_rows(lambda state: state.zeros),
    "zero_ratio": _share(lambda state: state.zeros),
    "nan_count": _of_rows(lambda state: state.nans),
    "infinite_count": _of_rows(lambda state: state.infinite),
    "histogram": _finite(_histogram),
}
_ENDS = {name: _rounded(_NUMBERS[name]) for name in ("min", "max")}
_NUMERIC = {**_COUNTS, **_NUMBERS, **_ENDS, **_MOMENTS}
_DATETIME = {**_COUNTS, **{name: _in_time(made) for name, made in _NUMBERS.items()}}
_TEXT = {
    **_COUNTS,
    **{f"{name}_length": _NUMBERS[name] for name in ("min", "max", "mean", "median")},
    "histogram": _histogram,
}
_CATEGORIES = {
    **_COUNTS,
    "unique_values": _unique,
    "value_count": _value_count,
    "histogram": _values,
    "min_length": _length(lambda state: state.shortest),
    "max_length": _length(lambda state: state.longest),
    "mean_length": _length(lambda state: state.length / state.count),
}
_VECTORS = {
    **_COUNTS,
    "dimension_errors": _of_rows(lambda state: state.dimension_errors),
    "mean_vector": _mean_vector,
    **{f"{name}_norm": _norm(name) for name in ("mean", "min", "max")},
}
_BY_TYPE: dict[str, Mapping[str, Statistic]] = {
    "numeric": _NUMERIC,
    "datetime": _DATETIME,
    "text": _TEXT,
    **dict.fromkeys(("categorical", "string", "boolean", "array", "dict"), _CATEGORIES),
    **dict.fromkeys(("vector", "tensor"), _VECTORS),
}
STATISTICS = frozenset(name for known in _BY_TYPE.values() for name in known)
"""Statistics that fields of any type have."""
