"""Numbers of rows of datasets by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.bucket_ranges import NO_BUCKET
from aporia_provider.backend.store.state_blocks import DAY_SECONDS, read_buckets
from aporia_provider.backend.store.sync_tables import StateBlockRow
from aporia_provider.monitoring.profiles.plan import ROWS

DAYS = 30
_AT_ONCE = 500


@dataclass(frozen=True)
class DayRows:
    """
    Rows of a day.

    :param day: Start of the day.
    :param rows: Number of rows.
    """

    day: datetime
    rows: int


def daily_rows(session: Session, ends: Mapping[int, int], days: int = DAYS) -> dict[int, list[DayRows]]:
    """
    Return the numbers of rows of datasets, including days without rows.

    Days whose states were dropped by a retention count as days without rows.

    :param session: A session with a read transaction.
    :param ends: The last bucket by key of the dataset, in seconds since 1970.
    :param days: Number of days. The last day contains the last bucket.
    """
    last_days = {key: end // DAY_SECONDS for key, end in ends.items() if end != NO_BUCKET}
    counts: dict[int, dict[int, int]] = {key: {} for key in last_days}
    for row in _blocks(session, last_days, days):
        of_dataset = counts[row.dataset_key]
        for bucket, state in read_buckets(ROWS, row.first, row.states).items():
            if bucket is not None:
                day = bucket // DAY_SECONDS
                of_dataset[day] = of_dataset.get(day, 0) + state.rows
    return {
        key: [DayRows(_time(day), counts[key].get(day, 0)) for day in range(last - days + 1, last + 1)]
        for key, last in last_days.items()
    }


def _blocks(session: Session, last_days: Mapping[int, int], days: int) -> Sequence[Any]:
    """Return the blocks of states that overlap the days."""
    row = StateBlockRow
    columns = (row.key, row.dataset_key, row.first, row.last)
    chosen: list[int] = []
    keys = list(last_days)
    for start in range(0, len(keys), _AT_ONCE):
        query = select(*columns).where(
            row.dataset_key.in_(keys[start : start + _AT_ONCE]),
            row.field == ROWS,
            row.states.is_not(None),
        )
        for key, dataset_key, first, last in session.execute(query):
            end = last_days[dataset_key]
            if first is None or last is None:
                continue
            if last // DAY_SECONDS > end - days and first // DAY_SECONDS <= end:
                chosen.append(key)
    blocks: list[Any] = []
    for start in range(0, len(chosen), _AT_ONCE):
        some = row.key.in_(chosen[start : start + _AT_ONCE])
        blocks += session.execute(select(row.dataset_key, row.first, row.states).where(some)).all()
    return blocks


def _time(day: int) -> datetime:
    return datetime.fromtimestamp(day * DAY_SECONDS, UTC)
