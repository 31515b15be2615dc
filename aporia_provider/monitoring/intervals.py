"""Intervals for shares and counts that are estimated from samples, at three standard errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

_Z = 3.0
_TAIL = (
    math.erfc(_Z / math.sqrt(2)) / 2
)  # The probability that a normal variable is above its mean by more than three deviations.
_ENOUGH = 10.0
_STEPS = 60


@dataclass(frozen=True)
class Interval:
    """
    A number that is known to lie between two others.

    :param value: The best estimate.
    :param low: The least it can be.
    :param high: The greatest it can be.
    """

    value: float
    low: float
    high: float

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.value + other.value, self.low + other.low, self.high + other.high)

    def __mul__(self, factor: float) -> Interval:
        return Interval(self.value * factor, self.low * factor, self.high * factor)

    def with_errors(self, *others: Interval) -> Interval:
        """
        The interval of the same number with further errors.

        Independent errors add up as their squares do (Zou and Donner, *Construction of confidence limits
        about effect measures*, Stat. Med. 27, 2008).

        :param others: Intervals of the same number, each with an error of its own.
        """
        every = (self, *others)
        below, above = (
            math.hypot(*errors)
            for errors in zip(*((one.value - one.low, one.high - one.value) for one in every), strict=True)
        )
        return Interval(self.value, self.value - below, self.value + above)


def exactly(number: float) -> Interval:
    """A number that is known."""
    return Interval(number, number, number)


def normal(mean: float, deviation: float) -> Interval:
    """The interval for a number whose error is normal."""
    return Interval(mean, mean - _Z * deviation, mean + _Z * deviation)


def interval(share: float, size: float) -> Interval:
    """
    The interval for a share.

    Wilson's score interval (J. Amer. Statist. Assoc. 22, 1927) where ten or more are of the kind, and ten or
    more are not. Elsewhere the one that Chernoff's bound gives (Hoeffding, J. Amer. Statist. Assoc. 58, 1963,
    theorem 1), which holds for any size, and is exact for a share of 0 or 1.

    :param share: The share in a sample.
    :param size: How many independent values the sample is worth.
    """
    if size * min(share, 1 - share) >= _ENOUGH:
        return _wilson(share, size)
    most = -math.log(_TAIL) / size
    low = _limit(lambda limit: _divergence(share, limit) > most, 0.0, share)
    high = 1 - _limit(lambda limit: _divergence(1 - share, limit) > most, 0.0, 1 - share)
    return Interval(share, low, max(share, high))


def greatest_count(mean: float) -> float:
    """The greatest count, within three standard errors, of a Poisson variable with a mean of at most this."""
    return mean + _Z * _Z / 2 + _Z * math.sqrt(mean + _Z * _Z / 4)


def _wilson(share: float, size: float) -> Interval:
    weight = _Z * _Z / size
    centre = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight * weight / 4) / (1 + weight)
    return Interval(share, centre - half, centre + half)


def _limit(excluded: Callable[[float], bool], low: float, high: float) -> float:
    """The greatest number up to which all are excluded, by bisection."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if excluded(middle) else (low, middle)
    return low


def _divergence(share: float, limit: float) -> float:
    """The relative entropy of two Bernoulli distributions; the second share is between 0 and the first."""
    if limit <= 0:
        return math.inf if share else 0.0
    found = share * math.log(share / limit) if share else 0.0
    return found + ((1 - share) * math.log((1 - share) / (1 - limit)) if share < 1 else 0.0)
