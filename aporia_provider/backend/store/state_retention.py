"""
Dropping of states that the retention of a model no longer covers.

The states of hours are dropped by day, and the states of days by month; their sums stay. If nothing of a
month is kept, its rows stay without a sum, so that queries can detect that there was data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, or_, select, true, update
from sqlalchemy.orm import Session, aliased

from aporia_provider.backend.store.retention_cutoffs import RETAINED_ROLES, RetentionCutoffs
from aporia_provider.backend.store.state_blocks import span_range
from aporia_provider.backend.store.sync_tables import DAY, MONTH, StateBlockRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow
from aporia_provider.monitoring.profiles.plan import ROWS
from aporia_provider.retention import Retention

_BATCH_SIZE = 500


@dataclass(frozen=True)
class _Step:
    """
    Rows whose states are dropped.

    :param span: Span of the rows.
    :param before: Time before which they are dropped, in seconds since 1970.
    :param columns: Columns that become null; without any, the rows are deleted.
    """

    span: str
    before: int
    columns: tuple[str, ...] = ()

    def is_pending(self, row: Any) -> ColumnElement[bool]:
        """Return the condition of rows that have something to drop."""
        return or_(*(getattr(row, name).is_not(None) for name in self.columns)) if self.columns else true()


def _steps(retention: Retention, now: datetime) -> list[_Step]:
    cutoffs = RetentionCutoffs.of(retention, now)
    months = _Step(MONTH, cutoffs.months, ("states", "total"))
    if retention.spans[0].level != "hourly":
        return [_Step(MONTH, cutoffs.days, ("states",)), months]
    # The sum of a month contains the sums of its days.
    return [_Step(DAY, cutoffs.days), _Step(DAY, cutoffs.hours, ("states",)), months]


def drop_states(session: Session, version_key: int, retention: Retention, now: datetime) -> int:
    """
    Drop the states of all versions of a model that its retention no longer covers.

    Other versions may not be synced again. Rows that another transaction has locked are skipped: they are
    dropped after the next sync.

    :param session: A session with a write transaction.
    :param version_key: Key of a version of the model.
    :param retention: Retention of the model.
    :param now: The current time.
    :return: Number of rows whose states were dropped.
    """
    steps = _steps(retention, now)
    keys = session.scalars(_datasets(version_key).where(or_(*map(_newest_is_pending, steps)))).all()
    return sum(_drop(session, key, step) for key in keys for step in steps)


def drop_replaced_states(
    session: Session, dataset_key: int, retention: Retention, now: datetime, since: int | None
) -> int:
    """
    Drop the states that a sync has just stored and that the retention of the model does not cover.

    :param session: A session with a write transaction.
    :param dataset_key: Key of the dataset.
    :param retention: Retention of its model.
    :param now: The current time.
    :param since: Start of the first replaced bucket, in seconds since 1970; None if all were replaced.
    :return: Number of rows whose states were dropped.
    """
    start = None if since is None else span_range(MONTH, since)[0]
    return sum(_drop(session, dataset_key, step, start) for step in _steps(retention, now))


def _datasets(version_key: int) -> Any:
    model = select(VersionRow.model_key).filter_by(key=version_key).scalar_subquery()
    return (
        select(DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .where(VersionRow.model_key == model, DatasetRow.role.in_(RETAINED_ROLES))
    )


def _newest_is_pending(step: _Step) -> ColumnElement[bool]:
    """Return the condition of datasets whose newest row to drop has not been dropped: earlier ones were."""
    row, newest = aliased(StateBlockRow), aliased(StateBlockRow)
    expired = (newest.dataset_key == DatasetRow.key, newest.field == ROWS, newest.span == step.span)
    first = select(func.max(newest.first)).where(*expired, newest.first < step.before).scalar_subquery()
    of_block = (
        row.dataset_key == DatasetRow.key,
        row.field == ROWS,
        row.span == step.span,
        row.first == first,
    )
    return exists().where(*of_block, step.is_pending(row))


def _drop(session: Session, dataset_key: int, step: _Step, start: int | None = None) -> int:
    row = StateBlockRow
    # The parts are named for the index.
    parts = select(SyncRow.part).filter_by(dataset_key=dataset_key)
    query = select(row.key).where(row.dataset_key == dataset_key, row.part.in_(parts), row.span == step.span)
    query = query.where(row.first < step.before, step.is_pending(row))
    if start is not None:
        query = query.where(row.first >= start)
    keys = session.scalars(query.with_for_update(skip_locked=True)).all()
    for offset in range(0, len(keys), _BATCH_SIZE):
        batch = row.key.in_(keys[offset : offset + _BATCH_SIZE])
        change = update(row).values(dict.fromkeys(step.columns)) if step.columns else delete(row)
        session.execute(change.where(batch).execution_options(synchronize_session=False))
    return len(keys)
