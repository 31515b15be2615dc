"""Stored data about the datasets of an environment, used to find those that are due."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.store.baselines import Baseline
from aporia_provider.backend.store.profiles import read_baseline
from aporia_provider.backend.store.sync_tables import GridRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, VersionRow
from aporia_provider.backend.sync.context import VersionSnapshot
from aporia_provider.datasets import DatasetConnection
from aporia_provider.lake.log.changes import Position
from aporia_provider.schema import VersionSchema

CLOCKS_DIFFER: Final = timedelta(hours=1)
"""
Maximum difference between the clocks of the workers. Bins that may be newer than a sync by this tolerance are
compared again.
"""


@dataclass(frozen=True)
class KnownPart:
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
    positions: Mapping[str, Position]
    started_at: datetime
    synced_at: datetime | None
    failed: bool

    @property
    def good(self) -> bool:
        """Return whether the last sync succeeded."""
        return self.synced_at is not None and not self.failed


@dataclass(frozen=True)
class KnownVersion:
    """
    A version and its datasets.

    :param model_id: Id of the model.
    :param name: Name of the version.
    :param period: Aggregation period of the model.
    :param registration: Body that the version was registered with.
    :param datasets: Datasets by role.
    :param parts: Checkpoints by role and part.
    :param baseline: Bins of the version, if they may be newer than the last sync of a part; otherwise None.
    """

    model_id: str
    name: str
    period: str
    registration: Mapping[str, Any]
    datasets: dict[str, DatasetConnection] = field(default_factory=dict)
    parts: dict[tuple[str, str], KnownPart] = field(default_factory=dict)
    baseline: Baseline | None = None

    @cached_property
    def snapshot(self) -> VersionSnapshot:
        """Return the snapshot used by syncs; without bins, unless they may be newer."""
        schema = VersionSchema.from_wire(self.registration)
        return VersionSnapshot(schema, self.period, self.datasets, self.baseline or Baseline())

    def of(self, role: str) -> list[KnownPart]:
        """Return the parts of a dataset for which a sync was started."""
        return [part for (owner, _), part in self.parts.items() if owner == role]


def known_versions(session: Session, environment: str) -> list[KnownVersion]:
    """Return all versions that have datasets, in the order of their registration."""
    datasets, parts = _datasets(session, environment), _parts(session, environment)
    query = (
        select(VersionRow.key, VersionRow.name, VersionRow.registration, ModelRow.id, ModelRow.registration)
        .join(ModelRow, VersionRow.model_key == ModelRow.key)
        .where(ModelRow.environment == environment, VersionRow.key.in_(select(DatasetRow.version_key)))
        .order_by(VersionRow.key)
    )
    newer = _newer_grids(session, environment, parts)
    return [
        KnownVersion(
            model_id=model_id,
            name=name,
            period=model.get("aggregation_period") or "daily",
            registration=registration,
            datasets=datasets[key],
            parts=parts[key],
            baseline=read_baseline(session, key) if key in newer else None,
        )
        for key, name, registration, model_id, model in session.execute(query)
    ]


def record_unchanged(session: Session, keys: Iterable[int], at: datetime) -> None:
    """
    Record that parts are up to date, like a sync without changes.

    :param keys: Keys of the checkpoints' rows.
    :param at: Start of the check.
    """
    wanted = sorted(keys)
    for start in range(0, len(wanted), _AT_ONCE):
        rows = select(SyncRow.key).where(
            SyncRow.key.in_(wanted[start : start + _AT_ONCE]),
            SyncRow.error.is_(None),
            SyncRow.started_at < at,
        )
        # Rows locked by a sync are skipped: the sync records its own result. The fixed order prevents
        # deadlocks.
        free = session.scalars(rows.order_by(SyncRow.key).with_for_update(skip_locked=True)).all()
        changed = update(SyncRow).where(SyncRow.key.in_(free)).values(started_at=at, synced_at=at)
        session.execute(changed.execution_options(synchronize_session=False))


_AT_ONCE = 500


def _datasets(session: Session, environment: str) -> dict[int, dict[str, DatasetConnection]]:
    query = select(DatasetRow).join(VersionRow, DatasetRow.version_key == VersionRow.key)
    found: dict[int, dict[str, DatasetConnection]] = defaultdict(dict)
    for row in session.scalars(_within(query, environment).order_by(DatasetRow.key)):
        found[row.version_key][row.role] = connection_of(row)
    return found


def _parts(session: Session, environment: str) -> dict[int, dict[tuple[str, str], KnownPart]]:
    # Reports and bins, which are much larger, are not needed.
    columns = (SyncRow.key, SyncRow.fingerprint, SyncRow.position, SyncRow.started_at, SyncRow.synced_at)
    query = (
        select(DatasetRow.version_key, DatasetRow.role, SyncRow.part, SyncRow.error.is_not(None), *columns)
        .join(SyncRow, SyncRow.dataset_key == DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
    )
    found: dict[int, dict[tuple[str, str], KnownPart]] = defaultdict(dict)
    for version, role, part, failed, key, seen, position, started, synced in session.execute(
        _within(query, environment)
    ):
        positions = {owner: Position(**stored) for owner, stored in (position or {}).items()}
        found[version][role, part] = KnownPart(key, seen or "", positions, started, synced, failed)
    return found


def _newer_grids(
    session: Session, environment: str, parts: Mapping[int, Mapping[tuple[str, str], KnownPart]]
) -> set[int]:
    """Return the versions whose bins may have been stored after the last sync of one of their parts began."""
    query = select(GridRow.version_key, GridRow.created_at).join(
        VersionRow, GridRow.version_key == VersionRow.key
    )
    return {
        version
        for version, stored_at in session.execute(_within(query, environment))
        if any(part.started_at - CLOCKS_DIFFER < stored_at for part in parts.get(version, {}).values())
    }


def _within(query: Any, environment: str) -> Any:
    return query.join(ModelRow, VersionRow.model_key == ModelRow.key).where(
        ModelRow.environment == environment
    )
