"""Commits of tables at known times, for tests of their freshness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
"""A Monday."""


@dataclass(frozen=True)
class Commit:
    time: datetime
    new_rows: int | None = 1000
    rows_added: int | None = 1000
    files_added: int | None = 4
    null_counts: Mapping[str, int] = field(default_factory=dict)
    data_change: bool = True
    changes_metadata: bool = False
    schema_change: str | None = None


def commits(times: Iterable[datetime], **more: Any) -> list[Commit]:
    return [Commit(time, **more) for time in times]


def daily(days: int, hour: float = 2) -> list[datetime]:
    return [MONDAY + timedelta(days=day, hours=hour) for day in range(days)]


def on_weekdays(weeks: int, hour: float = 2) -> list[datetime]:
    return [time for time in daily(7 * weeks, hour) if time.weekday() < 5]


def by_day_in_hours(days: int) -> list[datetime]:
    """Each hour from 7 to 20, and none at night."""
    return [time + timedelta(hours=hour) for time in daily(days, 0) for hour in range(7, 21)]


def in_office_hours(weeks: int) -> list[datetime]:
    """The same from Mondays to Fridays."""
    return [time for time in by_day_in_hours(7 * weeks) if time.weekday() < 5]


def on_first_and_fifth(months: int) -> list[datetime]:
    return [
        datetime(2020 + month // 12, month % 12 + 1, day, 3, tzinfo=UTC)
        for month in range(months)
        for day in (1, 5)
    ]


def monthly(months: int) -> list[datetime]:
    return on_first_and_fifth(months)[::2]


def in_bursts(days: int, size: int = 8) -> list[datetime]:
    """Several commits within minutes, once a day."""
    return [time + timedelta(seconds=20 * number) for time in daily(days) for number in range(size)]
