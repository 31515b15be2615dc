"""Delta tables that a test changes, and what the log says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from aporia_provider.lake.log.changes import Changes, LogPosition, changes_since
from aporia_provider.lake.log.table import DeltaLog

DAY = 86_400_000_000
JANUARY = datetime(2024, 1, 1, tzinfo=UTC)


def at(day: float) -> datetime:
    """A time of January 2024; the first day begins at 1."""
    return JANUARY + timedelta(days=day - 1)


def rows(*days: float | None, **columns: list[Any]) -> pa.Table:
    times = pa.array([None if day is None else at(day) for day in days], pa.timestamp("us", "UTC"))
    ids = [str(day) for day in days]
    return pa.table({"id": pa.array(ids, pa.string()), "at": times, **columns})


def opened(folder: Path) -> DeltaLog:
    return DeltaLog(f"file://{folder}")


def position(folder: Path) -> LogPosition:
    return LogPosition.of(opened(folder).metadata)


def since(folder: Path, seen: LogPosition | None, column: str | None = "at") -> Changes:
    return changes_since(opened(folder), seen, column)


def days_of(changes: Changes) -> list[int]:
    """The days that changed, counted from 1 January 2024."""
    assert not changes.entire_table, changes.reason
    first = int(JANUARY.timestamp()) * 1_000_000
    found: set[int] = set()
    for start, end in changes.intervals:
        assert start < end
        found |= set(range((start - first) // DAY + 1, (end - 1 - first) // DAY + 2))
    return sorted(found)


def append(folder: Path, *days: float | None) -> None:
    write_deltalake(folder, rows(*days), mode="append")
