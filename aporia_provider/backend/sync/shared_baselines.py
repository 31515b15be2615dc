"""Baselines that versions share: one of them reads the table, the others copy what it has stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.scope import Scope
from aporia_provider.backend.store.baselines import Baseline
from aporia_provider.backend.store.profiles import read_baseline, read_profile
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, VersionRow
from aporia_provider.backend.sync.context import Checkpoint, Result, SyncContext
from aporia_provider.backend.sync.fingerprints import fields_fingerprint, fields_registered, used_grids
from aporia_provider.datasets import ROLES
from aporia_provider.lake.log.changes import Position


def copied_fields(scope: Scope, context: SyncContext, role: str, checkpoint: Checkpoint) -> Result | None:
    """
    The first sync of a baseline from what another version has stored of the same one.

    It is the same if schema, period and dataset are registered alike, the table is at the same commit, and
    both the bins and the states of the other version were made there from all rows. Reading the table would
    come to the same bins and states, to the last bit.

    :param scope: The environment whose versions are looked through.
    :param context: The version.
    :param role: Role of the dataset.
    :param checkpoint: How far it was synced.
    :return: None if there is no such version, or the dataset is not one that bins are made from first.
    """
    known = context.snapshot.baseline.role
    best = next((candidate for candidate in ROLES if candidate in context.snapshot.readable), None)
    if checkpoint != Checkpoint() or role != best or role == known:
        return None
    position = context.positions(role).get(role)
    if position is None or position.commit is None:
        return None
    with scope.database.reading() as session:
        for key, version, whose in _alike(session, scope.environment, context, role):
            if (row := _synced_to(session, key, role, position)) is None:
                continue
            baseline = read_baseline(session, version)
            if _is_made_there(row, context, role, baseline):
                return _copied(session, row, context, role, position, baseline, whose)
    return None


def _alike(session: Session, environment: str, context: SyncContext, role: str) -> list[tuple[int, int, str]]:
    """Keys of the syncs of datasets that are registered alike, and the key and the name of each version."""
    registered = fields_registered(context.snapshot, role)
    # Grids and positions, which may be large, are read of one after the other.
    query = (
        select(SyncRow.key, VersionRow.key, ModelRow.id, VersionRow.name)
        .join(DatasetRow, SyncRow.dataset_key == DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .join(ModelRow, VersionRow.model_key == ModelRow.key)
        .where(ModelRow.environment == environment, DatasetRow.role == role, SyncRow.part == FIELDS)
        .where(SyncRow.error.is_(None), SyncRow.fingerprint.startswith(f"{registered}."))
        .order_by(SyncRow.key)
    )
    return [
        (key, version, f"version {name!r} of model {model!r}")
        for key, version, model, name in session.execute(query)
    ]


def _synced_to(session: Session, key: int, role: str, position: Position) -> SyncRow | None:
    """The record of a sync, if all of it was made at the commit at which the table is now."""
    known = session.execute(select(SyncRow.position, SyncRow.report).filter_by(key=key)).one_or_none()
    if known is None or not _is_at(known[0], known[1], role, position):
        return None
    # Its states must not change while they are read. It may have been synced since.
    row = session.scalar(select(SyncRow).filter_by(key=key, error=None).with_for_update(read=True))
    return row if row is not None and _is_at(row.position, row.report, role, position) else None


def _is_at(
    positions: Mapping[str, Any] | None, report: Mapping[str, Any] | None, role: str, position: Position
) -> bool:
    stored, made_at = (positions or {}).get(role), (report or {}).get("made_at")
    return stored is not None and Position(**stored) == position and made_at == position.version


def _is_made_there(row: SyncRow, context: SyncContext, role: str, baseline: Baseline) -> bool:
    """Whether the states are those of the bins that the version has, and these were made from the dataset."""
    used = used_grids(context.snapshot, role, baseline.grids)
    return row.fingerprint == fields_fingerprint(context.snapshot, role, baseline.grids) and all(
        baseline.origins[key].role == role for key in used
    )


def _copied(
    session: Session,
    row: SyncRow,
    context: SyncContext,
    role: str,
    position: Position,
    baseline: Baseline,
    whose: str,
) -> Result:
    grids = used_grids(context.snapshot, role, baseline.grids)
    report: dict[str, Any] = row.report or {}
    return Result(
        checkpoint=Checkpoint(row.fingerprint, {role: position}),
        reason=f"copied from {whose}, whose {role} dataset is the same",
        # Its other part belongs to the labels of that version.
        states={
            (bucket, key): state for bucket, key, state in read_profile(session, row.dataset_key, FIELDS)
        },
        intervals=None,
        baseline=Baseline(role, grids, {key: baseline.origins[key] for key in grids}),
        grids=grids,
        types=report.get("types") or {},
        notes=context.table(role).log.notes,
        made_at=position.version,
        copied=True,
    )
