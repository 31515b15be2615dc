"""Sums of states over a moving window."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import isqrt

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.monitoring.states.state import State


class MovingSum:
    """
    Sums of states over a moving window.

    Minima and samples cannot be subtracted, so states are never removed from a sum. Instead, the window is
    divided at a position. For each state before the position, the sum from the state up to the position is
    precomputed; states after it are added to a running sum. When the window's start passes the position, the
    window is divided again, at its end. Each state is added at most four times, regardless of the length
    of the window. (This is a queue made of two stacks.) The sums are identical to the sums of
    :func:`~.state_series.total` to the last bit, since additions of states are exact, commutative and
    associative.

    Of ``n`` precomputed sums, every ``sqrt(n)``-th is stored and the others are computed on demand, so that
    the sums take less memory than the states. Windows should move forward: after a window that starts or ends
    before the previous one, the sums are computed from the beginning.

    :param timed: States in the order of their buckets.
    """

    def __init__(self, timed: Sequence[tuple[int, State]]) -> None:
        self._buckets = [bucket for bucket, _ in timed]
        self._states = [state for _, state in timed]
        self._first = self._place = self._last = 0
        self._restart(0)

    def within(self, start: int, end: int) -> State | None:
        """
        Return the sum of the states in a window; None if there are none.

        :param start: Start in seconds since 1970.
        :param end: End in seconds since 1970, exclusive.
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

    def _divide(self, end: int) -> None:
        """Divide the window at its end, and store the sums of the states up to there at regular intervals."""
        self._place, self._behind, self._block = end, None, {}
        self._step = max(1, isqrt(end - self._first))
        self._kept = {end: None}
        sum_: State | None = None
        for index in reversed(range(self._first, end)):
            sum_ = _added(self._states[index], sum_)
            if index % self._step == 0:
                self._kept[index] = sum_

    def _up_to_place(self, first: int) -> State | None:
        """Return the sum of the states from one index up to the position where the window is divided."""
        if first >= self._place:
            return None
        if first not in self._block:
            next_kept = min(-(-(first + 1) // self._step) * self._step, self._place)
            sum_, self._block = self._kept[next_kept], {}
            for index in reversed(range(first, next_kept)):
                sum_ = self._block[index] = _added(self._states[index], sum_)
        return self._block[first]


def _added(one: State | None, other: State | None) -> State | None:
    check_deadline()
    if one is None or other is None:
        return one if other is None else other
    return one + other
