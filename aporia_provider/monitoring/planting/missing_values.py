"""Shifts of missing values: values that become missing."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

from aporia_provider.monitoring.planting.proportions import taken, without
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState

_LEAST_SHARE = 0.05
_SUMS = ("negative_sum", "positive_sum", "squares", "below", "above")


def with_more_missing(state: State, size: float) -> State:
    """
    Return the state of rows after the values of some of them were removed.

    The share of missing values increases by ``size`` times itself, and to at least 0.05 times ``size``. Those
    that become missing have the distribution of all values, but for fields with categories, they are
    taken from the categories that have bins as long as there are any.

    :param state: State of a field.
    :param size: Multiple of the share that is added; 1 doubles it.
    """
    nulls = getattr(state, "nulls", 0)
    target = max(nulls * (1 + size), state.rows * _LEAST_SHARE * min(size, 1.0))
    more = min(round(target), state.rows) - nulls
    if more <= 0:
        return state
    if isinstance(state, NumericState):
        return _numbers(state, more)
    if isinstance(state, ValueState):
        return _values(state, more)
    field_names = {field.name for field in fields(state)}
    return replace(state, nulls=nulls + more) if "nulls" in field_names else state  # type: ignore[call-arg]


def _numbers(state: NumericState, more: int) -> NumericState:
    more = min(more, state.finite)
    share = Fraction(state.finite - more, state.finite) if state.finite else Fraction(1)
    changed: dict[str, Any] = {name: getattr(state, name) * share for name in _SUMS}
    if more == state.finite:
        changed |= {"least": None, "greatest": None}
    zeros = round(state.zeros * share)
    return replace(
        state, nulls=state.nulls + more, zeros=zeros, counts=without(state.counts, more), **changed
    )


def _values(state: ValueState, more: int) -> ValueState:
    names = list(state.known)
    gone = dict(zip(names, taken([state.known[name] for name in names], more), strict=True))
    others = min(more - sum(gone.values()), state.other_count)
    return replace(
        state,
        nulls=state.nulls + more,
        known={name: count - gone[name] for name, count in state.known.items() if count > gone[name]},
        other_count=state.other_count - others,
        length=max(state.length - sum(len(name) * count for name, count in gone.items()), 0),
    )
