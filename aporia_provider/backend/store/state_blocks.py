"""Blocks of states: the hours of a day or the days of a month, with their sum."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.calendar_months import month_of, month_start
from aporia_provider.backend.store.state_encoding import (
    decode_state,
    decode_states,
    encode_state,
    encode_states,
)
from aporia_provider.backend.store.sync_tables import DAY, MONTH
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, VersionRow
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.monitoring.profiles.plan import BUCKET_SECONDS
from aporia_provider.monitoring.states.state import State

T = TypeVar("T")

DAY_SECONDS = 86_400
Buckets = dict[int | None, State]
"""States of a field by the start of their bucket in seconds since 1970; None for no timestamp."""

_MOST_BYTES = 1 << 20  # Larger blocks are divided, so that a changed bucket does not rewrite all of them.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class BlockLayout:
    """
    Division of the buckets of a dataset into blocks.

    :param seconds: Length of a bucket in seconds.
    """

    seconds: int

    @classmethod
    def of(cls, session: Session, dataset_key: int) -> BlockLayout:
        """Return the layout of a dataset, which depends on the aggregation period of its model."""
        query = (
            select(ModelRow.registration)
            .join(VersionRow, VersionRow.model_key == ModelRow.key)
            .join(DatasetRow, DatasetRow.version_key == VersionRow.key)
            .where(DatasetRow.key == dataset_key)
        )
        registration = session.scalars(query).one()
        return cls(BUCKET_SECONDS[registration.get("aggregation_period") or "daily"])

    @property
    def span(self) -> str:
        """Span of a block: a day of hours, or a month of days."""
        return DAY if self.seconds < DAY_SECONDS else MONTH

    def block(self, bucket: int) -> tuple[int, int]:
        """Return the half-open interval of the block that a bucket belongs to, in seconds since 1970."""
        return span_range(self.span, bucket)


def span_range(span: str, second: int) -> tuple[int, int]:
    """Return the half-open interval of the day or month that contains a time, in seconds since 1970."""
    if span == DAY:
        start = second // DAY_SECONDS * DAY_SECONDS
        return start, start + DAY_SECONDS
    return _month_range(second // DAY_SECONDS)


@lru_cache(4096)
def _month_range(day: int) -> tuple[int, int]:
    month = month_of(day * DAY_SECONDS)
    return month_start(month), month_start(month + 1)


def block_values(
    owner: Mapping[str, Any], span: str, buckets: Buckets, total: State | None = None
) -> list[dict[str, Any]]:
    """
    Return the columns of the rows that hold the states of a block.

    :param owner: Columns that identify the field.
    :param span: Span of the block.
    :param buckets: At least one state; one without a timestamp must be alone.
    :param total: Sum of the states, if it is known.
    """
    timed = sorted(bucket for bucket in buckets if bucket is not None)
    states = [buckets[bucket] for bucket in timed] or [buckets[None]]
    encoded = encode_states([bucket - timed[0] for bucket in timed] or [0], states)
    if len(encoded) > _MOST_BYTES and len(timed) > 1:
        middle = len(timed) // 2
        halves: list[Buckets] = [
            {bucket: buckets[bucket] for bucket in half} for half in (timed[:middle], timed[middle:])
        ]
        return [row for half in halves for row in block_values(owner, span, half)]
    return [{**sum_values(owner, span, buckets, total), "states": encoded}]


def sum_values(
    owner: Mapping[str, Any], span: str, buckets: Buckets, total: State | None = None
) -> dict[str, Any]:
    """
    Return the columns of a row that holds the sum of states, and not the states.

    For the parameters see :func:`block_values`.
    """
    timed = [bucket for bucket in buckets if bucket is not None]
    first, last = (min(timed), max(timed)) if timed else (None, None)
    states = list(buckets.values())
    total = sum_states(states) if total is None else total
    counts = {
        "first": first,
        "last": last,
        "buckets": len(states),
        "rows": sum(state.rows for state in states),
    }
    return {**owner, "span": span, **counts, "total": total and encode_state(total), "states": None}


def month_values(owner: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """
    Return the columns of the row that holds the sum of a month.

    :param owner: Columns that identify the field.
    :param parts: Columns of rows that together contain each of its states once.
    """
    total = _total(owner["field"], parts)
    counts = {name: sum(row[name] for row in parts) for name in ("buckets", "rows")}
    reach = {"first": min(row["first"] for row in parts), "last": max(row["last"] for row in parts)}
    return {**owner, "span": MONTH, **reach, **counts, "total": total and encode_state(total), "states": None}


def _total(field: str, parts: Sequence[Mapping[str, Any]]) -> State | None:
    if any(row["total"] is None for row in parts):
        return None
    return sum_states([read_total(field, row["first"], row["total"]) for row in parts])


def sum_states(states: Sequence[State]) -> State | None:
    """Return the sum of at least one state; None if they cannot be added, for example for other bins."""
    try:
        return type(states[0]).sum(states)
    except (TypeError, ValueError, ValidationError):
        return None


def read_total(field: str, first: int | None, data: bytes) -> State:
    """
    Return a stored sum of states.

    :param field: Key of the field.
    :param first: Start of the first bucket.
    :param data: The stored form.
    :raises aporia_provider.errors.AporiaError: if it cannot be read.
    """
    return _readable(field, first, lambda: decode_state(data))


def read_buckets(field: str, first: int | None, data: bytes) -> Buckets:
    """
    Return the stored states of a block; for the parameters and errors see :func:`read_total`.
    """
    offsets, states = _readable(field, first, lambda: decode_states(data))
    places = [None if first is None else first + offset for offset in offsets]
    return dict(zip(places, states, strict=True))


def _readable(field: str, first: int | None, read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:
        when = "without a timestamp" if first is None else f"from {_day(first)}"
        raise AporiaError(
            f"The stored states of {field!r} {when} cannot be read: {error}. Sync the dataset with full=True "
            "to compute them again"
        ) from None


def _day(second: int) -> str:
    try:
        return f"{_EPOCH + timedelta(seconds=second):%Y-%m-%d}"
    except OverflowError:
        return f"second {second}"
