"""Times before which the states of a model are dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.store.state_blocks import span_range
from aporia_provider.backend.store.sync_tables import DAY, MONTH
from aporia_provider.backend.store.tables import ModelRow
from aporia_provider.datasets import ACTUALS, SERVING
from aporia_provider.retention import Retention, RetentionSpan

RETAINED_ROLES: Final = (SERVING, ACTUALS)
"""Roles of the datasets whose states are dropped. Those of others are baselines, and do not grow."""
CLOCK_TOLERANCE: Final = timedelta(hours=1)
"""Maximum difference between the clocks of the workers."""

_NEVER = -(1 << 62)


DROPPED: Final = "dropped"
"""Key of the registration with the times before which earlier retentions have dropped states, by level."""


def model_retention(model: ModelRow) -> Retention | None:
    """Return the retention of a model; None if its states are, and always were, kept for ever."""
    return registered_retention(model.registration)


def registered_retention(registration: Mapping[str, Any]) -> Retention | None:
    """Return the retention of a registration, see :func:`model_retention`."""
    text, dropped = registration.get("retention"), registration.get(DROPPED)
    if text is None and not dropped:
        return None
    period = registration.get("aggregation_period") or "daily"
    spans = Retention.parse(text).spans if text is not None else (RetentionSpan(period, None),)
    times = {level: datetime.fromisoformat(time) for level, time in (dropped or {}).items()}
    return Retention(spans, tuple(times.items()))


def with_retention(registration: Mapping[str, Any], text: str | None, now: datetime) -> dict[str, Any]:
    """
    Return a registration with another retention.

    What the previous one may have dropped remains dropped: sums without states are recomputed as a whole.

    :param registration: The registration.
    :param text: The retention; None to keep states for ever from now on.
    :param now: The current time.
    """
    before = registered_retention(registration)
    starts = before.starts(now + CLOCK_TOLERANCE) if before is not None else {}
    dropped = {level: start.isoformat() for level, start in starts.items()}
    return {**registration, "retention": text, **({DROPPED: dropped} if dropped else {})}


@dataclass(frozen=True)
class RetentionCutoffs:
    """
    Times in seconds since 1970. Hours are dropped by whole days, and days by whole calendar months.

    :param hours: Start of the first day whose hours are kept.
    :param days: Start of the first month whose days are kept.
    :param months: Start of the first month for which anything is kept.
    """

    hours: int
    days: int
    months: int

    @classmethod
    def of(cls, retention: Retention, now: datetime) -> RetentionCutoffs:
        """
        Return the times of a retention.

        :param retention: The retention.
        :param now: The current time.
        """
        levels = ((retention.spans[0].level, DAY), ("daily", MONTH), ("monthly", MONTH))
        return cls(*(_start(retention.start(level, now), span) for level, span in levels))

    def late(self, intervals: Iterable[Interval], seconds: int) -> int:
        """
        Return the number of buckets in intervals for which nothing is kept.

        :param intervals: Half-open intervals in seconds since 1970.
        :param seconds: Length of a bucket.
        """
        return sum(max(0, min(end, self.months) - start) // seconds for start, end in intervals)

    def whole_sums(self, intervals: Iterable[Interval]) -> tuple[Interval, ...]:
        """
        Return the intervals to recompute, so that no part of a sum is left whose states were dropped.

        Intervals are extended to whole days where hours are dropped, and to whole months where days are.
        What is before :attr:`months` is left out.

        :param intervals: Changed buckets, as half-open intervals in seconds since 1970.
        """
        merged: list[Interval] = []
        for start, end in sorted(piece for interval in intervals for piece in self._pieces(interval)):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return tuple(merged)

    def _pieces(self, interval: Interval) -> Iterator[Interval]:
        zones = ((self.months, self.days, MONTH), (self.days, self.hours, DAY))
        for first, last, span in zones:
            start, end = max(interval[0], first), min(interval[1], last)
            if start < end:
                yield span_range(span, start)[0], span_range(span, end - 1)[1]
        if interval[1] > self.hours:
            yield max(interval[0], self.hours), interval[1]


def _start(moment: datetime | None, span: str) -> int:
    return _NEVER if moment is None else span_range(span, int(moment.timestamp() // 1))[0]
