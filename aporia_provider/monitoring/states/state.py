"""
Additive states: what is kept of rows, so that metrics can be computed without them.

A state is made of parts, and every part knows how two of its kind are added. Adding is exact, commutative and
associative, so the order in which rows come and the way they are split leave no trace, not in the last bit.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Generic, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Rule(Generic[T]):
    """
    How a part of a state behaves.

    :param zero: Makes the part of no rows at all.
    :param add: Adds two.
    :param dump: Writes one as JSON has it.
    :param load: Reads it back.
    """

    zero: Callable[[], T]
    add: Callable[[T, T], T]
    dump: Callable[[T], Any] = lambda value: value
    load: Callable[[Any], T] = lambda value: value


def part(rule: Rule[T]) -> Any:
    """A part of a state, nothing at first."""
    return dataclasses.field(default_factory=rule.zero, metadata={"rule": rule})


def _choose(better: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def choose(one: Any, other: Any) -> Any:
        if one is None or other is None:
            return one if other is None else other
        return better(one, other)

    return choose


def _add_counts(one: Sequence[int], other: Sequence[int]) -> tuple[int, ...]:
    if not one or not other:
        return tuple(one or other)
    if len(one) != len(other):
        raise ValueError(f"Counts of {len(one)} and of {len(other)} bins cannot be added")
    return tuple(map(operator.add, one, other))


def _add_tallies(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {**one, **{key: one.get(key, 0) + count for key, count in other.items()}}


def _in_order(tally: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(tally.items()))


TOTAL: Rule[int] = Rule(int, operator.add)
"""A whole number."""
SUM: Rule[Fraction] = Rule(Fraction, operator.add, str, Fraction)
"""A sum of floats, exact (see :mod:`aporia_provider.monitoring.states.exact_sums`)."""
LEAST: Rule[Any] = Rule(lambda: None, _choose(min))
"""The least value, ``None`` if there was none."""
GREATEST: Rule[Any] = Rule(lambda: None, _choose(max))
"""The greatest value, ``None`` if there was none."""
COUNTS: Rule[tuple[int, ...]] = Rule(tuple, _add_counts, list, tuple)
"""Counts of bins, in their order; empty if there was nothing to count."""
TALLY: Rule[dict[str, int]] = Rule(dict, _add_tallies, _in_order, dict)
"""Counts by text."""


_RULES: dict[type[State], dict[str, Rule[Any]]] = {}


@dataclass(frozen=True)
class State:
    """
    Base of the states: a frozen data class whose fields are all made with :func:`part`.

    The state of no rows is the class called without arguments. Every state counts its rows.
    """

    kind: ClassVar[str]
    rows: int
    _kinds: ClassVar[dict[str, type[State]]] = {}

    def __init_subclass__(cls) -> None:
        if "kind" in vars(cls):
            State._kinds[cls.kind] = cls

    def __add__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        one, another = vars(self), vars(other)
        return type(self)(
            **{name: rule.add(one[name], another[name]) for name, rule in _rules(type(self)).items()}
        )

    def settled(self) -> Self:
        """The state of a whole bucket, without what is of use only as long as rows are added."""
        return self

    def to_json(self) -> dict[str, Any]:
        """What the database keeps. Parts that are nothing are left out."""
        rules = _rules(type(self))
        values = {name: getattr(self, name) for name in rules}
        given = {name: value for name, value in values.items() if value != rules[name].zero()}
        return {"kind": self.kind, **{name: rules[name].dump(value) for name, value in given.items()}}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        rules = _rules(cls)
        return cls(**{name: rules[name].load(value) for name, value in stored.items() if name != "kind"})


def _rules(cls: type[State]) -> dict[str, Rule[Any]]:
    if cls not in _RULES:
        _RULES[cls] = {item.name: item.metadata["rule"] for item in dataclasses.fields(cls)}
    return _RULES[cls]


def read_state(stored: Mapping[str, Any]) -> State:
    """Read a state of whatever kind."""
    return State._kinds[stored["kind"]].from_json(stored)


def nested(cls: type[State]) -> Rule[Any]:
    """A part that is a state itself."""
    return Rule(cls, operator.add, lambda state: state.to_json(), cls.from_json)
