"""Rows and files that a table gains in each hour or day, judged when the hour or day has ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from aporia_provider.monitoring.freshness.commits import TableCommit
from aporia_provider.monitoring.freshness.limits import value_range
from aporia_provider.monitoring.freshness.seasons import (
    DAY,
    HOUR,
    SEASON_WORDS,
    Calendar,
    Season,
    choose_season,
)
from aporia_provider.verdicts import Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

Period = Literal["hour", "day"]
MIN_BUCKETS: Final = 7
"""Minimum number of past buckets with the same season key for a verdict."""
_LONGEST_GAP_OF_HOURS = 1_200.0
_SEASONS: dict[Period, tuple[Season, ...]] = {
    "day": ("none", "weekday", "day_of_month"),
    "hour": ("none", "weekday", "hour", "hour_of_week"),
}
_SECONDS: dict[Period, int] = {"hour": HOUR, "day": DAY}
_MIN_SPREAD = 0.05


def usual_period(typical_gap: float) -> Period:
    """Return the length of buckets for a table: hours for about three writes an hour or more."""
    return "hour" if typical_gap <= _LONGEST_GAP_OF_HOURS else "day"


@dataclass(frozen=True)
class ClosedBuckets:
    """
    Closed buckets in which a table was written, oldest first.

    :param period: Length of the buckets.
    :param calendar: Calendar, which determines where they begin.
    :param numbers: Numbers of the buckets since 1970.
    :param commits: The commits of each.
    """

    period: Period
    calendar: Calendar
    numbers: Integers
    commits: tuple[tuple[TableCommit, ...], ...]

    @classmethod
    def of(
        cls,
        commits: Sequence[TableCommit],
        now: float,
        calendar: Calendar,
        period: Period,
        *,
        is_complete: bool,
    ) -> ClosedBuckets:
        """
        Return the closed buckets of commits that changed rows.

        :param commits: The commits, in the order of their times.
        :param now: Time at which buckets are closed, in seconds since 1970.
        :param is_complete: Whether there are no older commits; otherwise the first bucket is left out.
        """
        numbering = calendar.days if period == "day" else calendar.hours
        times = np.array([commit.time.timestamp() for commit in commits], np.float64)
        numbers, (current,) = numbering(times), numbering(np.array([now]))
        groups: dict[int, list[TableCommit]] = {}
        for number, commit in zip(numbers.tolist(), commits, strict=True):
            groups.setdefault(number, []).append(commit)
        first = numbers.min() if len(numbers) and not is_complete else None
        kept = sorted(number for number in groups if number < current and number != first)
        return cls(
            period, calendar, np.array(kept, np.int64), tuple(tuple(groups[number]) for number in kept)
        )

    @property
    def start(self) -> float | None:
        """Start of the last bucket, in seconds since 1970; None if there is none."""
        return self.start_of(int(self.numbers[-1])) if len(self.numbers) else None

    @property
    def end(self) -> float | None:
        """End of the last bucket, exclusive; None if there is none."""
        return self.start_of(int(self.numbers[-1]) + 1) if len(self.numbers) else None

    def start_of(self, number: int) -> float:
        """Return the start of a bucket in seconds since 1970."""
        shift = self.calendar.day_start if self.period == "day" else self.calendar.hour_start
        return self.calendar.utc(number * _SECONDS[self.period] + shift)

    def totals(self, value_of: Callable[[TableCommit], int | None]) -> Floats:
        """Return the sum of a value of the commits in each bucket; NaN if it is unknown for one of them."""
        return np.array([_total(map(value_of, commits)) for commits in self.commits], np.float64)

    def past_like_last(self, values: Floats) -> tuple[Integers, Season]:
        """
        Return the indices of the past buckets to compare the last one with, and the season that they have in
        common.

        Seasons are left out if fewer than :data:`MIN_BUCKETS` past buckets have the key of the last bucket.

        :param values: Values of the buckets on a logarithmic scale; NaN if unknown.
        """
        middles = (self.numbers + 0.5) * _SECONDS[self.period] + (
            self.calendar.day_start if self.period == "day" else self.calendar.hour_start
        )
        times = np.array([self.calendar.utc(middle) for middle in middles.tolist()], np.float64)
        past = np.flatnonzero(np.isfinite(values[:-1]))
        alike: dict[Season, Integers] = {}
        for season in _SEASONS[self.period]:
            keys = self.calendar.keys(season, times)
            past_alike = past[keys[past] == keys[-1]]
            if len(past_alike) >= MIN_BUCKETS or season == "none":
                alike[season] = past_alike
        season = choose_season(values[past], self.calendar, times[past], tuple(alike))
        return alike[season], season


def _total(values: Iterable[int | None]) -> float:
    counts = list(values)
    return math.nan if None in counts else float(sum(value for value in counts if value is not None))


def judge_volume(
    buckets: ClosedBuckets, metric: str, value_of: Callable[[TableCommit], int | None], probability: float
) -> Verdict:
    """
    Return the verdict on the rows or files of the last closed bucket.

    The range is learned from the logarithms of past buckets; their standard deviation is assumed to be at
    least 5 % and at least the standard deviation of a count.

    :param buckets: The buckets.
    :param metric: Name of the metric.
    :param value_of: Function that returns the value of a commit; None if it is unknown.
    :param probability: Probability that the value of a bucket that follows the past ones is in the range.
    """
    values = buckets.totals(value_of)
    if not len(values):
        return Verdict(outcome="insufficient", metric=metric, reason=f"no {buckets.period} has ended")
    value = float(values[-1])
    if math.isnan(value):
        reason = f"the log does not contain it for a commit of the last {buckets.period}"
        return Verdict(outcome="insufficient", metric=metric, reason=reason)
    logs = np.log1p(values)
    alike, season = buckets.past_like_last(logs)
    if len(alike) < MIN_BUCKETS:
        reason = f"{len(alike)} earlier {buckets.period}s; at least {MIN_BUCKETS} are needed"
        return Verdict(outcome="insufficient", metric=metric, value=value, reason=reason)
    past = logs[alike]
    spread = max(_MIN_SPREAD, 1 / math.sqrt(math.exp(float(np.median(past)))))
    limits = value_range(past, probability, spread)
    assert limits is not None  # noqa: S101
    low, high = max(0.0, math.expm1(limits[0])), math.expm1(limits[1])
    distance = max(limits[0] - logs[-1], logs[-1] - limits[1], 0.0)
    return Verdict(
        outcome="fail" if distance else "pass",
        metric=metric,
        value=value,
        baseline_value=math.expm1(float(np.median(past))),
        low=low,
        high=high,
        effect=float(distance),
        samples=1,
        baseline_samples=len(alike),
        reason=(
            f"{low:,.0f} to {high:,.0f} are expected, learned from {len(alike)} {buckets.period}s "
            f"{SEASON_WORDS[season]}".strip()
            if distance
            else None
        ),
    )
