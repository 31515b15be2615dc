"""What the state of a field says about its values: the statistics, by the protocol's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.answers import Answer, undefined
from aporia_provider.monitoring.grid import NumericGrid
from aporia_provider.monitoring.numbers import NumericState
from aporia_provider.monitoring.states import State
from aporia_provider.monitoring.values import ValueState
from aporia_provider.monitoring.vectors import VectorState
from aporia_provider.nearest import nearest


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
    known = statistics_of(type_)
    if name not in known:
        raise ValidationError(f"There is no metric {name!r} of {type_} fields; {nearest(name, known)}")
    return known[name](state, question)


def statistics_of(type_: str) -> Mapping[str, Statistic]:
    """The statistics that fields of a type have, by name."""
    return _BY_TYPE[type_]


def variance(state: NumericState, grid: NumericGrid | None, *, less: int = 0) -> Fraction | None:
    """
    Variance of the values.

    :param state: Their state.
    :param grid: The grid of the state, which knows the centre that its squares were taken from.
    :param less: 0 divides by the number of values, 1 by one less (the protocol's ``variance``).
    :return: None if there are too few values.
    """
    n = state.finite
    if n - less < 1:
        return None
    shifted = state.total - n * Fraction(grid.centre if grid else 0)
    return max(Fraction(0), state.squares - shifted * shifted / n) / (n - less)


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
        return Answer(float(made), samples=state.finite)

    return number


def _squared_sum(state: NumericState, grid: NumericGrid | None) -> Fraction:
    centre = Fraction(grid.centre if grid else 0)
    return state.squares + 2 * centre * state.total - state.finite * centre * centre


def _deviations(state: NumericState, grid: NumericGrid | None) -> Fraction | None:
    found = variance(state, grid)
    return None if found is None else found * state.finite


def _deviation(state: NumericState, grid: NumericGrid | None) -> float | None:
    found = variance(state, grid)
    return None if found is None else float(found) ** 0.5


def _quantile(state: NumericState, question: Question) -> Answer:
    share = question.quantile
    if share is None or not 0 <= share <= 1:
        raise ValidationError(f"quantile has to be from 0 to 1, not {share!r}")
    return _at(state, question.grid, share)


def _at(state: NumericState, grid: NumericGrid | None, share: float) -> Answer:
    """A quantile, by linear interpolation inside of a bin; exact at both ends."""
    if not state.finite or state.least is None or state.greatest is None:
        return undefined("there are no values")
    if share in (0, 1):
        return Answer(state.greatest if share else state.least, samples=state.finite)
    if grid is None:
        return undefined("the field has no bins yet", state.finite)
    low, high, inside = _bin_at(state, grid, share)
    value = low + (high - low) * inside
    return Answer(value, samples=state.finite, bound=max(value - low, high - value))


def _bin_at(state: NumericState, grid: NumericGrid, share: float) -> tuple[float, float, float]:
    """Ends of the bin that holds a quantile, and how far inside it is."""
    assert state.least is not None  # noqa: S101
    assert state.greatest is not None  # noqa: S101
    ends = [state.least, *grid.edges, state.greatest]
    wanted, passed = share * state.finite, 0
    for place, count in enumerate(state.counts):
        if count and passed + count >= wanted:
            low, high = max(ends[place], state.least), min(ends[place + 1], state.greatest)
            return low, max(low, high), (wanted - passed) / count
        passed += count
    return state.greatest, state.greatest, 0.0


def _histogram(state: NumericState, question: Question) -> Answer:
    grid = question.grid
    if grid is None:
        return undefined("the field has no bins yet", state.finite)
    bins = {"edges": list(grid.boundaries), "counts": list(grid.coarsen(state.counts))}
    return Answer(bins, samples=state.finite)


def _values(state: ValueState, _: Question) -> Answer:
    counts = {**state.known, **state.others.counts}
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = state.count - sum(counts.values())
    return Answer({"counts": dict(ordered), "unlisted": rest}, samples=state.count)


def _value_count(state: ValueState, question: Question) -> Answer:
    if question.value is None:
        raise ValidationError("value_count takes the value to count")
    found = state.known.get(question.value, state.others.counts.get(question.value))
    if found is None and state.others.level:
        return undefined("the value is among those that were not counted one by one", state.count)
    return Answer(found or 0, samples=state.count)


def _unique(state: ValueState, _: Question) -> Answer:
    return Answer(state.distinct, samples=state.count, reason=_estimated(state))


def _estimated(state: ValueState) -> str | None:
    return "an estimate: there were too many to keep them all" if state.others.level else None


def _length(make: Callable[[ValueState], float | None]) -> Statistic:
    def length(state: ValueState, _: Question) -> Answer:
        made = make(state) if state.count else None
        return undefined("there are no values") if made is None else Answer(made, samples=state.count)

    return length


def _mean_vector(state: VectorState, _: Question) -> Answer:
    if not state.vectors:
        return undefined("there are no vectors of the right dimension")
    return Answer([float(total / state.vectors) for total in state.sums], samples=state.vectors)


def _norm(name: str) -> Statistic:
    def norm(state: VectorState, question: Question) -> Answer:
        grid = question.grid.norm if question.grid else None
        return _NUMBERS[name](state.norm, Question(grid))

    return norm


def _in_time(wrapped: Statistic) -> Statistic:
    """A statistic of times, which were counted in microseconds, as a time."""

    def at(state: NumericState, question: Question) -> Answer:
        found = wrapped(state, question)
        if found.value is None:
            return found
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(found.value))
        return Answer(moment.isoformat(), samples=found.samples, bound=found.bound / 1_000_000)

    return at


_COUNTS: dict[str, Statistic] = {
    "count": _of_rows(lambda state: state.rows),
    "column_count": _of_rows(lambda state: state.rows - state.nulls),
    "missing_count": _of_rows(lambda state: state.nulls),
    "missing_ratio": _share(lambda state: state.nulls),
}
_NUMBERS: dict[str, Statistic] = {
    "mean": _number(lambda state, _: state.total / state.finite),
    "min": _number(lambda state, _: state.least),
    "max": _number(lambda state, _: state.greatest),
    "median": lambda state, question: _at(state, question.grid, 0.5),
    "quantile": _quantile,
}
_MOMENTS: dict[str, Statistic] = {
    "sum": _number(lambda state, _: state.total),
    "absolute_sum": _number(lambda state, _: state.positive_sum - state.negative_sum),
    "squared_sum": _number(_squared_sum),
    "squared_deviation_sum": _number(_deviations),
    "variance": _number(lambda state, grid: variance(state, grid, less=1)),
    "std": _number(_deviation),
    "zero_count": _of_rows(lambda state: state.zeros),
    "zero_ratio": _share(lambda state: state.zeros),
    "nan_count": _of_rows(lambda state: state.nans),
    "infinite_count": _of_rows(lambda state: state.positive_infinities + state.negative_infinities),
    "histogram": _histogram,
}
_NUMERIC = {**_COUNTS, **_NUMBERS, **_MOMENTS}
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
