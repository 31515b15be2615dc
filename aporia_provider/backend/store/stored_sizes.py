"""Numbers of states and bytes that are stored for all rows of a model, and the times of its syncs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.bucket_ranges import count_rows
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE, StateBlockRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow

_WHOLE = (FIELDS, PERFORMANCE)


@dataclass(frozen=True)
class StoredSize:
    """
    What is stored for all rows of a model.

    :param states: Number of states of a field or a prediction in a bucket.
    :param bytes: Size of these states and their sums.
    """

    states: int
    bytes: int


@dataclass(frozen=True)
class SyncTimes:
    """
    Times of the last syncs of the datasets of a model.

    :param seconds: Total of the last syncs; None if there was none.
    :param fill_seconds: Total for all rows, from the rows and the times of the last syncs that read rows;
        None if there was none.
    :param measured: Number of datasets whose syncs were measured.
    """

    seconds: float | None
    fill_seconds: float | None
    measured: int


def stored_size(session: Session, model_key: int) -> StoredSize:
    """Return what is stored for all rows of a model, without its segments."""
    row = StateBlockRow
    sizes = _length(row.states) + _length(row.total)
    of_model = select(DatasetRow.key).join(VersionRow).where(VersionRow.model_key == model_key)
    whole = row.dataset_key.in_(of_model), row.part.in_(_WHOLE)
    size = session.scalar(select(func.sum(sizes)).where(*whole))
    # Sums of longer spans have no states.
    states = session.scalar(select(func.sum(row.buckets)).where(*whole, row.states.is_not(None)))
    return StoredSize(int(states or 0), int(size or 0))


def sync_times(session: Session, model_key: int) -> SyncTimes:
    """Return the times of the last syncs of the datasets of a model."""
    query = (
        select(SyncRow)
        .join(DatasetRow, SyncRow.dataset_key == DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .where(VersionRow.model_key == model_key, SyncRow.part.in_(_WHOLE), SyncRow.seconds.is_not(None))
    )
    rows = session.scalars(query).all()
    rows_of = {key: count_rows(session, key)[0] for key in {row.dataset_key for row in rows}}
    fills = [_fill(row, rows_of[row.dataset_key]) for row in rows]
    return SyncTimes(_total(row.seconds for row in rows), _total(fills), len(rows_of))


def _fill(row: SyncRow, rows: int) -> float | None:
    """Return the time of a sync that reads all rows of a dataset, if the last one read any."""
    read = (row.report or {}).get("rows_read")
    return row.seconds * max(rows / read, 1.0) if read and row.seconds is not None else None


def _total(seconds: Iterable[float | None]) -> float | None:
    measured = [each for each in seconds if each is not None]
    return sum(measured) if measured else None


def _length(column: ColumnElement[bytes | None] | object) -> ColumnElement[int]:
    return func.coalesce(func.length(column), 0)
