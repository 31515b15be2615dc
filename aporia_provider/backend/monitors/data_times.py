"""Times up to which the data of a version is complete."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow
from aporia_provider.datasets import SERVING


def data_time(session: Session, version_key: int) -> int | None:
    """
    Return the time up to which the synced serving data of a version is complete, in seconds since 1970.

    This is the time of the last commit that changed the data of its table; if it is not known, the time of
    the last sync.

    :return: None if the dataset was never synced.
    """
    query = (
        select(SyncRow.report, SyncRow.synced_at)
        .join(DatasetRow, SyncRow.dataset_key == DatasetRow.key)
        .where(DatasetRow.version_key == version_key, DatasetRow.role == SERVING, SyncRow.part == FIELDS)
    )
    result = session.execute(query).first()
    if result is None or result.synced_at is None:
        return None
    committed = (result.report or {}).get("committed_at")
    moment = datetime.fromisoformat(committed) if committed else result.synced_at
    return int(moment.timestamp())
