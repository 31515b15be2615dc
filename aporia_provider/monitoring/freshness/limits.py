"""
Limits that a next value exceeds with a given probability, learned from past values.

From 99 past values on, the limit for a probability of 1 % is the order statistic of rank
``ceil(0.99 (n + 1))``, which the next of n + 1 exchangeable values exceeds with a probability of at most 1 %,
whatever their distribution (conformal prediction; Vovk, Gammerman and Shafer, 2005). With fewer, it is the
limit of Student's prediction interval. From 10 values on, values further from the median than five times
the normal-consistent median absolute deviation are left out, such as outages, unless they are more than a
tenth of all: then they are usual.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MIN_VALUES: Final = 3
"""Minimum number of past values from which a limit is computed."""
_MIN_WITHOUT_OUTLIERS = 10
_OUTLIER_DEVIATIONS = 5.0
_MAX_OUTLIERS = 0.1
_MAD_OF_NORMAL = 1.4826


def upper_limit(values: Floats, probability: float, min_spread: float) -> float | None:
    """
    Return a limit that the next value does not exceed with a given probability; None for fewer than
    :data:`MIN_VALUES` values.

    :param values: Past values, on a scale on which they are about normally distributed.
    :param probability: Probability that the next value is at most the limit.
    :param min_spread: Smallest standard deviation that is assumed, so that a next value that is only slightly
        different from equal past values does not exceed the limit.
    """
    if len(values) < MIN_VALUES:
        return None
    ranked = np.sort(values)
    return _above(ranked, probability, min_spread, _distribution(ranked, probability, min_spread))


def value_range(values: Floats, probability: float, min_spread: float) -> tuple[float, float] | None:
    """
    Return a lower and an upper limit, between which the next value is with a given probability.

    :param values: See :func:`upper_limit`, as for the other parameters.
    """
    if len(values) < MIN_VALUES:
        return None
    ranked, tail = np.sort(values), (1 + probability) / 2
    mean, margin = _distribution(ranked, tail, min_spread)
    low = _above(-ranked[::-1], tail, min_spread, (-mean, margin))
    return -low, _above(ranked, tail, min_spread, (mean, margin))


def _above(ranked: Floats, probability: float, min_spread: float, distribution: tuple[float, float]) -> float:
    """Return the upper limit of sorted values."""
    rank = math.ceil(probability * (len(ranked) + 1) - 1e-9)
    mean, margin = distribution
    limit = float(ranked[rank - 1]) if rank <= len(ranked) else mean + margin
    return max(limit, _median(ranked) + _normal_quantile(probability) * min_spread)


def _distribution(ranked: Floats, probability: float, min_spread: float) -> tuple[float, float]:
    """Return the center of Student's prediction interval for sorted values, and its distance to a limit."""
    kept = _without_outliers(ranked, min_spread)
    mean = float(kept.sum()) / len(kept)
    deviations = kept - mean
    spread = max(math.sqrt(float(deviations @ deviations) / (len(kept) - 1)), min_spread)
    factor = student_quantile(probability, len(kept) - 1) * math.sqrt(1 + 1 / len(kept))
    return mean, factor * spread


def _without_outliers(ranked: Floats, min_spread: float) -> Floats:
    if len(ranked) < _MIN_WITHOUT_OUTLIERS:
        return ranked
    deviations = np.abs(ranked - _median(ranked))
    scale = max(_MAD_OF_NORMAL * _median(np.sort(deviations)), min_spread)
    is_kept = deviations <= _OUTLIER_DEVIATIONS * scale
    return ranked[is_kept] if is_kept.sum() >= (1 - _MAX_OUTLIERS) * len(ranked) else ranked


def _median(ranked: Floats) -> float:
    count = len(ranked)
    return float(ranked[(count - 1) // 2] + ranked[count // 2]) / 2


@lru_cache(256)
def _normal_quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)


@lru_cache(4096)
def student_quantile(probability: float, degrees: float) -> float:
    """
    Return a quantile above the median of Student's t distribution (Hill, 1970, algorithm 396).

    :param probability: Probability of values up to the quantile, above 0.5.
    :param degrees: Degrees of freedom, at least 1.
    """
    both_tails = 2 * (1 - probability)
    if degrees < 2:
        return math.tan(math.pi / 2 * (1 - both_tails))
    if degrees == 2:
        return math.sqrt(2 / (both_tails * (2 - both_tails)) - 2)
    a = 1 / (degrees - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * degrees
    y = (d * both_tails) ** (2 / degrees)
    near_normal = y > 0.05 + a
    squared = _near_normal(both_tails, degrees, a, b, c, d) if near_normal else _in_tail(y, degrees, d)
    return math.sqrt(degrees * squared)


def _near_normal(both_tails: float, degrees: float, a: float, b: float, c: float, d: float) -> float:
    x = NormalDist().inv_cdf(both_tails / 2)
    y = x * x
    if degrees < 5:
        c += 0.3 * (degrees - 4.5) * (x + 0.6)
    c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
    return math.expm1(a * y * y)


def _in_tail(y: float, degrees: float, d: float) -> float:
    first = 1 / (((degrees + 6) / (degrees * y) - 0.089 * d - 0.822) * (degrees + 2) * 3)
    return ((first + 0.5 / (degrees + 4)) * y - 1) * (degrees + 1) / (degrees + 2) + 1 / y
