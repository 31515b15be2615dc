"""Statistics of numeric fields, datetimes and lengths of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.grids.grid import NumericGrid
from aporia_provider.monitoring.result import INFINITE, in_time, of_number, undefined, without
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.statistics.moments import (
    is_cut,
    squared_deviations,
    squared_sum,
    standard_deviation,
    variance,
)
from aporia_provider.monitoring.statistics.quantiles import quantile
from aporia_provider.monitoring.statistics.rounding_bounds import (
    Bound,
    of_deviation,
    of_greatest,
    of_least,
    of_mean,
    of_squared_deviations,
    of_squared_sum,
    of_sum,
    of_variance,
    rounded,
)
from aporia_provider.monitoring.statistics.row_statistics import COUNTS, Question, Statistic, of_rows, share


def _number(make: Callable[[NumericState, NumericGrid | None], Any]) -> Statistic:
    def number(state: NumericState, question: Question) -> MetricResult:
        if not state.finite:
            return undefined("there are no values")
        made = make(state, question.grid)
        if made is None:
            return undefined("there is one value only", state.finite)
        return of_number(made, state.finite)

    return number


def _of_squares(make: Callable[[NumericState, NumericGrid | None], Any]) -> Statistic:
    made = _number(make)

    def of_squares(state: NumericState, question: Question) -> MetricResult:
        if state.finite and is_cut(state, question.grid):
            reason = "squared distances from the baseline's mean are beyond the largest float"
            return undefined(reason, state.finite)
        return made(state, question)

    return of_squares


def _quantile(state: NumericState, question: Question) -> MetricResult:
    share = question.quantile
    if share is None or not 0 <= share <= 1:
        raise ValidationError(f"quantile has to be from 0 to 1, not {share!r}")
    return quantile(state, question.grid, share)


def _histogram(state: NumericState, question: Question) -> MetricResult:
    """
    Return the counts of the coarse bins; the outer ones are unbounded. A bin of a single value has equal
    edges.
    """
    grid = question.grid
    if grid is None:
        return undefined("the field has no bins yet", state.finite)
    bins = {"edges": list(grid.shown_boundaries), "counts": list(grid.coarsen(state.counts))}
    return MetricResult(bins, samples=state.finite)


def _finite(made: Statistic) -> Statistic:
    """Return the statistic with the number of infinite values it leaves out."""
    return lambda state, question: without(made(state, question), state.infinite, INFINITE)


def _rounded(made: Statistic, bound: Bound) -> Statistic:
    return lambda state, question: rounded(made(state, question), state, question.grid, bound)


def _in_time(wrapped: Statistic) -> Statistic:
    """Return the statistic converted from microseconds to a time."""
    return lambda state, question: in_time(wrapped(state, question))


NUMBERS: dict[str, Statistic] = {
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
    "zero_count": of_rows(lambda state: state.zeros),
    "zero_ratio": share(lambda state: state.zeros),
    "nan_count": of_rows(lambda state: state.nans),
    "infinite_count": of_rows(lambda state: state.infinite),
    "histogram": _finite(_histogram),
}
# Quantiles have their own bounds.
_ROUNDED: dict[str, Statistic] = {
    "min": _rounded(NUMBERS["min"], of_least),
    "max": _rounded(NUMBERS["max"], of_greatest),
    "mean": _rounded(NUMBERS["mean"], of_mean),
    **{name: _rounded(_MOMENTS[name], of_sum) for name in ("sum", "absolute_sum")},
    "squared_sum": _rounded(_MOMENTS["squared_sum"], of_squared_sum),
    "squared_deviation_sum": _rounded(_MOMENTS["squared_deviation_sum"], of_squared_deviations),
    "variance": _rounded(_MOMENTS["variance"], of_variance),
    "std": _rounded(_MOMENTS["std"], of_deviation),
}
NUMERIC = {**COUNTS, **NUMBERS, **_MOMENTS, **_ROUNDED}
DATETIME = {**COUNTS, **{name: _in_time(made) for name, made in NUMBERS.items()}}
TEXT = {
    **COUNTS,
    **{f"{name}_length": NUMBERS[name] for name in ("min", "max", "mean", "median")},
    "histogram": _histogram,
}
