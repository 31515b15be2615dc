"""Profiles of a dataset's own columns."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from aporia_provider.backend.registration.profile_plans import DatasetPlan, fields_plan, with_baseline
from aporia_provider.backend.store.baselines import Baseline
from aporia_provider.backend.store.buckets import Interval, described, whole_buckets
from aporia_provider.backend.sync.context import Checkpoint, Result, SyncContext, VersionSnapshot
from aporia_provider.backend.sync.fingerprints import fields_fingerprint, registered_part, used_grids
from aporia_provider.backend.sync.version_grids import baseline_for
from aporia_provider.lake.log.changes import Changes
from aporia_provider.monitoring.profiles.plan import ProfilePlan
from aporia_provider.preflight.type_differences import field_types

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)

_NEW_BINS = "the bins of some fields were made anew"


def sync_fields(context: SyncContext, role: str, checkpoint: Checkpoint, *, anew: bool = False) -> Result:
    """
    Profile the changes of a dataset since its last sync.

    :param context: Context of the sync.
    :param role: Role of the dataset.
    :param checkpoint: Checkpoint of the last sync.
    :param anew: Whether to rebuild the bins that were made from this dataset.
    :raises aporia_provider.errors.AporiaError: if the dataset cannot be read, or its columns no longer match
        the schema.
    """
    table = context.table(role)
    changes = table.log.changes(checkpoint.positions.get(role))
    known = fields_fingerprint(context.snapshot, role, context.snapshot.baseline.grids)
    if not changes.whole and checkpoint.fingerprint != known:
        changes = Changes(_difference(checkpoint.fingerprint, known), whole=True)
    if not changes.any:
        return Result(Checkpoint(known, context.positions(role)), changes.reason)
    return _profiled(context, role, changes, anew)


def _profiled(context: SyncContext, role: str, changes: Changes, anew: bool) -> Result:
    table, snapshot = context.table(role), context.snapshot
    types = table.check(table.frames.all(context.spark), snapshot.schema)
    plan = fields_plan(table.dataset, snapshot.schema, types)
    rows = _rows(context, role, plan, changes)
    baseline = baseline_for(context, role, plan, rows, anew=anew)
    if baseline.grids != snapshot.baseline.grids:
        known_part = not changes.whole
        changes = Changes(_with_bins(changes, snapshot.baseline, baseline), whole=True)
        rows = _rows(context, role, plan, changes) if known_part else rows
    intervals = _intervals(changes, snapshot.seconds)
    log.info("%s dataset: %s; reading %s", role, changes.reason, described(intervals, changes.untimed))
    extent = table.log.extent(intervals)
    result = Result(
        checkpoint=Checkpoint(fields_fingerprint(snapshot, role, baseline.grids), context.positions(role)),
        reason=changes.reason,
        states=table.profile(rows, plan.columns, _plan(snapshot, plan, baseline), extent),
        intervals=intervals,
        untimed=changes.untimed,
        extent=extent,
        types=field_types(table.dataset, snapshot.schema, types),
        notes=table.log.notes,
    )
    return _with_baseline(result, snapshot, role, baseline)


def _rows(context: SyncContext, role: str, plan: DatasetPlan, changes: Changes) -> DataFrame:
    """Return the rows of the changed buckets."""
    intervals = _intervals(changes, context.snapshot.seconds)
    return context.table(role).frames.during(context.spark, plan.columns.values(), intervals, changes.untimed)


def _plan(snapshot: VersionSnapshot, plan: DatasetPlan, baseline: Baseline) -> ProfilePlan:
    """Return the plan to profile a dataset's rows, with the bins of the version."""
    outcomes = with_baseline(plan.outcomes, baseline.grids)
    return ProfilePlan(snapshot.period, plan.fields, outcomes, baseline.grids)


def _with_baseline(result: Result, snapshot: VersionSnapshot, role: str, baseline: Baseline) -> Result:
    """Return the result with the bins of its states."""
    used, position = used_grids(snapshot, role, baseline.grids), result.checkpoint.positions.get(role)
    made_now = all(snapshot.baseline.grids.get(key) is not used[key] for key in used)
    whole = result.intervals is None and made_now
    return replace(
        result,
        baseline=None if baseline is snapshot.baseline else baseline,
        grids=used,
        made_at=position.version if whole and position is not None else None,
    )


def _intervals(changes: Changes, seconds: int) -> tuple[Interval, ...] | None:
    return None if changes.whole else tuple(whole_buckets(changes.intervals, seconds))


def _with_bins(changes: Changes, known: Baseline, found: Baseline) -> str:
    """Return the reason why all rows are read after a change of bins."""
    if any(grid != found.grids.get(key) for key, grid in known.grids.items()):
        return f"{changes.reason}; {_NEW_BINS}"
    return changes.reason if changes.whole else "some fields have bins only now"


def _difference(checkpoint: str | None, known: str) -> str:
    """Return the reason why a fingerprint differs."""
    if checkpoint is not None and registered_part(checkpoint) == registered_part(known):
        return _NEW_BINS
    return "what is profiled, or how, has changed"
