"""Verdicts on means that are looked at after each bucket, such as accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

from aporia_provider.monitoring.verdicts.outcome import Outcome

Direction = Literal["decrease", "increase", "both"]
"""Which change of a mean is harmful."""

_FEWEST: Final = 30  # Values from which on a mean is nearly normal.
_POWER: Final = 0.8
_BEST_AT: Final = 2000.0  # Number of values at which the interval is the narrowest in relation to its number.


@dataclass(frozen=True)
class MeanVerdict:
    """
    Verdict on the difference between a mean and the mean of the baseline.

    :param outcome: ``fail`` if the mean changed in the harmful direction.
    :param difference: Mean minus the mean of the baseline; None if one of them has too few values.
    :param low: Lower bound of the difference, however often it is looked at; minus infinity if only a
        decrease is harmful.
    :param high: Upper bound of the difference; infinity if only an increase is harmful.
    :param detectable: Minimal detectable effect: the magnitude of a change that these numbers of values
        would have shown with a probability of 80 %.
    :param reason: Why the outcome is ``insufficient``.
    :param buckets: Number of the last buckets whose mean was judged; None for sums.
    """

    outcome: Outcome
    difference: float | None
    low: float | None
    high: float | None
    detectable: float | None
    reason: str | None = None
    buckets: int | None = None


@dataclass(frozen=True)
class MeanSums:
    """
    Sums from which a mean is judged.

    :param total: Sum of the values.
    :param total_of_squares: Sum of their squares.
    :param count: Number of them.
    """

    total: float
    total_of_squares: float
    count: int

    def __add__(self, other: MeanSums) -> MeanSums:
        return MeanSums(
            self.total + other.total,
            self.total_of_squares + other.total_of_squares,
            self.count + other.count,
        )


def judge_mean(
    total: float,
    total_of_squares: float,
    count: int,
    baseline_total: float,
    baseline_total_of_squares: float,
    baseline_count: int,
    *,
    alpha: float = 0.05,
    direction: Direction = "both",
) -> MeanVerdict:
    """
    Judge whether a mean differs from the mean of the baseline, however often it is evaluated.

    The probability that there is ever an alarm, if nothing changes, is at most ``alpha``. The bounds are
    those of a normal mixture (Waudby-Smith et al., *Time-uniform central limit theory and asymptotic
    confidence sequences*, Annals of Statistics 52, 2024).

    :param total: Sum of the values since the model version is in use.
    :param total_of_squares: Sum of their squares.
    :param count: Number of them.
    :param baseline_total: Sum of the baseline's values.
    :param baseline_total_of_squares: Sum of their squares.
    :param baseline_count: Number of them.
    :param alpha: Probability of a false alarm, over all looks together.
    :param direction: Which change is harmful.
    """
    baseline = MeanSums(baseline_total, baseline_total_of_squares, baseline_count)
    return judge_sums(MeanSums(total, total_of_squares, count), baseline, alpha=alpha, direction=direction)


def judge_sums(
    current: MeanSums,
    baseline: MeanSums,
    *,
    alpha: float = 0.05,
    direction: Direction = "both",
    looks: int | None = None,
) -> MeanVerdict:
    """
    Judge whether a mean differs from that of its baseline.

    :param current: Sums of the values.
    :param baseline: Sums of the baseline.
    :param alpha: Probability of a false alarm, over all looks together.
    :param direction: Which change is harmful.
    :param looks: Number of looks, each at other values, among which ``alpha`` is divided. Default: any number
        of looks at more and more values, see :func:`judge_mean`.
    """
    if min(current.count, baseline.count) < _FEWEST:
        counts = f"there are {current.count} values, and {baseline.count} in the baseline"
        reason = f"{counts}; {_FEWEST} are required"
        return MeanVerdict("insufficient", None, None, None, None, reason)
    deviation = _deviation(current, baseline)
    information = 1 / (1 / current.count + 1 / baseline.count)
    difference = current.total / current.count - baseline.total / baseline.count
    if looks is None:
        radius = deviation * _radius(information, alpha, direction)
    else:
        sides = 2 if direction == "both" else 1
        radius = deviation * NormalDist().inv_cdf(1 - alpha / looks / sides) / math.sqrt(information)
    low = -math.inf if direction == "decrease" else difference - radius
    high = math.inf if direction == "increase" else difference + radius
    detectable = radius + deviation * NormalDist().inv_cdf(_POWER) / math.sqrt(information)
    outcome: Outcome = "fail" if low > 0 or high < 0 else "pass"
    return MeanVerdict(outcome, difference, low, high, detectable)


def mean_difference(current: MeanSums, baseline: MeanSums) -> tuple[float, float] | None:
    """Return the difference of two means and its standard error; None if one has too few values."""
    if min(current.count, baseline.count) < _FEWEST:
        return None
    difference = current.total / current.count - baseline.total / baseline.count
    error = math.sqrt(1 / current.count + 1 / baseline.count)
    return difference, _deviation(current, baseline) * error


def _deviation(current: MeanSums, baseline: MeanSums) -> float:
    """Return the standard deviation of the values, about the means of both."""
    squares = _squared_deviations(current) + _squared_deviations(baseline)
    return math.sqrt(squares / (current.count + baseline.count - 2))


def _squared_deviations(sums: MeanSums) -> float:
    return max(0.0, sums.total_of_squares - sums.total**2 / sums.count)


def _radius(information: float, alpha: float, direction: Direction) -> float:
    """Return the half width of the interval for values of standard deviation one."""
    scaled = 1 + information / _BEST_AT * _log_factor(alpha)
    scale = scaled * _BEST_AT / (information**2 * _log_factor(alpha))
    if direction == "both":
        return math.sqrt(scale * math.log(scaled / alpha**2))
    return math.sqrt(scale * 2 * math.log1p(math.sqrt(scaled) / (2 * alpha)))


def _log_factor(alpha: float) -> float:
    """Return the precision of the mixture, times the number of values at which the interval is narrowest."""
    return -2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)
