"""Spark SQL of conditions, for people to copy. Nothing in this package executes it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from aporia_provider.monitoring.segments.condition_checks import KINDS, constant_micros
from aporia_provider.monitoring.segments.condition_nodes import (
    Comparison,
    Condition,
    Constant,
    FieldName,
    IsNull,
    IsTruth,
    Junction,
    Membership,
    Node,
    Not,
    Operand,
    Predicate,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def condition_sql(condition: Condition, columns: Mapping[str, tuple[str, str]]) -> str:
    """
    Return the Spark SQL that selects the rows that meet a condition.

    :param condition: A condition without problems, see
        :func:`~aporia_provider.monitoring.segments.condition_checks.condition_faults`.
    :param columns: SQL expression and field type of each field by its name in the condition.
    """
    return _node(condition.root, columns)


def _node(node: Node, columns: Mapping[str, tuple[str, str]]) -> str:
    if isinstance(node, Junction):
        return "(" + f" {node.word.upper()} ".join(_node(part, columns) for part in node.parts) + ")"
    if isinstance(node, Not):
        if isinstance(node.inner, IsNull):
            return f"{_operand(node.inner.left, columns)} IS NOT NULL"
        return f"NOT ({_node(node.inner, columns)})"
    return _predicate(node, columns)


def _predicate(node: Predicate, columns: Mapping[str, tuple[str, str]]) -> str:
    left, type_ = _operand(node.left, columns), columns[node.left.name][1]
    if isinstance(node, IsNull):
        return f"{left} IS NULL"
    if isinstance(node, IsTruth):
        return f"{left} IS {str(node.value).upper()}"
    if isinstance(node, Membership):
        return f"{left} IN ({', '.join(_constant(constant, type_) for constant in node.constants)})"
    if isinstance(node, Comparison):
        return f"{left} {node.operator} {_right(node.right, type_, columns)}"
    return f"{left} = TRUE"


def _right(operand: Operand, type_: str, columns: Mapping[str, tuple[str, str]]) -> str:
    return _constant(operand, type_) if isinstance(operand, Constant) else _operand(operand, columns)


def _operand(field: FieldName, columns: Mapping[str, tuple[str, str]]) -> str:
    """Return a field. NaN is a missing value, while Spark orders it above all numbers."""
    column, type_ = columns[field.name]
    return f"nanvl({column}, NULL)" if KINDS.get(type_) == "number" else column


def _constant(constant: Constant, type_: str) -> str:
    if KINDS[type_] == "time":
        return _time(constant_micros(str(constant.value)))
    if isinstance(constant.value, str):
        # Spark reads a backslash in a text as an escape; quotes are escaped in the same way.
        return "'" + constant.value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    text = str(constant).upper()
    # Without the suffix, a number with a point is a decimal.
    return text if isinstance(constant.value, bool) or text.lstrip("-").isdigit() else f"{text}D"


def _time(micros: float) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        # The offset of a time may lead to the years 0 and 10000.
        return f"timestamp_micros({micros:.0f})"
    return f"TIMESTAMP '{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z'"
