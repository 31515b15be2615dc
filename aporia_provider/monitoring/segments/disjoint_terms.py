"""Whether the conditions of a segment select different rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aporia_provider.monitoring.segments.condition_nodes import (
    Comparison,
    Condition,
    Constant,
    IsNull,
    IsTruth,
    Junction,
    Membership,
    Node,
    Not,
    Truth,
)

_Value = float | str | bool


@dataclass(frozen=True)
class _Allowed:
    """
    Values of a field that a part of a condition allows.

    :param values: The only values; None if the part does not list them.
    :param null: Whether only a missing value is allowed.
    :param low: Greatest lower bound of numbers, and whether it is itself excluded.
    :param high: Least upper bound of numbers, and whether it is itself excluded.
    """

    values: frozenset[_Value] | None = None
    null: bool = False
    low: tuple[float, bool] = (-math.inf, False)
    high: tuple[float, bool] = (math.inf, False)

    def excludes(self, other: _Allowed) -> bool:
        """Return whether no value is allowed by both; false if it is not known."""
        if self.null or other.null:
            return self.null != other.null
        if self.values is not None and other.values is not None:
            return not self.values & other.values
        if self.values is not None:
            return all(other.excludes_number(value) for value in self.values)
        if other.values is not None:
            return all(self.excludes_number(value) for value in other.values)
        return _is_empty(max(self.low, other.low), _stricter_bound(self.high, other.high))

    def excludes_number(self, value: _Value) -> bool:
        """Return whether a value is a number beyond the bounds."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return _is_empty(max(self.low, (value, False)), _stricter_bound(self.high, (value, False)))


def are_disjoint(conditions: Sequence[Condition]) -> bool:
    """
    Return whether no row can meet two of the conditions.

    Only comparisons of a field with constants that a condition combines by ``and`` are considered, so the
    terms of values, of edges and of their intersections are recognized as disjoint. For other conditions the
    result may be false although no row meets two of them.

    :param conditions: The conditions.
    """
    allowed = [_allowed(condition) for condition in conditions]
    return all(_exclude(one, other) for one, other in itertools.combinations(allowed, 2))


def _exclude(one: list[tuple[str, _Allowed]], other: list[tuple[str, _Allowed]]) -> bool:
    return any(name == field and mine.excludes(its) for name, mine in one for field, its in other)


def _allowed(condition: Condition) -> list[tuple[str, _Allowed]]:
    return list(_parts(condition.root))


def _parts(node: Node) -> Iterator[tuple[str, _Allowed]]:
    if isinstance(node, Junction):
        if node.word == "and":
            for part in node.parts:
                yield from _parts(part)
        return
    negated = isinstance(node, Not)
    inner = node.inner if isinstance(node, Not) else node
    if isinstance(inner, Junction | Not):
        return
    parts = _of_negation(inner) if negated else _of_predicate(inner)
    if parts is not None:
        yield inner.left.name, parts


def _of_predicate(node: Node) -> _Allowed | None:
    if isinstance(node, Membership):
        return _Allowed(frozenset(constant.value for constant in node.constants))
    if isinstance(node, IsNull):
        return _Allowed(null=True)
    if isinstance(node, IsTruth):
        return _Allowed(frozenset({node.value}))
    if isinstance(node, Truth):
        return _Allowed(frozenset({True}))
    return _of_comparison(node) if isinstance(node, Comparison) else None


def _of_negation(node: Node) -> _Allowed | None:
    if isinstance(node, IsNull):
        return _Allowed()
    # The negation of IsTruth is also met by a missing value.
    return _Allowed(frozenset({False})) if isinstance(node, Truth) else None


def _of_comparison(node: Comparison) -> _Allowed | None:
    if not isinstance(node.right, Constant):
        return None
    value, strict = node.right.value, node.operator in ("<", ">")
    if node.operator == "=":
        return _Allowed(frozenset({value}))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if node.operator in ("<", "<="):
        return _Allowed(high=(value, strict))
    return _Allowed(low=(value, strict)) if node.operator in (">", ">=") else None


def _stricter_bound(one: tuple[float, bool], other: tuple[float, bool]) -> tuple[float, bool]:
    """Return the stricter one of two upper bounds."""
    return one if (one[0], not one[1]) <= (other[0], not other[1]) else other


def _is_empty(low: tuple[float, bool], high: tuple[float, bool]) -> bool:
    return low[0] > high[0] or (low[0] == high[0] and (low[1] or high[1]))
