"""Intervals of proportions, and of other numbers from 0 to 1."""

from __future__ import annotations

import math

from aporia_provider.monitoring.confidence.interval import Interval


def wilson(share: float, size: float, z: float) -> Interval:
    """
    Return Wilson's score interval of a proportion (J. Amer. Statist. Assoc. 22, 1927).

    :param share: Proportion in a sample.
    :param size: Effective size of the sample.
    :param z: Number of standard errors, see :func:`~.quantiles.normal_quantile`.
    """
    weight = z * z / size
    centre = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight * weight / 4) / (1 + weight)
    # Rounding may move the ends beyond the proportion, or beyond 0 and 1.
    return Interval(share, centre - half, centre + half).within(0.0, 1.0)


def rate_interval(rate: float, variance: float, size: float, z: float) -> Interval:
    """
    Return the interval of an estimated number from 0 to 1 that is not a proportion, such as F1.

    It is Wilson's interval for the size of a sample whose proportion has the same variance (Kish, *Survey
    sampling*, 1965). It does not extend beyond 0 and 1, and it is asymmetric near them.

    :param rate: The estimate.
    :param variance: Its sampling variance.
    :param size: Size for a variance of 0, which results if the rate is 0 or 1.
    :param z: Number of standard errors, see :func:`~.quantiles.normal_quantile`.
    """
    spread = rate * (1 - rate)
    return wilson(rate, spread / variance if variance > 0 and spread > 0 else size, z)
