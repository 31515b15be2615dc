"""Statistics of numeric fields, datetimes and lengths of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.confidence.means import interval_of_ratios
from aporia_provider.monitoring.metric_definition import FieldStatistic
from aporia_provider.monitoring.result import (
    INFINITE,
    as_time,
    number_result,
    ratio_result,
    undefined,
    with_interval,
    with_left_out,
)
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.statistics.moments import (
    accurate_variance_ratio,
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
from aporia_provider.monitoring.statistics.row_statistics import (
    Statistic,
    StatisticParameters,
    of_rows,
    share,
)


def _number(make: Callable[[NumericState, NumericBins | None], Any]) -> Statistic:
    def number(state: NumericState, parameters: StatisticParameters) -> MetricResult:
        if not state.finite:
            return undefined("there are no values")
        value = make(state, parameters.bins)
        if value is None:
            return undefined("there is only one value", state.finite)
        return number_result(value, state.finite)

    return number


def _of_squares(make: Callable[[NumericState, NumericBins | None], Any]) -> Statistic:
    statistic = _number(make)

    def of_squares(state: NumericState, parameters: StatisticParameters) -> MetricResult:
        if state.finite and is_cut(state, parameters.bins):
            reason = "squared distances from the baseline's mean are beyond the largest float"
            return undefined(reason, state.finite)
        return statistic(state, parameters)

    return of_squares


def _mean(state: NumericState, parameters: StatisticParameters) -> MetricResult:
    if not state.finite:
        return undefined("there are no values")
    count, (total, divisor), confidence = state.finite, state.total_ratio, parameters.confidence
    mean = total, divisor * count
    result = ratio_result(*mean, count)
    spread = None if confidence is None else accurate_variance_ratio(state, parameters.bins, less=1)
    if spread is None or confidence is None:
        return result
    variance = spread[0], spread[1] * count
    return with_interval(result, interval_of_ratios(mean, variance, count, confidence))


def _quantile(state: NumericState, parameters: StatisticParameters) -> MetricResult:
    share = parameters.quantile
    if share is None or not 0 <= share <= 1:
        raise ValidationError(f"quantile has to be from 0 to 1, not {share!r}")
    return quantile(state, parameters.bins, share)


def _histogram(state: NumericState, parameters: StatisticParameters) -> MetricResult:
    """
    Return the counts of the coarse bins; the outer bins are unbounded. The two edges of a bin of a single
    value are equal.
    """
    bins = parameters.bins
    if bins is None:
        return undefined("the field has no bins yet", state.finite)
    histogram = {"edges": list(bins.shown_boundaries), "counts": list(bins.coarsen(state.counts))}
    return MetricResult(histogram, samples=state.finite)


def _finite(statistic: Statistic) -> Statistic:
    """Return a statistic that adds the number of infinite values left out to the result of another."""
    return lambda state, parameters: with_left_out(statistic(state, parameters), state.infinite, INFINITE)


def _rounded(statistic: Statistic, bound: Bound) -> Statistic:
    return lambda state, parameters: rounded(statistic(state, parameters), state, parameters.bins, bound)


def _in_time(statistic: Statistic) -> Statistic:
    """Return a statistic that converts the result of another from microseconds since 1970 to a time."""
    return lambda state, parameters: as_time(statistic(state, parameters))


NUMBERS: dict[str, Statistic] = {
    "mean": _finite(_mean),
    "min": _finite(_number(lambda state, _: state.least)),
    "max": _finite(_number(lambda state, _: state.greatest)),
    "median": _finite(lambda state, parameters: quantile(state, parameters.bins, 0.5)),
    "quantile": _finite(_quantile),
}
"""Statistics of anything that is profiled as numbers."""
_DESCRIPTIONS = {
    "mean": "mean of the {}",
    "min": "minimum of the {}",
    "max": "maximum of the {}",
    "median": "median of the {}",
    "quantile": "quantile of the {}",
}
# Quantiles have their own bounds.
_BOUNDS: dict[str, Bound] = {"mean": of_mean, "min": of_least, "max": of_greatest}


def summaries(
    name: str,
    types: tuple[str, ...],
    noun: str,
    wrap: Callable[[str], Statistic],
    of: Iterable[str] = NUMBERS,
) -> Iterator[FieldStatistic]:
    """
    Yield definitions of statistics in :data:`NUMBERS`.

    :param name: Format of the names.
    :param types: Field types.
    :param noun: Plural noun for the numbers.
    :param wrap: Function that returns the statistic of these types by its name in :data:`NUMBERS`.
    :param of: Names of the statistics in :data:`NUMBERS`.
    """
    for each in of:
        parameters = ("quantile",) if each == "quantile" else ()
        yield FieldStatistic(
            name.format(each), types, wrap(each), _DESCRIPTIONS[each].format(noun), parameters
        )


def _numeric(name: str, statistic: Statistic, description: str, bound: Bound | None = None) -> FieldStatistic:
    compute = statistic if bound is None else _rounded(statistic, bound)
    return FieldStatistic(name, ("numeric",), compute, description)


def _summary(name: str) -> Statistic:
    return _rounded(NUMBERS[name], _BOUNDS[name]) if name in _BOUNDS else NUMBERS[name]


NUMERIC = (
    *summaries("{}", ("numeric",), "finite values", _summary),
    _numeric("sum", _finite(_number(lambda state, _: state.total)), "sum of the finite values", of_sum),
    _numeric(
        "absolute_sum",
        _finite(_number(lambda state, _: state.positive_sum - state.negative_sum)),
        "sum of the absolute values",
        of_sum,
    ),
    _numeric("squared_sum", _finite(_of_squares(squared_sum)), "sum of the squares", of_squared_sum),
    _numeric(
        "squared_deviation_sum",
        _finite(_of_squares(squared_deviations)),
        "sum of the squared distances to the mean",
        of_squared_deviations,
    ),
    _numeric(
        "variance",
        _finite(_of_squares(lambda state, bins: variance(state, bins, less=1))),
        "variance, with n − 1 as divisor",
        of_variance,
    ),
    _numeric(
        "std", _finite(_of_squares(standard_deviation)), "standard deviation, with n as divisor", of_deviation
    ),
    _numeric("zero_count", of_rows(lambda state: state.zeros), "rows whose value is 0"),
    _numeric("zero_ratio", share(lambda state: state.zeros), "proportion of rows whose value is 0"),
    _numeric("nan_count", of_rows(lambda state: state.nans), "rows whose value is NaN"),
    _numeric("infinite_count", of_rows(lambda state: state.infinite), "rows whose value is infinite"),
    _numeric("histogram", _finite(_histogram), "counts of the finite values on the bins"),
)
DATETIME = tuple(summaries("{}", ("datetime",), "times", lambda name: _in_time(NUMBERS[name])))
TEXT = (
    *summaries(
        "{}_length", ("text",), "lengths in characters", NUMBERS.__getitem__, ("mean", "min", "max", "median")
    ),
    FieldStatistic("histogram", ("text",), _histogram, "counts of the lengths on the bins"),
)
