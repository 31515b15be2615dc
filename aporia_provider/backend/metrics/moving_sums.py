"""Sums of the states in a window that moves."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import isqrt

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.monitoring.states.state import State


class MovingTotal:
    """
    The sums of windows over states by bucket, each window at the place of the one before it or later.

    Least values and samples cannot be subtracted, so no state is ever taken off a sum. Instead, the window is
    divided at a place: of the states before it, the sums from each of them up to that place are computed at
    once, and those behind it are added one by one. A new place is chosen when the window has passed the old
    one. Every state takes part in four additions at most, whatever the length of the window. (This is a queue
    of two stacks.) The sums are those of :func:`~.stored_states.total` to the last
    bit, since additions of states are exact, commutative and associative.

    Of ``n`` sums, those at every ``sqrt(n)``-th state are kept, and those between two of them when they are
    asked for, so that the sums take less memory than the states.

    :param timed: The states, in the order of their buckets.
    """

    def __init__(self, timed: Sequence[tuple[int, State]]) -> None:
        self._buckets = [bucket for bucket, _ in timed]
        self._states = [state for _, state in timed]
        self._first = self._place = self._last = 0
        self._restart(0)

    def within(self, start: int, end: int) -> State | None:
        """
        The sum of the states in a window; None if there are none.

        :param start: First second.
        :param end: First second after it.
        """
        first, last = bisect_left(self._buckets, start), bisect_left(self._buckets, end)
        if first < self._first or last < self._last:
            self._restart(first)
        self._append(last)
        self._first = first
        if first > self._place:
            self._divide(last)
        return _added(self._up_to_place(first), self._behind)

    def _restart(self, first: int) -> None:
        self._first = self._place = self._last = first
        self._behind: State | None = None
        self._kept: dict[int, State | None] = {}
        self._step = 1
        self._block: dict[int, State | None] = {}

    def _append(self, last: int) -> None:
        for state in self._states[self._last : last]:
            self._behind = _added(self._behind, state)
        self._last = max(self._last, last)

    def _divide(self, place: int) -> None:
        """Divide the window at its end, and keep the sums from every so many states up to there."""
        self._place, self._behind, self._block = place, None, {}
        self._step = max(1, isqrt(place - self._first))
        self._kept = {place: None}
        found: State | None = None
        for at in reversed(range(self._first, place)):
            found = _added(self._states[at], found)
            if at % self._step == 0:
                self._kept[at] = found

    def _up_to_place(self, first: int) -> State | None:
        """The sum of the states from one of them up to the place where the window is divided."""
        if first >= self._place:
            return None
        if first not in self._block:
            next_kept = min(-(-(first + 1) // self._step) * self._step, self._place)
            found, self._block = self._kept[next_kept], {}
            for at in reversed(range(first, next_kept)):
                found = self._block[at] = _added(self._states[at], found)
        return self._block[first]


def _added(one: State | None, other: State | None) -> State | None:
    check_deadline()
    if one is None or other is None:
        return one if other is None else other
    return one + other
