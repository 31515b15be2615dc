"""Statistics of fields of all types, and the type of a statistic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.confidence.proportions import wilson
from aporia_provider.monitoring.confidence.quantiles import CONFIDENCE, normal_quantile
from aporia_provider.monitoring.metric_definition import FieldStatistic
from aporia_provider.monitoring.result import undefined, with_interval
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.schema import FIELD_TYPES


@dataclass(frozen=True)
class StatisticParameters:
    """
    Parameters and bins for a statistic.

    :param bins: Bins of the state.
    :param quantile: For ``quantile``, the probability, from 0 to 1.
    :param value: For ``value_count``, the value.
    :param confidence: Probability that the interval contains the number; None for no interval.
    """

    bins: Any = None
    quantile: float | None = None
    value: str | None = None
    confidence: float | None = CONFIDENCE


Statistic = Callable[[Any, StatisticParameters], MetricResult]
"""Function that computes a result from the state of a field."""


def of_rows(part: Callable[[Any], int]) -> Statistic:
    """Return a statistic: a number of rows."""
    return lambda state, _: MetricResult(part(state), samples=state.rows)


def share(part: Callable[[Any], int]) -> Statistic:
    """Return a statistic: a number of rows as a proportion of all rows."""

    def of_state(state: Any, parameters: StatisticParameters) -> MetricResult:
        if not state.rows:
            return undefined("there are no rows")
        result = MetricResult(part(state) / state.rows, samples=state.rows)
        if parameters.confidence is None:
            return result
        z = normal_quantile(parameters.confidence)
        return with_interval(result, wilson(result.value, state.rows, z))

    return of_state


def missing(state: Any) -> int:
    """Return the number of rows without a value: null or, as in pandas, NaN."""
    nulls: int = state.nulls
    return nulls + state.nans if isinstance(state, NumericState) else nulls


COUNTS = (
    FieldStatistic("count", FIELD_TYPES, of_rows(lambda state: state.rows), "rows"),
    FieldStatistic(
        "column_count", FIELD_TYPES, of_rows(lambda state: state.rows - missing(state)), "rows with a value"
    ),
    FieldStatistic("missing_count", FIELD_TYPES, of_rows(missing), "rows whose value is null or NaN"),
    FieldStatistic(
        "missing_ratio", FIELD_TYPES, share(missing), "proportion of rows whose value is null or NaN"
    ),
)
"""Statistics of fields of all types."""
