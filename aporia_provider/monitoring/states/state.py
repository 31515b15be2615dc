"""
Additive states, from which metrics are computed without the rows.

A state has attributes with a rule for their addition. Addition is exact, commutative and associative, so
states do not depend on the order or the partitioning of the rows, not even in the last bit.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any, ClassVar, Generic, Self, TypeVar

from aporia_provider.monitoring.states.packed_numbers import (
    pack_fraction,
    pack_integer,
    pack_integers,
    unpack_fraction,
    unpack_integer,
    unpack_integers,
    unpack_ratio,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Rule(Generic[T]):
    """
    Rule for an attribute of a state.

    :param zero: Function that returns the value for no rows.
    :param add: Function that returns the sum of two values.
    :param dump: Function that returns the JSON form of a value.
    :param load: Function that returns the value of a JSON form.
    :param pack: Function that returns the compact form of a value, which MessagePack can hold. Default: the
        JSON form.
    :param unpack: Function that returns the value of a compact form.
    :param total: Function that returns the sum of at least one value. Default: repeated addition.
    """

    zero: Callable[[], T]
    add: Callable[[T, T], T]
    dump: Callable[[T], Any] = lambda value: value
    load: Callable[[Any], T] = lambda value: value
    pack: Callable[[T], Any] | None = None
    unpack: Callable[[Any], T] | None = None
    total: Callable[[Sequence[T]], T] | None = None

    def packed(self, value: T) -> Any:
        """Return the compact form of a value."""
        return (self.pack or self.dump)(value)

    def unpacked(self, packed: Any) -> T:
        """Return the value of a compact form."""
        return (self.unpack or self.load)(packed)

    def sum(self, values: Sequence[T]) -> T:
        """Return the sum of at least one value."""
        return self.total(values) if self.total else reduce(self.add, values)


def part(rule: Rule[T]) -> Any:
    """Return a dataclass field that is added by a rule; its default is the value for no rows."""
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


def total_counts(values: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """
    Return the sums of counts of the same bins.

    :param values: Counts of the bins; empty where nothing was counted.
    """
    counted = [counts for counts in values if counts]
    lengths = sorted({len(counts) for counts in counted})
    if len(lengths) > 1:
        raise ValueError(f"Counts of {lengths[0]} and of {lengths[1]} bins cannot be added")
    return tuple(map(sum, zip(*counted, strict=True)))


def total_fractions(values: Sequence[Fraction]) -> Fraction:
    """Return the sum of fractions, with one reduction to lowest terms."""
    denominator = math.lcm(*{value.denominator for value in values})
    return Fraction(
        sum(value.numerator * (denominator // value.denominator) for value in values), denominator
    )


def total_sums(values: Iterable[Sequence[Fraction]]) -> tuple[Fraction, ...]:
    """Return the sums of sequences of one length; an empty sequence counts as zeros."""
    return tuple(map(total_fractions, zip(*(sums for sums in values if sums), strict=True)))


def _add_tallies(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {**one, **{key: one.get(key, 0) + count for key, count in other.items()}}


def _total_tallies(tallies: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for tally in tallies:
        for key, count in tally.items():
            total[key] = total.get(key, 0) + count
    return total


def _in_order(tally: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(tally.items()))


TOTAL: Rule[int] = Rule(int, operator.add, pack=pack_integer, unpack=unpack_integer, total=sum)
"""An integer."""
SUM: Rule[Fraction] = Rule(
    Fraction, operator.add, str, Fraction, pack_fraction, unpack_fraction, total_fractions
)
"""An exact sum of floats (see :mod:`aporia_provider.monitoring.states.exact_sums`)."""
LEAST: Rule[Any] = Rule(lambda: None, _choose(min))
"""Minimum; None if there are no values."""
GREATEST: Rule[Any] = Rule(lambda: None, _choose(max))
"""Maximum; None if there are no values."""
COUNTS: Rule[tuple[int, ...]] = Rule(
    tuple, _add_counts, list, tuple, pack_integers, unpack_integers, total_counts
)
"""Counts of bins in order; empty if nothing was counted."""
TALLY: Rule[dict[str, int]] = Rule(dict, _add_tallies, _in_order, dict, total=_total_tallies)
"""Counts by string."""


_RULES: dict[type[State], dict[str, Rule[Any]]] = {}
_SMALL = (TOTAL, LEAST, GREATEST)
_SMALL_ZEROS: dict[type[State], dict[str, Any]] = {}
_PACKED = "_packed"
"""Key of the compact form in the attributes of a state that was made from it."""


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

    def __getattr__(self, name: str) -> Any:
        """Return an attribute that has not been read yet, see :meth:`from_packed`."""
        packed, rule = self.__dict__.get(_PACKED), _rules(type(self)).get(name)
        if packed is None or rule is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        value = rule.unpacked(packed[name]) if name in packed else rule.zero()
        self.__dict__[name] = value
        return value

    def ratio(self, name: str) -> tuple[int, int]:
        """
        Return a sum of floats as numerator and denominator.

        They are read from the compact form, since making a fraction takes several times as long.

        :param name: Name of an attribute with the rule :data:`SUM`.
        """
        packed = self.__dict__.get(_PACKED)
        if packed is None:
            ratio: tuple[int, int] = getattr(self, name).as_integer_ratio()
            return ratio
        return unpack_ratio(packed[name]) if name in packed else (0, 1)

    def __add__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        rules = _rules(type(self)).items()
        return type(self)(
            **{name: rule.add(getattr(self, name), getattr(other, name)) for name, rule in rules}
        )

    @classmethod
    def sum(cls, states: Sequence[Self]) -> Self:
        """
        Return the sum of at least one state, in less time than repeated addition.

        :param states: States of one kind.
        """
        class_ = type(states[0])
        if len(states) == 1:
            return states[0]
        if any(type(state) is not class_ for state in states):
            raise TypeError("States of different kinds cannot be added")
        rules = _rules(class_).items()
        return class_(**{name: rule.sum([getattr(state, name) for state in states]) for name, rule in rules})

    def settled(self) -> Self:
        """Return the state of a whole bucket, without data that is only needed to add rows."""
        return self

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form for the database, without attributes that equal their value for no rows."""
        rules = _rules(type(self))
        values = {name: getattr(self, name) for name in rules}
        stored = {name: value for name, value in values.items() if value != rules[name].zero()}
        return {"kind": self.kind, **{name: rules[name].dump(value) for name, value in stored.items()}}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the state from the result of :meth:`to_json`."""
        rules = _rules(cls)
        return cls(**{name: rules[name].load(value) for name, value in stored.items() if name != "kind"})

    def to_packed(self) -> dict[str, Any]:
        """
        Return the compact form, without attributes that equal their value for no rows.

        It consists of what MessagePack has: integers of 64 bits, floats, text, bytes, lists and maps.
        """
        if _PACKED in self.__dict__:
            return dict(self.__dict__[_PACKED])
        rules = _rules(type(self))
        values = {name: getattr(self, name) for name in rules}
        stored = {name: value for name, value in values.items() if value != rules[name].zero()}
        return {"kind": self.kind, **{name: rules[name].packed(value) for name, value in stored.items()}}

    @classmethod
    def from_packed(cls, packed: Mapping[str, Any]) -> Self:
        """
        Return the state from the result of :meth:`to_packed`.

        Its attributes are read when they are used, since most metrics need few of them.
        """
        state = object.__new__(cls)
        attributes = state.__dict__
        attributes[_PACKED] = packed
        zeros = _small_zeros(cls)
        attributes.update(zeros)
        for name, value in packed.items():
            if name not in zeros:
                continue
            if type(value) is bytes:
                del attributes[name]
            else:
                attributes[name] = value
        return state


def _rules(cls: type[State]) -> dict[str, Rule[Any]]:
    if cls not in _RULES:
        _RULES[cls] = {item.name: item.metadata["rule"] for item in dataclasses.fields(cls)}
    return _RULES[cls]


def _small_zeros(cls: type[State]) -> Mapping[str, Any]:
    """Return the attributes whose compact form is their value or bytes, with their values for no rows."""
    if cls not in _SMALL_ZEROS:
        rules = _rules(cls).items()
        _SMALL_ZEROS[cls] = {name: rule.zero() for name, rule in rules if rule in _SMALL}
    return _SMALL_ZEROS[cls]


def read_state(stored: Mapping[str, Any]) -> State:
    """Return a state of any kind from its JSON form."""
    return State._kinds[stored["kind"]].from_json(stored)


def unpack_state(packed: Mapping[str, Any]) -> State:
    """Return a state of any kind from its compact form."""
    return State._kinds[packed["kind"]].from_packed(packed)


def nested(cls: type[State]) -> Rule[Any]:
    """Return the rule for an attribute that is itself a state."""
    return Rule(
        cls,
        operator.add,
        lambda state: state.to_json(),
        cls.from_json,
        lambda state: state.to_packed(),
        cls.from_packed,
        cls.sum,
    )
