"""Calls of custom metrics as sums over the rows, whose covariances can be kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from aporia_provider.monitoring.custom_metrics.expression import Call, MetricExpression

MAX_NUMBERS: Final = 12
"""Maximum number of different sums of a custom metric whose covariances are kept."""

_RATIOS: Final[Mapping[str, tuple[str, str | None]]] = MappingProxyType(
    {
        "sum": ("value", None),
        "absolute_sum": ("absolute", None),
        "squared_sum": ("square", None),
        "mean": ("value", "finite"),
        "zero_count": ("zero", None),
        "zero_ratio": ("zero", "rows"),
        "column_count": ("present", None),
        "missing_count": ("missing", None),
        "missing_ratio": ("missing", "rows"),
    }
)
"""Metrics that are a sum of numbers of the rows, or the ratio of two of them."""
_OF_ANY_TYPE: Final = ("present", "missing", "rows")
_TYPES: Final = ("numeric", "categorical", "string")
_CATEGORIES: Final = ("features", "raw_inputs", "predictions")


class RowNumber(NamedTuple):
    """
    A number that each row has.

    :param kind: See :class:`~aporia_provider.monitoring.profiles.plan.RowNumberPlan`.
    :param field: Key of the field; empty for ``rows``.
    :param filter: Condition of the rows whose number is not 0; empty for all rows.
    """

    kind: str
    field: str
    filter: str


@dataclass(frozen=True)
class CallSums:
    """
    The calls of an expression as sums.

    :param numbers: The numbers that are summed, each once.
    :param calls: For each call, the positions of its sum and of its divisor; the divisor is None if there is
        none.
    """

    numbers: tuple[RowNumber, ...]
    calls: tuple[tuple[int, int | None], ...]


def sums_of(expression: MetricExpression, types: Mapping[str, str]) -> CallSums | None:
    """
    Return the calls of an expression as sums.

    :param expression: An expression whose columns are the keys of fields.
    :param types: Types of the fields by key.
    :return: None if there is only one call, which has an interval of its own, or if a call is not known as a
        sum or a ratio of two.
    """
    if len(expression.calls) < 2:
        return None
    numbers: dict[RowNumber, int] = {}
    calls = []
    for call in expression.calls:
        found = tuple(_numbers(call, types))
        if not found:
            return None
        places = [numbers.setdefault(number, len(numbers)) for number in found]
        calls.append((places[0], places[1] if len(places) > 1 else None))
    return CallSums(tuple(numbers), tuple(calls)) if len(numbers) <= MAX_NUMBERS else None


def _numbers(call: Call, types: Mapping[str, str]) -> Iterator[RowNumber]:
    """Yield the sum and the divisor of a call; nothing if it is not known as such."""
    filter_, column = call.filter or "", str(call.parameters.get("column", ""))
    if call.metric == "count" and not column:
        yield RowNumber("rows", "", filter_)
    elif call.metric in _RATIOS and _is_read(column, call.metric, types):
        for kind in filter(None, _RATIOS[call.metric]):
            yield RowNumber(kind, "" if kind == "rows" else column, filter_)


def _is_read(column: str, metric: str, types: Mapping[str, str]) -> bool:
    type_ = types.get(column)
    if column.partition(".")[0] not in _CATEGORIES:
        return False
    return type_ == "numeric" or (type_ in _TYPES and _RATIOS[metric][0] in _OF_ANY_TYPE)
