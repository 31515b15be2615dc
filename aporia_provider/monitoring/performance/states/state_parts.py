"""Attributes of performance states: settings that must be equal, sparse histograms, sums, values by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.states.exact_sums import exact_sum
from aporia_provider.monitoring.states.packed_numbers import (
    pack_fractions,
    pack_integers,
    unpack_fractions,
    unpack_integers,
)
from aporia_provider.monitoring.states.state import COUNTS, SUM, Rule, total_counts, total_sums

T = TypeVar("T")


def _agreed(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    if one and other and one != other:
        problems = [f"{key}: {one.get(key)!r} and {other.get(key)!r}" for key in sorted({*one, *other})]
        raise ValidationError("States made with different options cannot be added", problems=problems)
    return dict(one or other)


def _pack(counts: Sequence[int]) -> list[int]:
    packed: list[int] = []
    end = 0
    for index in np.flatnonzero(np.asarray(counts)).tolist():
        if index > end:
            packed.append(end - index)
        packed.append(counts[index])
        end = index + 1
    if end < len(counts):
        packed.append(end - len(counts))
    return packed


def _unpack(packed: Sequence[int]) -> tuple[int, ...]:
    counts: list[int] = []
    for item in packed:
        if item > 0:
            counts.append(item)
        else:
            counts += [0] * -item
    return tuple(counts)


def _add_sums(one: Sequence[Fraction], other: Sequence[Fraction]) -> tuple[Fraction, ...]:
    if not one or not other:
        return tuple(one or other)
    return tuple(left + right for left, right in zip(one, other, strict=True))


SETTINGS: Rule[dict[str, Any]] = Rule(dict, _agreed, dict, dict)
"""Settings of a state. Adding states with different settings raises a ``ValidationError``."""
HISTOGRAM: Rule[tuple[int, ...]] = Rule(
    tuple, COUNTS.add, _pack, _unpack, pack_integers, unpack_integers, total_counts
)
"""Counts of many bins, most of them empty: in JSON, ``-n`` represents ``n`` empty bins."""
EDGES: Rule[dict[int, float]] = Rule(
    dict,
    lambda one, other: {**one, **other},
    lambda edges: [item for place in sorted(edges) for item in (place, edges[place])],
    lambda stored: dict(zip(stored[::2], map(float, stored[1::2]), strict=True)),
)
"""Some of the edges of the bins, by index."""
SUMS: Rule[tuple[Fraction, ...]] = Rule(
    tuple,
    _add_sums,
    lambda sums: list(map(str, sums)),
    lambda texts: tuple(map(Fraction, texts)),
    pack_fractions,
    unpack_fractions,
    total_sums,
)
"""Exact sums in order; empty if nothing was added."""


def by_name(rule: Rule[T]) -> Rule[dict[str, T]]:
    """Return the rule for a dict, sorted by name, of values that each have the given rule."""

    def add(one: Mapping[str, T], other: Mapping[str, T]) -> dict[str, T]:
        added = dict(one)
        for name, value in other.items():
            added[name] = rule.add(added[name], value) if name in added else value
        return dict(sorted(added.items()))

    return Rule(
        dict,
        add,
        lambda parts: {name: rule.dump(value) for name, value in parts.items()},
        lambda stored: {name: rule.load(value) for name, value in stored.items()},
        lambda parts: {name: rule.packed(value) for name, value in parts.items()},
        lambda stored: {name: rule.unpacked(value) for name, value in stored.items()},
    )


def _without_zeros(sums: Mapping[str, Fraction]) -> dict[str, Fraction]:
    return {name: total for name, total in sorted(sums.items()) if total}


_NAMED_SUMS = by_name(SUM)
NAMED_SUMS = replace(_NAMED_SUMS, add=lambda one, other: _without_zeros(_NAMED_SUMS.add(one, other)))
"""Exact sums by name, without those that are zero."""


def at_most(rule: Rule[T], most: Callable[[T], bool]) -> Rule[T | None]:
    """
    Return the rule for values that become None, permanently, once they exceed a limit.

    :param rule: Rule of the values within the limit.
    :param most: Function that returns whether a value is within the limit. Must be monotone: once exceeded,
        always exceeded.
    """

    def add(one: T | None, other: T | None) -> T | None:
        if one is None or other is None:
            return None
        added = rule.add(one, other)
        return added if most(added) else None

    return Rule(
        rule.zero,
        add,
        lambda part: None if part is None else rule.dump(part),
        lambda stored: None if stored is None else rule.load(stored),
        lambda part: None if part is None else rule.packed(part),
        lambda stored: None if stored is None else rule.unpacked(stored),
    )


def nothing_if_zero(values: Sequence[T]) -> tuple[T, ...]:
    """Return values as a tuple; empty if all are zero, so that equal states have the same JSON form."""
    return tuple(values) if any(values) else ()


def named_sums(**values: NDArray[np.float64]) -> dict[str, Fraction]:
    """Return the exact sums of finite values by name, without those that are zero."""
    return _without_zeros({name: exact_sum(column) for name, column in values.items()})
