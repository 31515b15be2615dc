"""Stored data about the datasets of an environment, used to find those that are due."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.registration.version_segments import VersionSegment
from aporia_provider.backend.store.baselines import Baseline
from aporia_provider.backend.store.profiles import read_baseline
from aporia_provider.backend.store.retention_cutoffs import CLOCK_TOLERANCE
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE, BinsRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, VersionRow
from aporia_provider.backend.sync.context import VersionSnapshot
from aporia_provider.datasets import DatasetConnection
from aporia_provider.lake.log.changes import LogPosition
from aporia_provider.schema import VersionSchema


@dataclass(frozen=True)
class StoredCheckpoint:
    """
    Stored checkpoint of a part of a dataset.

    :param key: Key of the checkpoint's row.
    :param fingerprint: Fingerprint of the inputs, see :mod:`~.sync.fingerprints`.
    :param positions: Log positions of the tables by role of the dataset.
    :param started_at: Start of the last sync or of the last check that found no changes.
    :param synced_at: Start of the last successful sync or of the last check that found no changes; None if
        there was none.
    :param failed: Whether the last sync failed.
    """

    key: int
    fingerprint: str
    positions: Mapping[str, LogPosition]
    started_at: datetime
    synced_at: datetime | None
    failed: bool

    @property
    def succeeded(self) -> bool:
        """Return whether the last sync succeeded."""
        return self.synced_at is not None and not self.failed


@dataclass(frozen=True)
class StoredVersion:
    """
    A version and its datasets.

    :param model_id: Id of the model.
    :param name: Name of the version.
    :param period: Aggregation period of the model.
    :param registration: Body that the version was registered with.
    :param datasets: Datasets by role.
    :param checkpoints: Checkpoints by role and part.
    :param baseline: Bins of the version, if they may be newer than the last sync of a part; otherwise None.
    :param segments: Segments of the model.
    :param segment_checkpoints: Checkpoints of segments by role and part.
    """

    model_id: str
    name: str
    period: str
    registration: Mapping[str, Any]
    datasets: dict[str, DatasetConnection] = field(default_factory=dict)
    checkpoints: dict[tuple[str, str], StoredCheckpoint] = field(default_factory=dict)
    baseline: Baseline | None = None
    segments: tuple[VersionSegment, ...] = ()
    segment_checkpoints: dict[tuple[str, str], StoredCheckpoint] = field(default_factory=dict)

    @cached_property
    def snapshot(self) -> VersionSnapshot:
        """Return the snapshot used by syncs; without bins, unless they may be newer."""
        schema = VersionSchema.from_wire(self.registration)
        baseline = self.baseline or Baseline()
        return VersionSnapshot(schema, self.period, self.datasets, baseline, segments=self.segments)

    def checkpoints_of(self, role: str) -> list[StoredCheckpoint]:
        """Return the parts of a dataset for which a sync was started."""
        return [checkpoint for (owner, _), checkpoint in self.checkpoints.items() if owner == role]


def stored_versions(session: Session, environment: str) -> list[StoredVersion]:
    """Return all versions that have datasets, in the order of their registration."""
    datasets = _datasets(session, environment)
    checkpoints, of_segments = _checkpoints(session, environment)
    segments = _segments(session, environment)
    columns = (VersionRow.key, VersionRow.name, VersionRow.registration)
    query = (
        select(*columns, ModelRow.key, ModelRow.id, ModelRow.registration)
        .join(ModelRow, VersionRow.model_key == ModelRow.key)
        .where(ModelRow.environment == environment, VersionRow.key.in_(select(DatasetRow.version_key)))
        .order_by(VersionRow.key)
    )
    with_newer_bins = _versions_with_newer_bins(session, environment, checkpoints)
    return [
        StoredVersion(
            model_id=model_id,
            name=name,
            period=model.get("aggregation_period") or "daily",
            registration=registration,
            datasets=datasets[key],
            checkpoints=checkpoints[key],
            baseline=read_baseline(session, key) if key in with_newer_bins else None,
            segments=tuple(segments.get(model_key, ())),
            segment_checkpoints=of_segments[key],
        )
        for key, name, registration, model_key, model_id, model in session.execute(query)
    ]


def record_unchanged(session: Session, keys: Iterable[int], checked_at: datetime) -> None:
    """
    Record that parts are up to date, like a sync without changes.

    :param keys: Keys of the checkpoints' rows.
    :param checked_at: Start of the check.
    """
    sorted_keys = sorted(keys)
    for start in range(0, len(sorted_keys), _BATCH_SIZE):
        rows = select(SyncRow.key).where(
            SyncRow.key.in_(sorted_keys[start : start + _BATCH_SIZE]),
            SyncRow.error.is_(None),
            SyncRow.started_at < checked_at,
        )
        # Rows locked by a sync are skipped: the sync records its own result. The fixed order prevents
        # deadlocks.
        unlocked = session.scalars(rows.order_by(SyncRow.key).with_for_update(skip_locked=True)).all()
        changed = (
            update(SyncRow)
            .where(SyncRow.key.in_(unlocked))
            .values(started_at=checked_at, synced_at=checked_at)
        )
        session.execute(changed.execution_options(synchronize_session=False))


_BATCH_SIZE = 500
_Checkpoints = dict[int, dict[tuple[str, str], StoredCheckpoint]]


def _datasets(session: Session, environment: str) -> dict[int, dict[str, DatasetConnection]]:
    query = select(DatasetRow).join(VersionRow, DatasetRow.version_key == VersionRow.key)
    datasets: dict[int, dict[str, DatasetConnection]] = defaultdict(dict)
    for row in session.scalars(_in_environment(query, environment).order_by(DatasetRow.key)):
        datasets[row.version_key][row.role] = connection_of(row)
    return datasets


def _segments(session: Session, environment: str) -> dict[int, list[VersionSegment]]:
    """Return the segments of an environment by the key of their model."""
    query = select(SegmentRow).join(ModelRow, SegmentRow.model_key == ModelRow.key)
    segments: dict[int, list[VersionSegment]] = defaultdict(list)
    for row in session.scalars(query.where(ModelRow.environment == environment).order_by(SegmentRow.key)):
        segments[row.model_key].append(VersionSegment.of(row))
    return segments


def _checkpoints(session: Session, environment: str) -> tuple[_Checkpoints, _Checkpoints]:
    """Return the checkpoints of all rows and of segments, by the key of their version."""
    # Reports and bins, which are much larger, are not needed.
    columns = (SyncRow.key, SyncRow.fingerprint, SyncRow.position, SyncRow.started_at, SyncRow.synced_at)
    query = (
        select(DatasetRow.version_key, DatasetRow.role, SyncRow.part, SyncRow.error.is_not(None), *columns)
        .join(SyncRow, SyncRow.dataset_key == DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
    )
    checkpoints: _Checkpoints = defaultdict(dict)
    of_segments: _Checkpoints = defaultdict(dict)
    for version, role, part, failed, key, fingerprint, position, started, synced in session.execute(
        _in_environment(query, environment)
    ):
        positions = {owner: LogPosition(**stored) for owner, stored in (position or {}).items()}
        of_part = checkpoints if part in (FIELDS, PERFORMANCE) else of_segments
        of_part[version][role, part] = StoredCheckpoint(
            key, fingerprint or "", positions, started, synced, failed
        )
    return checkpoints, of_segments


def _versions_with_newer_bins(
    session: Session, environment: str, checkpoints: Mapping[int, Mapping[tuple[str, str], StoredCheckpoint]]
) -> set[int]:
    """Return the versions whose bins may have been stored after the last sync of one of their parts began."""
    query = select(BinsRow.version_key, BinsRow.created_at).join(
        VersionRow, BinsRow.version_key == VersionRow.key
    )
    return {
        version
        for version, stored_at in session.execute(_in_environment(query, environment))
        if any(
            checkpoint.started_at - CLOCK_TOLERANCE < stored_at
            for checkpoint in checkpoints.get(version, {}).values()
        )
    }


def _in_environment(query: Any, environment: str) -> Any:
    return query.join(ModelRow, VersionRow.model_key == ModelRow.key).where(
        ModelRow.environment == environment
    )
