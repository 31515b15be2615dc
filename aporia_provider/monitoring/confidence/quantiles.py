"""Two-sided quantiles of the normal distribution and of Student's t."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Final

CONFIDENCE: Final = 0.95
"""Default probability that an interval contains the number."""


@lru_cache(64)
def normal_quantile(confidence: float) -> float:
    """Return the number of standard deviations from the mean that contain this probability."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def student_quantile(confidence: float, degrees: int) -> float:
    """
    Return the same for Student's t, at least 1 degree of freedom.

    It is exact for 1 and 2 degrees. For more it is the expansion of Abramowitz and Stegun, *Handbook of
    mathematical functions*, 1964, 26.7.5, whose error is below 1 % at a confidence of 0.95.
    """
    if degrees == 1:
        return math.tan(math.pi * confidence / 2)
    if degrees == 2:
        return confidence * math.sqrt(2 / (1 - confidence * confidence))
    z, (first, second, third, fourth) = _expansion(confidence)
    n = float(degrees)
    return z + math.fsum((first / n, second / n**2, third / n**3, fourth / n**4))


@lru_cache(64)
def _expansion(confidence: float) -> tuple[float, tuple[float, float, float, float]]:
    """Return the normal quantile, and the numerators of the powers of the degrees of freedom."""
    z = normal_quantile(confidence)
    return z, (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
