"""Deletion of the states of segments."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.monitor_tables import BucketChangeRow
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE, StateBlockRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow


def delete_segment_states(session: Session, segment: SegmentRow) -> None:
    """
    Delete the states and checkpoints of a segment, in all datasets of the model.

    :param session: A session with a write transaction.
    """
    # A sync that is committing states of the segment holds a shared lock on the row.
    session.refresh(segment, with_for_update=True)
    parts = [f"{part}@{segment.key}" for part in (FIELDS, PERFORMANCE)]
    versions = select(VersionRow.key).filter_by(model_key=segment.model_key)
    datasets = select(DatasetRow.key).where(DatasetRow.version_key.in_(versions))
    for table in (StateBlockRow, SyncRow, BucketChangeRow):
        session.execute(delete(table).where(table.dataset_key.in_(datasets), table.part.in_(parts)))
