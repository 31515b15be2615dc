"""Intervals of means and of ratios of means, from exact sums."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.quantiles import student_quantile

Ratio = tuple[int, int]
"""Numerator and denominator of a rational number, not necessarily in lowest terms."""


def variance_of_mean(total: Fraction, squares: Fraction, count: int) -> Fraction | None:
    """
    Return the sampling variance of a mean; None for fewer than two values.

    :param total: Sum of the values.
    :param squares: Sum of their squares.
    :param count: Number of values.
    """
    if count < 2:
        return None
    # Rounded squares may result in a difference that is slightly negative.
    return max(Fraction(0), squares - total * total / count) / (count * (count - 1))


def mean_interval(total: Fraction, squares: Fraction, count: int, confidence: float) -> Interval | None:
    """
    Return Student's interval of a mean; None for fewer than two values.

    :param total: Sum of the values.
    :param squares: Sum of their squares.
    :param count: Number of values.
    :param confidence: Probability that the interval contains the mean of the distribution.
    """
    variance = variance_of_mean(total, squares, count)
    return None if variance is None else error_interval(total / count, variance, count, confidence)


class Squares(NamedTuple):
    """A sum of values, and the sum of their squares."""

    total: Fraction
    squares: Fraction


def ratio_interval(
    top: Squares, bottom: Squares, products: Fraction, count: int, confidence: float
) -> Interval | None:
    """
    Return the interval of a ratio of two means by the delta method; None for fewer than two rows.

    :param top: Sums of the numerators.
    :param bottom: Sums of the denominators, whose total is not 0.
    :param products: Sum of the products of numerator and denominator.
    :param count: Number of rows.
    :param confidence: Probability that the interval contains the ratio of the distribution.
    """
    ratio = top.total / bottom.total
    squares = top.squares - 2 * ratio * products + ratio * ratio * bottom.squares
    variance = variance_of_mean(Fraction(0), squares, count)
    if variance is None:
        return None
    return error_interval(ratio, variance * count * count / bottom.total**2, count, confidence)


def error_interval(number: Fraction, variance: Fraction, count: int, confidence: float) -> Interval | None:
    """
    Return the interval of an estimate with a normally distributed error; None if no float is large enough.

    :param number: The estimate.
    :param variance: Its sampling variance, estimated from ``count`` values.
    :param count: Number of values, at least 2.
    :param confidence: Probability that the interval contains the estimated number.
    """
    return interval_of_ratios(number.as_integer_ratio(), variance.as_integer_ratio(), count, confidence)


def interval_of_ratios(number: Ratio, variance: Ratio, count: int, confidence: float) -> Interval | None:
    """
    Return the interval of an estimate, see :func:`error_interval`.

    :param number: The estimate as a ratio of integers, which need not be in lowest terms.
    :param variance: Its sampling variance, likewise.
    """
    try:
        value, deviation = number[0] / number[1], math.sqrt(variance[0] / variance[1])
    except OverflowError:
        return None
    half = student_quantile(confidence, count - 1) * deviation
    return Interval(value, value - half, value + half) if math.isfinite(value + half) else None
