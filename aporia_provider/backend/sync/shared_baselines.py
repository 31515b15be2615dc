"""Baselines shared by versions: one version reads the table, the others copy its stored states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.baselines import Baseline
from aporia_provider.backend.store.profiles import read_baseline, read_profile
from aporia_provider.backend.store.retention_cutoffs import RETAINED_ROLES, registered_retention
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, VersionRow
from aporia_provider.backend.sync.context import Checkpoint, Result, SyncContext
from aporia_provider.backend.sync.fingerprints import dataset_bins, fields_fingerprint, fields_registration
from aporia_provider.datasets import ROLES
from aporia_provider.lake.log.changes import LogPosition


def copy_field_profiles(
    scope: RegistryBase, context: SyncContext, role: str, checkpoint: Checkpoint
) -> Result | None:
    """
    Return the first sync of a baseline dataset, copied from another version with an identical dataset.

    Datasets are identical if schema, period and dataset are equal, and the table is at the same
    commit. The other version's bins and states must have been computed from all rows at that commit, so
    reading the table would result in the same bins and states, to the last bit.

    :param scope: The environment whose versions are searched.
    :param context: Context of the sync.
    :param role: Role of the dataset.
    :param checkpoint: Checkpoint of the dataset.
    :return: None if there is no such version, or the bins are not made from this dataset.
    """
    baseline_role = context.snapshot.baseline.role
    best_role = next((candidate for candidate in ROLES if candidate in context.snapshot.readable_roles), None)
    if checkpoint != Checkpoint() or role != best_role or role == baseline_role:
        return None
    if context.snapshot.cutoffs(role) is not None:
        # Copied states would have to be complete.
        return None
    position = context.positions(role).get(role)
    if position is None or position.commit is None:
        return None
    with scope.database.read_transaction() as session:
        for key, version, description in _identical_datasets(session, scope.environment, context, role):
            if (row := _lock_checkpoint(session, key, role, position)) is None:
                continue
            baseline = read_baseline(session, version)
            if _has_own_bins(row, context, role, baseline):
                return _copied_result(session, row, context, role, position, baseline, description)
    return None


def _identical_datasets(
    session: Session, environment: str, context: SyncContext, role: str
) -> list[tuple[int, int, str]]:
    """Return checkpoint key, version key and version description of identically registered datasets."""
    registration = fields_registration(context.snapshot, role)
    # Bins and positions may be large, so they are read one checkpoint at a time.
    query = (
        select(SyncRow.key, VersionRow.key, ModelRow.id, VersionRow.name, ModelRow.registration)
        .join(DatasetRow, SyncRow.dataset_key == DatasetRow.key)
        .join(VersionRow, DatasetRow.version_key == VersionRow.key)
        .join(ModelRow, VersionRow.model_key == ModelRow.key)
        .where(ModelRow.environment == environment, DatasetRow.role == role, SyncRow.part == FIELDS)
        .where(SyncRow.error.is_(None), SyncRow.fingerprint.startswith(f"{registration}."))
        .order_by(SyncRow.key)
    )
    return [
        (key, version, f"version {name!r} of model {model!r}")
        for key, version, model, name, registered in session.execute(query)
        # States of the other model may have been dropped.
        if role not in RETAINED_ROLES or registered_retention(registered) is None
    ]


def _lock_checkpoint(session: Session, key: int, role: str, position: LogPosition) -> SyncRow | None:
    """Return a checkpoint if all of it was computed at the current commit of the table; otherwise None."""
    stored = session.execute(select(SyncRow.position, SyncRow.report).filter_by(key=key)).one_or_none()
    if stored is None or not _is_at(stored[0], stored[1], role, position):
        return None
    # Lock the row, so that the states do not change while they are read. It may have been synced since.
    row = session.scalar(select(SyncRow).filter_by(key=key, error=None).with_for_update(read=True))
    return row if row is not None and _is_at(row.position, row.report, role, position) else None


def _is_at(
    positions: Mapping[str, Any] | None, report: Mapping[str, Any] | None, role: str, position: LogPosition
) -> bool:
    stored, computed_at = (positions or {}).get(role), (report or {}).get("made_at")
    return stored is not None and LogPosition(**stored) == position and computed_at == position.version


def _has_own_bins(row: SyncRow, context: SyncContext, role: str, baseline: Baseline) -> bool:
    """Return whether the states use their version's current bins, all made from the dataset itself."""
    bins = dataset_bins(context.snapshot, role, baseline.bins)
    return row.fingerprint == fields_fingerprint(context.snapshot, role, baseline.bins) and all(
        baseline.origins[key].role == role for key in bins
    )


def _copied_result(
    session: Session,
    row: SyncRow,
    context: SyncContext,
    role: str,
    position: LogPosition,
    baseline: Baseline,
    description: str,
) -> Result:
    bins = dataset_bins(context.snapshot, role, baseline.bins)
    report: dict[str, Any] = row.report or {}
    return Result(
        checkpoint=Checkpoint(row.fingerprint, {role: position}),
        reason=f"copied from {description}, whose {role} dataset is the same",
        # The performance part belongs to the labels of that version.
        states={
            (bucket, key): state for bucket, key, state in read_profile(session, row.dataset_key, FIELDS)
        },
        intervals=None,
        baseline=Baseline(role, bins, {key: baseline.origins[key] for key in bins}),
        bins=bins,
        types=report.get("types") or {},
        notes=context.table(role).log.notes,
        computed_at_version=position.version,
        copied=True,
    )
