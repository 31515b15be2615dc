"""Intervals of three standard errors for proportions and counts that are estimated from samples."""

from __future__ import annotations

import math
from collections.abc import Callable

from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.proportions import wilson

_Z = 3.0
_TAIL = (
    math.erfc(_Z / math.sqrt(2)) / 2
)  # The probability that a normal variable exceeds its mean by more than three standard deviations.
_ENOUGH = 10.0
_STEPS = 60


def normal(mean: float, deviation: float) -> Interval:
    """Return the interval of a number with a normally distributed error."""
    return Interval(mean, mean - _Z * deviation, mean + _Z * deviation)


def interval(share: float, size: float) -> Interval:
    """
    Return the interval of a proportion.

    It is Wilson's score interval (J. Amer. Statist. Assoc. 22, 1927) if the sample has at least ten values
    that are counted in the proportion and at least ten that are not. Otherwise it follows from Chernoff's
    bound (Hoeffding, J. Amer. Statist. Assoc. 58, 1963, theorem 1), which is valid for any size, and exact
    for a proportion of 0 or 1.

    :param share: Proportion in a sample.
    :param size: Effective size of the sample.
    """
    if size * min(share, 1 - share) >= _ENOUGH:
        return wilson(share, size, _Z)
    most = -math.log(_TAIL) / size
    low = _limit(lambda limit: _divergence(share, limit) > most, 0.0, share)
    high = 1 - _limit(lambda limit: _divergence(1 - share, limit) > most, 0.0, 1 - share)
    return Interval(share, low, max(share, high))


def greatest_count(mean: float) -> float:
    """Return the upper limit, at three standard errors, of a Poisson variable with at most this mean."""
    return mean + _Z * _Z / 2 + _Z * math.sqrt(mean + _Z * _Z / 4)


def _limit(excluded: Callable[[float], bool], low: float, high: float) -> float:
    """Return, by bisection, the largest number for which it and all smaller ones are excluded."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if excluded(middle) else (low, middle)
    return low


def _divergence(share: float, limit: float) -> float:
    """Return the relative entropy of two Bernoulli distributions; ``limit`` is between 0 and ``share``."""
    if limit <= 0:
        return math.inf if share else 0.0
    first_term = share * math.log(share / limit) if share else 0.0
    return first_term + ((1 - share) * math.log((1 - share) / (1 - limit)) if share < 1 else 0.0)
