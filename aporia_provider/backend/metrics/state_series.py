"""States in the order of time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.metrics.moving_sums import MovingSum
from aporia_provider.backend.store.buckets import Range
from aporia_provider.backend.store.state_sums import SPANS, is_within
from aporia_provider.monitoring.states.state import State

States = list[tuple[int | None, State]]

_AT_ONCE = 32


class Series:
    """
    States of a field of a dataset, or sums of them.

    :param states: States in the order of their buckets; the position of the state without a bucket does not
        matter. The bucket of a sum is its first one.
    :param last: The last bucket of each of them. Default: the first one.
    """

    def __init__(self, states: States, last: Sequence[int | None] | None = None) -> None:
        self.states = states
        self._last = [bucket for bucket, _ in states] if last is None else last
        self._timed = [(bucket, state) for bucket, state in states if bucket is not None]
        self._buckets = [bucket for bucket, _ in self._timed]

    @property
    def extent(self) -> Range:
        """
        Return the range from the start of the first bucket to one second after the start of the last.

        The range is unbounded if there are no buckets.
        """
        last = [bucket for bucket in self._last if bucket is not None]
        return (self._buckets[0], max(last) + 1) if self._buckets else (None, None)

    @cached_property
    def moving(self) -> MovingSum:
        """Return an object that computes sums over moving windows."""
        return MovingSum(self._timed)

    def within(self, part: Range) -> States:
        """
        Return the states in a range; all states, including those without a bucket, if the range is unbounded.

        The range must not begin or end within a sum.
        """
        start, end = part
        if start is None or end is None:
            return self.states
        return [*self._timed[bisect_left(self._buckets, start) : bisect_left(self._buckets, end)]]

    def total(self, part: Range) -> Any:
        """Return the sum of the states in a range, see :meth:`within`; None if there are none."""
        states = self.within(part)
        return states[0][1] if len(states) == 1 else total(state for _, state in states)

    def part(self, part: Range) -> Series | None:
        """Return the states in a range; None if it begins or ends within a sum."""
        ends = zip(self.states, self._last, strict=True)
        inside = [(is_within(item[0], *part), is_within(last, *part)) for item, last in ends]
        if any(begins != ends for begins, ends in inside):
            return None
        chosen = [place for place, (begins, _) in enumerate(inside) if begins]
        return Series([self.states[place] for place in chosen], [self._last[place] for place in chosen])


@dataclass(frozen=True)
class StatesSummary:
    """
    Summary of stored states, known before they are read.

    :param extent: See :attr:`Series.extent`.
    :param states: Number of the states and sums that are read.
    """

    extent: Range = (None, None)
    states: int = 0


@dataclass(frozen=True)
class StatesKey:
    """
    Identification of the states that are read.

    :param role: Role of the dataset.
    :param field: Key of the field.
    :param within: Range of time.
    :param spans: Spans of time whose sums may be read instead of their states.
    """

    role: str
    field: str
    within: Range
    spans: tuple[str, ...] = SPANS


def total(states: Iterable[State]) -> Any:
    """Return the sum of states; None if there are none."""
    sum_: State | None = None
    remaining = iter(states)
    while chunk := list(islice(remaining, _AT_ONCE)):
        check_deadline()
        summands = chunk if sum_ is None else [sum_, *chunk]
        sum_ = type(summands[0]).sum(summands)
    return sum_
