"""Intervals of the ratio of two proportions."""

from __future__ import annotations

import math

from aporia_provider.monitoring.confidence.interval import Interval


def ratio_of_proportions(count: int, size: int, other_count: int, other_size: int, z: float) -> Interval:
    """
    Return the interval of the ratio of the proportions of two independent samples.

    It is the log-ratio interval of the delta method (Katz, Baptista, Azen and Pike, *Obtaining confidence
    intervals for the risk ratio in cohort studies*, Biometrics 34, 1978). If a count is 0 or the number of
    all values, 0.5 is added to both counts and 1 to both sizes for the interval, whose ends are otherwise
    undefined.

    :param count: Number of values of the first sample that are counted.
    :param size: Size of the first sample, at least 1.
    :param other_count: The same of the second sample, at least 1.
    :param other_size: Size of the second sample.
    :param z: Number of standard errors, see :func:`~.quantiles.normal_quantile`.
    """
    value = count * other_size / (size * other_count)
    counts, sizes = (float(count), float(other_count)), (float(size), float(other_size))
    if count in (0, size) or other_count == other_size:
        counts, sizes = (count + 0.5, other_count + 0.5), (size + 1.0, other_size + 1.0)
    centre = counts[0] * sizes[1] / (sizes[0] * counts[1])
    half = z * math.sqrt(sum(1 / part - 1 / whole for part, whole in zip(counts, sizes, strict=True)))
    low, high = centre * math.exp(-half), centre * math.exp(half)
    return Interval(value, 0.0 if count == 0 else min(low, value), max(high, value))
