"""
Additive states, from which metrics are computed without the rows.

A state has attributes with a rule for their addition. Addition is exact, commutative and associative, so
states do not depend on the order or the partitioning of the rows, not even in the last bit.
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
    Rule for an attribute of a state.

    :param zero: Function that returns the value for no rows.
    :param add: Function that returns the sum of two values.
    :param dump: Function that returns the JSON form of a value.
    :param load: Function that returns the value of a JSON form.
    """

    zero: Callable[[], T]
    add: Callable[[T, T], T]
    dump: Callable[[T], Any] = lambda value: value
    load: Callable[[Any], T] = lambda value: value


def part(rule: Rule[T]) -> Any:
    """Return the dataclass field of an attribute with a rule, whose default is the value for no rows."""
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
"""An integer."""
SUM: Rule[Fraction] = Rule(Fraction, operator.add, str, Fraction)
"""An exact sum of floats (see :mod:`aporia_provider.monitoring.states.exact_sums`)."""
LEAST: Rule[Any] = Rule(lambda: None, _choose(min))
"""Minimum; None if there are no values."""
GREATEST: Rule[Any] = Rule(lambda: None, _choose(max))
"""Maximum; None if there are no values."""
COUNTS: Rule[tuple[int, ...]] = Rule(tuple, _add_counts, list, tuple)
"""Counts of bins in order; empty if nothing was counted."""
TALLY: Rule[dict[str, int]] = Rule(dict, _add_tallies, _in_order, dict)
"""Counts by string."""


_RULES: dict[type[State], dict[str, Rule[Any]]] = {}


@dataclass(frozen=True)
class State:
    """
    Base class of the states: a frozen dataclass whose fields are created by :func:`part`.

    Calling the class without arguments returns the state of no rows. Every state counts its rows.
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
        """Return the state of a whole bucket, without data that is only needed to add rows."""
        return self

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form for the database, without attributes that equal their value for no rows."""
        rules = _rules(type(self))
        values = {name: getattr(self, name) for name in rules}
        given = {name: value for name, value in values.items() if value != rules[name].zero()}
        return {"kind": self.kind, **{name: rules[name].dump(value) for name, value in given.items()}}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the state from the result of :meth:`to_json`."""
        rules = _rules(cls)
        return cls(**{name: rules[name].load(value) for name, value in stored.items() if name != "kind"})


def _rules(cls: type[State]) -> dict[str, Rule[Any]]:
    if cls not in _RULES:
        _RULES[cls] = {item.name: item.metadata["rule"] for item in dataclasses.fields(cls)}
    return _RULES[cls]


def read_state(stored: Mapping[str, Any]) -> State:
    """Return a state of any kind from its JSON form."""
    return State._kinds[stored["kind"]].from_json(stored)


def nested(cls: type[State]) -> Rule[Any]:
    """Return the rule of an attribute that is a state."""
    return Rule(cls, operator.add, lambda state: state.to_json(), cls.from_json)
