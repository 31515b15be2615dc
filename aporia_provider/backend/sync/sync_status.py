"""Status of a dataset's syncs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.registration.version_segments import VersionSegment, dataset_fields
from aporia_provider.backend.store.baselines import load_origins, provisional_bins
from aporia_provider.backend.store.bucket_ranges import count_rows
from aporia_provider.backend.store.retention_cutoffs import RETAINED_ROLES
from aporia_provider.backend.store.segment_keys import segment_part
from aporia_provider.backend.store.segment_lookups import model_segments
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE, BinsRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow
from aporia_provider.backend.sync.sync_store import LATE_BUCKETS, MEASURES
from aporia_provider.monitoring.profiles.plan import SCORES
from aporia_provider.schema import VersionSchema


def status(session: Session, dataset: DatasetRow, retention: str | None) -> dict[str, Any]:
    """Return the sync status of a dataset, see :meth:`.Syncs.get_dataset_sync_status`."""
    parts = {row.part: row for row in session.scalars(select(SyncRow).filter_by(dataset_key=dataset.key))}
    total, buckets = count_rows(session, dataset.key)
    return {
        "dataset": dataset.role,
        "enabled": dataset.enabled,
        "schedule": dataset.registration["sync"].get("schedule"),
        **_part_status(parts.get(FIELDS), dataset.role),
        "rows": total,
        "buckets": buckets,
        "provisional_bins": _provisional_bins(session, dataset, parts.get(FIELDS)),
        "retention": retention if dataset.role in RETAINED_ROLES else None,
        "performance": _part_status(parts[PERFORMANCE], dataset.role) if PERFORMANCE in parts else None,
        "segments": _segments(session, dataset, parts),
    }


def _segments(session: Session, dataset: DatasetRow, parts: Mapping[str, SyncRow]) -> list[dict[str, Any]]:
    """Return the status of each segment of the model in a dataset."""
    version = session.get_one(VersionRow, dataset.version_key)
    segments = [VersionSegment.of(row) for row in model_segments(session, version.model_key)]
    if not segments:
        return []
    fields = dataset_fields(connection_of(dataset), VersionSchema.from_wire(version.registration))
    return [
        {"segment": segment.name, **_segment_status(segment, segment.faults(fields), parts)}
        for segment in segments
    ]


def _segment_status(
    segment: VersionSegment, faults: Sequence[str], parts: Mapping[str, SyncRow]
) -> dict[str, Any]:
    if faults:
        return {"status": "not_computable", "reason": "; ".join(faults)}
    rows = [parts.get(segment_part(part, segment.key)) for part in (FIELDS, PERFORMANCE) if part in parts]
    errors = [row.error for row in rows if row is not None and row.error]
    if errors:
        return {"status": "failed", "reason": errors[0]}
    is_complete = bool(rows) and all(row is not None and row.synced_at for row in rows)
    return {"status": "synced" if is_complete else "never_synced", "reason": None}


def _provisional_bins(session: Session, dataset: DatasetRow, row: SyncRow | None) -> dict[str, int]:
    """
    Return the fields of a dataset whose bins are provisional, and the number of values they were made from.
    """
    stored = session.scalar(select(BinsRow.origins).filter_by(version_key=dataset.version_key))
    bins = (row.grids if row else None) or {}
    # The bins of scores are made from the same values as the bins of their field.
    fields = [key for key, field_bins in bins.items() if field_bins["kind"] != SCORES]
    return provisional_bins(load_origins(stored or {}), fields)


def _part_status(row: SyncRow | None, role: str) -> dict[str, Any]:
    report = (row.report if row else None) or {}
    position = ((row.position if row else None) or {}).get(role) or {}
    version, latest = position.get("version"), row.latest_version if row else None
    return {
        "status": "never_synced" if row is None else "failed" if row.error else "synced",
        "last_sync_at": row.synced_at.isoformat() if row and row.synced_at else None,
        "table_version": version,
        "latest_version": latest,
        "lag": None if version is None or latest is None else max(0, latest - version),
        **{name: report.get(name) for name in MEASURES},
        LATE_BUCKETS: report.get(LATE_BUCKETS, 0),
        "notes": report.get("notes") or [],
        "seconds": row.seconds if row else None,
        "last_error": row.error if row else None,
    }
