"""Stored checkpoints, profiles and reports of syncs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.version_segments import VersionSegment
from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.lookups import upsert
from aporia_provider.backend.store.profiles import is_stored, replace_profile, store_baseline
from aporia_provider.backend.store.retention_cutoffs import RETAINED_ROLES
from aporia_provider.backend.store.segment_keys import by_segment, segment_part
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.backend.store.state_retention import drop_replaced_states, drop_states
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, utc_now
from aporia_provider.backend.sync.context import Checkpoint, Result
from aporia_provider.backend.sync.leases import Lease
from aporia_provider.errors import AporiaError
from aporia_provider.lake.log.changes import LogPosition
from aporia_provider.monitoring.profiles.plan import dump_bins
from aporia_provider.preflight.type_differences import type_notes
from aporia_provider.redaction import redact_text
from aporia_provider.retention import Retention

log = logging.getLogger(__name__)

MEASURES = ("reason", "rows_read", "buckets_recomputed", "files_read", "bytes_read")
"""Keys of a sync's report that describe the rows read and the buckets recomputed."""
LATE_BUCKETS = "late_buckets"
"""Key of the number of changed buckets that syncs did not compute, because nothing of them is kept."""


@dataclass(frozen=True)
class StoredPart:
    """
    A part of a dataset, or of a segment of it, with its checkpoint.

    :param dataset_key: Key of the dataset's row.
    :param role: Role of the dataset.
    :param part: ``fields`` or ``performance``; of a segment, see :func:`~.segment_keys.segment_part`.
    :param checkpoint: Checkpoint of the part.
    :param report: Report of the last sync that changed something; empty if there was none.
    :param segment: The segment; None for all rows.
    """

    dataset_key: int
    role: str
    part: str
    checkpoint: Checkpoint
    report: Mapping[str, Any] = field(default_factory=dict)
    segment: VersionSegment | None = None


class SyncStore:
    """
    Access to the stored sync state of a version. Changes require that the version's lease is held.

    :param database: The database.
    :param version_key: Key of the version.
    :param lease: Lease of the version.
    :param retention: Retention of the model; None if states are kept for ever.
    """

    def __init__(
        self, database: Database, version_key: int, lease: Lease, retention: Retention | None = None
    ) -> None:
        self._database, self._version_key, self._lease = database, version_key, lease
        self._retention = retention

    def load(self, role: str, part: str) -> StoredPart:
        """Return a part of a dataset with its checkpoint, which is empty if the part was never synced."""
        with self._database.read_transaction() as session:
            dataset = session.scalars(
                select(DatasetRow).filter_by(version_key=self._version_key, role=role)
            ).one()
            row = session.scalar(select(SyncRow).filter_by(dataset_key=dataset.key, part=part))
            report = (row.report if row else None) or {}
            return StoredPart(dataset.key, role, part, _checkpoint(row), report)

    def load_segments(self, stored: StoredPart, segments: Iterable[VersionSegment]) -> list[StoredPart]:
        """Return the same part of some segments."""
        parts = {segment_part(stored.part, segment.key): segment for segment in segments}
        query = select(SyncRow).where(SyncRow.dataset_key == stored.dataset_key, SyncRow.part.in_(parts))
        with self._database.read_transaction() as session:
            rows = {row.part: row for row in session.scalars(query)}
            return [
                StoredPart(
                    stored.dataset_key, stored.role, part, _checkpoint(rows.get(part)), segment=segment
                )
                for part, segment in parts.items()
            ]

    def record_failure(
        self, stored: StoredPart, started: datetime, error: Exception, latest_version: int | None
    ) -> None:
        """
        Store the error of a failed sync, unless another sync has acquired the lease or the segment of the
        part was deleted.

        :param stored: The part.
        :param started: Start of the sync.
        :param error: Error of the sync.
        :param latest_version: Latest version of the table, if its log was read.
        """
        values: dict[str, Any] = {"started_at": started, "error": _display_message(error)}
        if latest_version is not None:
            values["latest_version"] = latest_version
        with self._database.write_transaction() as session:
            # The current holder of the lease may have succeeded.
            if self._lease.renew(session) and (stored.segment is None or _existing(session, [stored])):
                upsert(session, SyncRow, {"dataset_key": stored.dataset_key, "part": stored.part}, values)

    def commit(
        self,
        stored: StoredPart,
        result: Result,
        started: datetime,
        seconds: float,
        segments: Sequence[StoredPart] = (),
    ) -> Set[int] | None:
        """
        Store the states and the checkpoint of a result in one transaction.

        :param stored: The part.
        :param result: Result of the sync.
        :param started: Start of the sync.
        :param seconds: Duration of the sync in seconds.
        :param segments: The same part of the segments of the model. Those that the result does not have are
            left as they are, and those that were deleted meanwhile are not stored.
        :return: Starts of the buckets whose states have changed, in seconds since 1970; None if no stored
            state has changed.
        :raises aporia_provider.errors.TransientError: if another sync has the lease; nothing is stored.
        """
        times = {"started_at": started, "synced_at": started, "seconds": seconds}
        states = by_segment(result.states)
        with self._database.write_transaction() as session:
            self._lease.check_held(session)
            parts = [part for part in segments if part.segment and part.segment.key in result.segments]
            changed = [
                self._commit_part(
                    session, part, replace(result, states=states.get(_segment_key(part), {})), times
                )
                for part in [*([stored] if result.whole else []), *_existing(session, parts)]
            ]
            if self._retention is not None:
                self._drop_states(session, self._retention, stored, result)
            if result.baseline is not None:
                store_baseline(session, self._version_key, result.baseline)
        bucket_sets = [buckets for buckets in changed if buckets is not None]
        return frozenset().union(*bucket_sets) if bucket_sets else None

    def _commit_part(
        self, session: Session, stored: StoredPart, result: Result, times: Mapping[str, Any]
    ) -> Set[int] | None:
        values = {**_values(stored, result), **times}
        if result.changed or result.late_buckets:
            values["report"] = (
                self._report(session, stored, result) if stored.segment is None else _measures(result)
            )
        changed = _replace_states(session, stored, result)
        upsert(session, SyncRow, {"dataset_key": stored.dataset_key, "part": stored.part}, values)
        return changed

    def _drop_states(
        self, session: Session, retention: Retention, stored: StoredPart, result: Result
    ) -> None:
        now, intervals = utc_now(), result.intervals
        dropped = drop_states(session, self._version_key, retention, now)
        if intervals != () and stored.role in RETAINED_ROLES:
            since = None if intervals is None else intervals[0][0]
            dropped += drop_replaced_states(session, stored.dataset_key, retention, now, since)
        if dropped:
            log.info("The retention of the model, %s, covers %s rows no longer", retention, f"{dropped:,}")

    def _report(self, session: Session, stored: StoredPart, result: Result) -> dict[str, Any]:
        late = stored.report.get(LATE_BUCKETS, 0) + result.late_buckets
        if not result.changed:
            return {**stored.report, LATE_BUCKETS: late}
        role = stored.role
        types = _stored_types(session, self._version_key)
        notes = [*result.notes, *type_notes(role, result.types, types)]
        for note in notes:
            log.warning("%s dataset: %s", role, note)
        return {
            **_measures(result),
            LATE_BUCKETS: late,
            "notes": notes,
            "types": dict(result.types),
            "made_at": result.computed_at_version,
            "committed_at": result.committed_at and result.committed_at.isoformat(),
        }


