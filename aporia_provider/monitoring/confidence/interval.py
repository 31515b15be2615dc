"""A number with a lower and an upper bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Interval:
    """
    A number with a lower and an upper bound.

    :param value: Estimate.
    :param low: Lower bound.
    :param high: Upper bound.
    :param limits: Least and greatest possible number, which :meth:`widened` does not exceed.
    """

    value: float
    low: float
    high: float
    limits: tuple[float, float] = field(default=(-math.inf, math.inf), compare=False)

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.value + other.value, self.low + other.low, self.high + other.high)

    def __mul__(self, factor: float) -> Interval:
        return Interval(self.value * factor, self.low * factor, self.high * factor)

    def with_errors(self, *others: Interval) -> Interval:
        """
        Return the interval widened by the errors of other intervals of the same number.

        The squares of independent errors add up (Zou and Donner, *Construction of confidence limits about
        effect measures*, Stat. Med. 27, 2008).

        :param others: Intervals of the same number, with independent errors.
        """
        every = (self, *others)
        below, above = (
            math.hypot(*errors)
            for errors in zip(*((one.value - one.low, one.high - one.value) for one in every), strict=True)
        )
        return Interval(self.value, self.value - below, self.value + above)

    def within(self, least: float, greatest: float = math.inf) -> Interval:
        """Return the interval of a number that is not beyond these limits."""
        return Interval(self.value, self.low, self.high, (least, greatest)).widened(0.0)

    def widened(self, bound: float) -> Interval:
        """Return the interval widened on both sides, within its limits."""
        low, high = self.ends(bound)
        return Interval(self.value, low, high, self.limits)

    def ends(self, bound: float) -> tuple[float, float]:
        """Return the bounds of the widened interval, see :meth:`widened`."""
        least, greatest = self.limits
        low, high = min(self.low, self.value) - bound, max(self.high, self.value) + bound
        return min(max(low, least), greatest), min(max(high, least), greatest)

    def mapped(self, function: Callable[[float], float]) -> Interval:
        """Return the interval of an increasing function of the number."""
        return Interval(function(self.value), function(self.low), function(self.high))


def exactly(number: float) -> Interval:
    """Return the interval of an exact number."""
    return Interval(number, number, number)


def mean_of(intervals: Sequence[Interval]) -> Interval:
    """Return the interval of a mean of numbers with independent errors (:meth:`Interval.with_errors`)."""
    share = 1 / len(intervals)
    mean = sum(one.value for one in intervals) * share
    shifted = [
        Interval(mean, mean - (one.value - one.low) * share, mean + (one.high - one.value) * share)
        for one in intervals
    ]
    return shifted[0].with_errors(*shifted[1:])
