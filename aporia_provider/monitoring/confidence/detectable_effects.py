"""Smallest differences that a comparison detects, and numbers of rows that it needs."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

POWER: Final = 0.8
"""Default probability that a difference is detected."""


def minimum_detectable_effect(
    variance: float,
    n: float,
    m: float = math.inf,
    *,
    baseline_variance: float | None = None,
    power: float = POWER,
    alpha: float = 0.05,
) -> float:
    """
    Return the smallest difference of two means that a two-sided test detects with a probability of ``power``.

    :param variance: Variance of one row of the data; of a proportion p, p (1 - p).
    :param n: Number of rows of the data.
    :param m: Number of rows of the baseline; infinite if its mean is known.
    :param baseline_variance: Variance of one row of the baseline. Default: the variance of one row of the
        data.
    :param power: Probability that the difference is detected.
    :param alpha: Probability that a difference is detected where there is none.
    """
    baseline = variance if baseline_variance is None else baseline_variance
    return _standard_errors(power, alpha) * math.sqrt(variance / n + baseline / m)


def rows_needed(
    variance: float,
    effect: float,
    *,
    baseline_variance: float = 0.0,
    power: float = POWER,
    alpha: float = 0.05,
) -> int | None:
    """
    Return the number of rows of the data, and also of the baseline, with which a difference is detected.

    :param variance: Variance of one row of the data.
    :param effect: The difference.
    :param baseline_variance: Variance of one row of the baseline; 0 if its mean is known.
    :param power: Probability that the difference is detected.
    :param alpha: Probability that a difference is detected where there is none.
    :return: None if no number suffices.
    """
    if not effect:
        return None
    return math.ceil((variance + baseline_variance) * (_standard_errors(power, alpha) / effect) ** 2)


def _standard_errors(power: float, alpha: float) -> float:
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)
