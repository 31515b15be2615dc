"""Whether the next write of a table is late, learned from the gaps between past writes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from aporia_provider.monitoring.freshness.commits import Writes
from aporia_provider.monitoring.freshness.limits import MIN_VALUES, upper_limit, value_range
from aporia_provider.monitoring.freshness.seasons import (
    DAY,
    SEASON_WORDS,
    SEASONS,
    Calendar,
    Season,
    choose_season,
)
from aporia_provider.verdicts import Outcome, Verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MIN_DAYS: Final = 14
"""Minimum number of days from the first write to the last: shorter histories may not contain all weekdays."""
_MIN_SPREAD = 0.05
_BEYOND_LONGEST = 1.5
_LEAST_PROBABILITY, _GREATEST_PROBABILITY = 0.9, 0.9999


@dataclass(frozen=True)
class GapModel:
    """
    Gaps between the writes of a table, by the season of the write before each.

    :param writes: The writes.
    :param calendar: Calendar of the writes.
    :param season: The season.
    """

    writes: Writes
    calendar: Calendar
    season: Season

    @classmethod
    def of(cls, writes: Writes, calendar: Calendar) -> GapModel:
        """
        Return the model of writes with the season that explains their gaps best.

        Long gaps count more, as more time passes in them: those over weekends are few, but must be explained.
        """
        gaps = writes.gaps
        season = choose_season(np.log(gaps), calendar, writes.ends[:-1], SEASONS, weights=gaps)
        return cls(writes, calendar, season)

    @property
    def reason_if_insufficient(self) -> str | None:
        """Why the writes are too few for a verdict; None if they are not."""
        count = len(self.writes.gaps)
        if not len(self.writes.ends):
            return "no commit has changed rows"
        if count < MIN_VALUES:
            return f"{count} gaps between writes; at least {MIN_VALUES} are needed"
        days = (self.writes.ends[-1] - self.writes.starts[0]) / DAY
        return f"{days:.1f} days of writes; at least {MIN_DAYS} are needed" if days < MIN_DAYS else None

    def gaps_like(self, index: int, count: int) -> Floats:
        """Return the gaps among the first ``count`` that have the same key of the season as a write."""
        keys = self.calendar.keys(self.season, self.writes.ends)
        alike: Floats = self.writes.gaps[:count][keys[:count] == keys[index]]
        return alike

    def longest_allowed(self, probability: float) -> tuple[float, int]:
        """
        Return the longest gap after the last write that is not late, and the number of gaps it is learned
        from.

        If fewer than three past gaps have its key, the limit is the longest gap of the other keys, and at
        least 1.5 times the longest gap, or 1.5 times their quantile if they are many.

        :param probability: Probability that a gap is not longer.
        """
        count = len(self.writes.gaps)
        alike = self.gaps_like(-1, count)
        limit = upper_limit(np.log(alike), probability, _MIN_SPREAD)
        if limit is not None:
            return math.exp(limit), len(alike)
        rank = min(math.ceil(probability * (count + 1)), count)
        longest = _BEYOND_LONGEST * float(np.sort(self.writes.gaps)[rank - 1])
        return max([longest, *self._limits(probability)]), count

    def _limits(self, probability: float) -> list[float]:
        keys = self.calendar.keys(self.season, self.writes.ends[:-1])
        groups = (np.log(self.writes.gaps[keys == key]) for key in np.unique(keys))
        limits = (upper_limit(group, probability, _MIN_SPREAD) for group in groups)
        return [math.exp(limit) for limit in limits if limit is not None]


@dataclass(frozen=True)
class KnownSince:
    """
    Time of the first known commit of a table, from which a table without writes is judged.

    :param time: The time in seconds since 1970; None if no commit is known.
    :param is_creation: Whether this commit created the table.
    """

    time: float | None = None
    is_creation: bool = False


def judge_late(
    model: GapModel,
    now: float,
    probability: float,
    max_gap: float | None,
    known_since: KnownSince = KnownSince(),
) -> Verdict:
    """
    Return the verdict on the time since the last write; its value is the number of seconds it is late.

    :param model: Gaps of the table.
    :param now: Time of the verdict, in seconds since 1970.
    :param probability: Probability that a write that follows the past ones is not late.
    :param max_gap: Longest allowed gap in seconds, which replaces the learned one; None to learn it. A table
        that was never written is late if it was created longer ago.
    :param known_since: First known commit.
    """
    if max_gap is None and (reason := model.reason_if_insufficient) is not None:
        return Verdict(outcome="insufficient", metric="late", reason=reason)
    if max_gap is not None and not len(model.writes.ends):
        return _judge_unwritten(now, max_gap, known_since)
    last = float(model.writes.ends[-1])
    limit, count = (max_gap, None) if max_gap is not None else model.longest_allowed(probability)
    # The clock of the writer may be ahead.
    elapsed = max(0.0, now - last)
    late = max(0.0, elapsed - limit)
    learned = "as configured" if count is None else f"learned from {count} gaps {_like_last(model, count)}"
    return Verdict(
        outcome="fail" if late else "pass",
        metric="late",
        value=late,
        high=0.0,
        effect=math.log(elapsed / limit) if late else 0.0,
        samples=len(model.writes.ends),
        baseline_samples=count,
        reason=(
            f"the last write was at {_time(last)}, {duration(elapsed)} ago; at most {duration(limit)} "
            f"{'was' if late else 'is'} expected, {learned.strip()}"
        ),
    )


def _judge_unwritten(now: float, max_gap: float, known_since: KnownSince) -> Verdict:
    """Return the verdict on a table none of whose known commits has changed rows."""
    if known_since.time is None:
        return Verdict(outcome="insufficient", metric="late", reason="no commit is known")
    elapsed = max(0.0, now - known_since.time)
    late = max(0.0, elapsed - max_gap)
    event = "the table was created" if known_since.is_creation else "the oldest known commit was made"
    # Before the oldest known commit, the table may have been written.
    otherwise: Outcome = "pass" if known_since.is_creation else "insufficient"
    return Verdict(
        outcome="fail" if late else otherwise,
        metric="late",
        value=late,
        high=0.0,
        effect=math.log(elapsed / max_gap) if late else 0.0,
        samples=0,
        reason=(
            f"no commit has changed rows since {event} at {_time(known_since.time)}, "
            f"{duration(elapsed)} ago; "
            f"at most {duration(max_gap)} {'was' if late else 'is'} expected, as configured"
        ),
    )


def judge_lateness(
    times: Sequence[datetime],
    now: datetime,
    *,
    false_alarms_a_year: float,
    max_gap: float | None,
    created: datetime | None = None,
) -> Verdict:
    """
    Return the verdict on the time since the last write, see :func:`judge_late`.

    :param times: Times of the commits that changed rows, ascending.
    :param now: Time of the verdict.
    :param false_alarms_a_year: Number of late writes a year of a table whose writes follow the past ones.
    :param max_gap: Longest allowed gap in seconds; None to learn it.
    :param created: Time at which the table was created, if it is known.
    """
    known_since = KnownSince(created.timestamp() if created is not None else None, is_creation=True)
    writes = Writes.of(np.array([time.timestamp() for time in times], np.float64))
    model = GapModel.of(writes, Calendar.of(writes.starts, UTC))
    probability = _probability(writes, false_alarms_a_year)
    return judge_late(model, now.timestamp(), probability, max_gap, known_since)


def _probability(writes: Writes, false_alarms_a_year: float) -> float:
    """Return the probability that a gap is not late."""
    count = len(writes.gaps)
    seconds = float(writes.ends[-1] - writes.starts[0]) if count else 0.0
    if not seconds:
        return _LEAST_PROBABILITY
    gaps_a_year = count * 365.25 * DAY / seconds
    return min(max(1 - false_alarms_a_year / gaps_a_year, _LEAST_PROBABILITY), _GREATEST_PROBABILITY)


def judge_gap(model: GapModel, probability: float) -> Verdict:
    """
    Return the verdict on the gap before the last write, whose value is in seconds.

    :param model: Gaps of the table.
    :param probability: Probability that a gap that follows the past ones is within the limits.
    """
    if (reason := model.reason_if_insufficient) is not None:
        return Verdict(outcome="insufficient", metric="commit_gap", reason=reason)
    gap = float(model.writes.gaps[-1])
    alike = model.gaps_like(-2, len(model.writes.gaps) - 1)
    limits = value_range(np.log(alike), probability, _MIN_SPREAD)
    if limits is None:
        reason = f"{len(alike)} earlier gaps {SEASON_WORDS[model.season]}; at least {MIN_VALUES} are needed"
        return Verdict(outcome="insufficient", metric="commit_gap", value=gap, reason=reason)
    low, high = math.exp(limits[0]), math.exp(limits[1])
    distance = max(limits[0] - math.log(gap), math.log(gap) - limits[1], 0.0)
    return Verdict(
        outcome="fail" if distance else "pass",
        metric="commit_gap",
        value=gap,
        low=low,
        high=high,
        effect=distance,
        samples=1,
        baseline_samples=len(alike),
        reason=f"{duration(low)} to {duration(high)} are expected, {duration(gap)} passed"
        if distance
        else None,
    )


def _like_last(model: GapModel, count: int) -> str:
    return (
        f"after writes {words}"
        if (words := SEASON_WORDS[model.season]) and count < len(model.writes.gaps)
        else ""
    )


def duration(seconds: float) -> str:
    """Return a duration as text with two significant units or fewer, such as ``2 d 3 h``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
