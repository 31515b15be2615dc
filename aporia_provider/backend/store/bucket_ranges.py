"""The buckets of datasets that have rows: their number, the first and the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.state_blocks import read_buckets
from aporia_provider.backend.store.sync_tables import MONTH, StateBlockRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow
from aporia_provider.monitoring.profiles.plan import ROWS

BucketRange = tuple[int, int, int]
"""
Starts of the last bucket that is not in the future, of the last one, and of the first one;
:data:`NO_BUCKET` where there is none.
"""
NO_BUCKET: Final = -(1 << 63)
NO_BUCKETS: Final[BucketRange] = (NO_BUCKET, NO_BUCKET, NO_BUCKET)


def count_rows(session: Session, dataset_key: int) -> tuple[int, int]:
    """Return the number of rows of a dataset, and of the buckets they are in."""
    row = StateBlockRow
    query = select(func.sum(row.rows), func.sum(row.buckets)).where(
        row.dataset_key == dataset_key,
        row.field == ROWS,
        or_(row.total.is_not(None), row.states.is_not(None)),
    )
    # States may have been dropped; the sums of months and of rows without a timestamp remain.
    query = query.where(or_(row.span == MONTH, row.first.is_(None)))
    rows, buckets = session.execute(query).one()
    return int(rows or 0), int(buckets or 0)


def serving_ranges(session: Session, model_key: int, now: int) -> dict[int, BucketRange]:
    """
    Return the buckets of the serving datasets of a model, by key of the version.

    :param now: The current time in seconds since 1970.
    """
    return serving_ranges_of(session, [model_key], now)


def serving_ranges_of(session: Session, model_keys: Sequence[int], now: int) -> dict[int, BucketRange]:
    """
    Return the buckets of the serving datasets of models, by key of the version.

    :param now: The current time in seconds since 1970.
    """
    row = StateBlockRow
    past = case((row.first > now, None), (row.last <= now, row.last), else_=row.first)
    query = _serving(
        model_keys, DatasetRow.version_key, func.max(past), func.max(row.last), func.min(row.first)
    ).group_by(DatasetRow.version_key)
    ranges = {version: _known(*ends) for version, *ends in session.execute(query)}
    for version, last_past in _within_blocks(session, model_keys, now):
        complete, last, first = ranges[version]
        ranges[version] = max(complete, last_past), last, first
    return ranges


def _within_blocks(session: Session, model_keys: Sequence[int], now: int) -> list[tuple[int, int]]:
    """Return the last bucket that is not in the future of each block that also has later buckets."""
    row = StateBlockRow
    query = _serving(model_keys, DatasetRow.version_key, row.first, row.states)
    rows = session.execute(query.where(row.first <= now, row.last > now, row.states.is_not(None))).all()
    return [
        (
            version,
            max(
                bucket for bucket in read_buckets(ROWS, first, states) if bucket is not None and bucket <= now
            ),
        )
        for version, first, states in rows
    ]


def _serving(model_keys: Sequence[int], *columns: Any) -> Any:
    row = StateBlockRow
    return (
        select(*columns)
        .join(DatasetRow, row.dataset_key == DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .where(VersionRow.model_key.in_(model_keys), DatasetRow.role == "serving")
        .where(row.field == ROWS)
    )


def _known(*ends: int | None) -> BucketRange:
    past, last, first = (NO_BUCKET if end is None else end for end in ends)
    return past, last, first
