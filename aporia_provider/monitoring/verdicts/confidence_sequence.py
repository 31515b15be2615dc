"""Verdicts on means that are looked at after each bucket, such as accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from statistics import NormalDist
from typing import Final, Literal

from aporia_provider.monitoring.verdicts.outcome import Outcome

Direction = Literal["decrease", "increase", "both"]
"""Which change of a mean is harmful."""

_FEWEST: Final = 30  # Values from which on a mean is nearly normal.
_POWER: Final = 0.8
_BETWEEN_STARTS: Final = 7  # Number of buckets.
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


def judge_mean_of_buckets(
    buckets: Sequence[MeanSums],
    baseline: MeanSums,
    *,
    buckets_a_year: float,
    alpha: float = 0.05,
    direction: Direction = "both",
) -> MeanVerdict:
    """
    Judge whether a mean has differed from the baseline's since any time, however often it is evaluated.

    The mean of all buckets hardly changes if there are many before a change. So it is judged with one half of
    ``alpha``; the other half is for the means since every seventh bucket.

    :param buckets: Sums of the buckets since the model version is in use, from the oldest to the newest.
    :param baseline: Sums of the baseline.
    :param buckets_a_year: Number of buckets in a year.
    :param alpha: Probability of a false alarm in a year, over all evaluations together.
    :param direction: Which change is harmful.
    :return: The verdict on the mean that changed most clearly; on the mean of all buckets if none changed.
    """
    starts_a_year = max(1, math.ceil(buckets_a_year / _BETWEEN_STARTS))
    since = list(accumulate(reversed(buckets)))[::-1] or [MeanSums(0.0, 0.0, 0)]
    verdicts = []
    for start in range(0, len(since), _BETWEEN_STARTS):
        share = alpha / 2 if start == 0 else alpha / 2 / starts_a_year
        verdicts.append(
            replace(_judged(since[start], baseline, share, direction), buckets=len(buckets) - start)
        )
    failed = [verdict for verdict in verdicts if verdict.outcome == "fail"]
    return max(failed, key=_clarity) if failed else verdicts[0]


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
    return _judged(MeanSums(total, total_of_squares, count), baseline, alpha, direction)


def _judged(current: MeanSums, baseline: MeanSums, alpha: float, direction: Direction) -> MeanVerdict:
    if min(current.count, baseline.count) < _FEWEST:
        counts = f"there are {current.count} values, and {baseline.count} in the baseline"
        reason = f"{counts}; {_FEWEST} are required"
        return MeanVerdict("insufficient", None, None, None, None, reason)
    squares = _squared_deviations(current) + _squared_deviations(baseline)
    deviation = math.sqrt(squares / (current.count + baseline.count - 2))
    information = 1 / (1 / current.count + 1 / baseline.count)
    difference = current.total / current.count - baseline.total / baseline.count
    radius = deviation * _radius(information, alpha, direction)
    low = -math.inf if direction == "decrease" else difference - radius
    high = math.inf if direction == "increase" else difference + radius
    detectable = radius + deviation * NormalDist().inv_cdf(_POWER) / math.sqrt(information)
    outcome: Outcome = "fail" if low > 0 or high < 0 else "pass"
    return MeanVerdict(outcome, difference, low, high, detectable)


def _squared_deviations(sums: MeanSums) -> float:
    return max(0.0, sums.total_of_squares - sums.total**2 / sums.count)


def _clarity(verdict: MeanVerdict) -> float:
    """Return the distance of the interval from zero, in relation to its half width."""
    difference, low, high = verdict.difference or 0.0, verdict.low or 0.0, verdict.high or 0.0
    bound = low if difference > 0 else high
    return abs(bound) / max(abs(difference - bound), math.ulp(1.0))


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
