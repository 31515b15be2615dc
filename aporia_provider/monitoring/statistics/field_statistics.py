"""Statistics of fields by type and name."""

from __future__ import annotations

from functools import lru_cache

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.metric_definition import FieldStatistic
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.statistics.category_statistics import CATEGORIES
from aporia_provider.monitoring.statistics.number_statistics import DATETIME, NUMERIC, TEXT
from aporia_provider.monitoring.statistics.row_statistics import COUNTS, StatisticParameters
from aporia_provider.monitoring.statistics.vector_statistics import VECTORS

__all__ = ["STATISTICS", "StatisticParameters", "find_statistic", "statistic"]

STATISTICS: tuple[FieldStatistic, ...] = (*COUNTS, *NUMERIC, *DATETIME, *CATEGORIES, *TEXT, *VECTORS)
"""Statistics of fields."""


def statistic(name: str, type_: str, state: State, parameters: StatisticParameters) -> MetricResult:
    """
    Return the result of a statistic.

    :param name: Name of the statistic.
    :param type_: Field type, see :data:`~aporia_provider.schema.FIELD_TYPES`.
    :param state: State of the field; sums of states are states.
    :param parameters: Parameters and bins.
    :raises aporia_provider.errors.ValidationError: if the statistic does not exist for the type, listing
        those that do, or a required parameter is missing.
    """
    result: MetricResult = find_statistic(name, type_).compute(state, parameters)
    return result


@lru_cache(1024)
def find_statistic(name: str, type_: str) -> FieldStatistic:
    """
    Return a statistic of a type, by name.

    :raises aporia_provider.errors.ValidationError: if it does not exist, listing those that do.
    """
    statistic = next((each for each in STATISTICS if each.name == name and type_ in each.types), None)
    if statistic is None:
        names = ", ".join(sorted({each.name for each in STATISTICS if type_ in each.types}))
        raise ValidationError(f"There is no metric {name!r} of {type_} fields; available: {names}")
    return statistic