def _checkpoint(row: SyncRow | None) -> Checkpoint:
    stored = (row.position if row else None) or {}
    positions = {role: LogPosition(**position) for role, position in stored.items()}
    return Checkpoint(row.fingerprint if row else None, positions)


def _segment_key(stored: StoredPart) -> int | None:
    return None if stored.segment is None else stored.segment.key


def _existing(session: Session, parts: Sequence[StoredPart]) -> list[StoredPart]:
    """Return the parts whose segments are stored as they were when the sync began."""
    keys = [key for part in parts if (key := _segment_key(part)) is not None]
    rows = session.scalars(select(SegmentRow).where(SegmentRow.key.in_(keys)).with_for_update(read=True))
    stored = {VersionSegment.of(row) for row in rows}
    return [part for part in parts if part.segment in stored]


def _stored_types(session: Session, version_key: int) -> dict[str, dict[str, Any]]:
    """
    Return column types by role of the dataset, from the last sync of each dataset that changed something.
    """
    query = select(DatasetRow.role, SyncRow.report).join(SyncRow, SyncRow.dataset_key == DatasetRow.key)
    rows = session.execute(query.where(DatasetRow.version_key == version_key, SyncRow.part == FIELDS))
    return {role: (report or {}).get("types") or {} for role, report in rows}


def _values(stored: StoredPart, result: Result) -> dict[str, Any]:
    """Return the columns of a checkpoint's row that a result determines, apart from the report."""
    positions = {role: asdict(position) for role, position in result.checkpoint.positions.items()}
    values: dict[str, Any] = {
        "fingerprint": result.checkpoint.fingerprint,
        "position": positions,
        "latest_version": positions[stored.role]["version"] if stored.role in positions else None,
        "error": None,
    }
    is_new = result.checkpoint.fingerprint != stored.checkpoint.fingerprint
    if result.changed and is_new and stored.segment is None:
        values["grids"] = dump_bins(result.bins)
    return values


def _replace_states(session: Session, stored: StoredPart, result: Result) -> Set[int] | None:
    """Replace the stored states of a part if they differ from the result; return the changed buckets."""
    if not result.changed:
        return None
    key, part = stored.dataset_key, stored.part
    # Files without a log are read by every sync, even if they are unchanged.
    if result.intervals is None and is_stored(session, key, part, result.states, result.cutoffs):
        return None
    return replace_profile(
        session, key, part, result.states, result.intervals, result.null_timestamps, result.cutoffs
    )


def _measures(result: Result) -> dict[str, Any]:
    files, size = result.extent or (None, None)
    buckets = {bucket for bucket, _ in result.states}
    rows = 0 if result.copied else result.rows
    return dict(zip(MEASURES, (result.reason, rows, len(buckets), files, size), strict=True))


def _display_message(error: Exception) -> str:
    if isinstance(error, AporiaError):
        return str(error)
    # The message of another library may contain secrets.
    return redact_text(f"{type(error).__name__}: {error}")
