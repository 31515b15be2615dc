"""Statistics of fields by type and name."""

from __future__ import annotations

from collections.abc import Mapping

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.statistics.category_statistics import CATEGORIES
from aporia_provider.monitoring.statistics.number_statistics import DATETIME, NUMERIC, TEXT
from aporia_provider.monitoring.statistics.row_statistics import Question, Statistic
from aporia_provider.monitoring.statistics.vector_statistics import VECTORS

__all__ = ["STATISTICS", "Question", "find_statistic", "statistic", "statistics_of"]


def statistic(name: str, type_: str, state: State, question: Question) -> MetricResult:
    """
    Return the answer of a statistic.

    :param name: One of :func:`statistics_of` the type.
    :param type_: Field type, see :data:`~aporia_provider.schema.FIELD_TYPES`.
    :param state: State of the field; sums of states are states.
    :param question: Parameters and bins.
    :raises aporia_provider.errors.ValidationError: if the statistic does not exist for the type, listing
        those that do, or a required parameter is missing.
    """
    return find_statistic(name, type_)(state, question)


def find_statistic(name: str, type_: str) -> Statistic:
    """
    Return a statistic of a type, by name.

    :raises aporia_provider.errors.ValidationError: if it does not exist, listing those that do.
    """
    known = statistics_of(type_)
    if name not in known:
        names = ", ".join(sorted(known))
        raise ValidationError(f"There is no metric {name!r} of {type_} fields; there are {names}")
    return known[name]


def statistics_of(type_: str) -> Mapping[str, Statistic]:
    """Return the statistics of a field type, by name."""
    return _BY_TYPE[type_]


_BY_TYPE: dict[str, Mapping[str, Statistic]] = {
    "numeric": NUMERIC,
    "datetime": DATETIME,
    "text": TEXT,
    **dict.fromkeys(("categorical", "string", "boolean", "array", "dict"), CATEGORIES),
    **dict.fromkeys(("vector", "tensor"), VECTORS),
}
STATISTICS = frozenset(name for known in _BY_TYPE.values() for name in known)
"""Names of the statistics of all field types."""
