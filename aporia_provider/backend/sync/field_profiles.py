"""Profiles of a dataset's own columns."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from aporia_provider.backend.registration.profile_plans import DatasetPlan, fields_plan, with_baseline
from aporia_provider.backend.registration.version_segments import sums_plans, term_plans
from aporia_provider.backend.store.baselines import Baseline
from aporia_provider.backend.store.buckets import describe_intervals
from aporia_provider.backend.sync.changed_buckets import ChangedBuckets
from aporia_provider.backend.sync.context import Checkpoint, Result, SyncContext, VersionSnapshot
from aporia_provider.backend.sync.fingerprints import dataset_bins, fields_fingerprint, registration_hash
from aporia_provider.backend.sync.joined_segments import NO_SEGMENTS, JoinedSegments
from aporia_provider.backend.sync.version_bins import baseline_for
from aporia_provider.lake.log.changes import Changes
from aporia_provider.monitoring.profiles.plan import ProfilePlan, SegmentTermPlan
from aporia_provider.preflight.type_differences import field_types

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

log = logging.getLogger(__name__)

_NEW_BINS = "the bins of some fields were rebuilt"


def sync_fields(
    context: SyncContext,
    role: str,
    checkpoint: Checkpoint,
    segments: JoinedSegments = NO_SEGMENTS,
    *,
    rebuild_bins: bool = False,
) -> Result:
    """
    Profile the changes of a dataset since its last sync.

    :param context: Context of the sync.
    :param role: Role of the dataset.
    :param checkpoint: Checkpoint of the last sync.
    :param segments: Segments to profile as well.
    :param rebuild_bins: Whether to rebuild the bins that were made from this dataset.
    :raises aporia_provider.errors.AporiaError: if the dataset cannot be read, or its columns no longer match
        the schema.
    """
    table, position = context.table(role), checkpoint.positions.get(role)
    if checkpoint.fingerprint is None or table.log.has_new_commits(position):
        # The engine starts while the changes are determined.
        context.start_engine()
    changes = table.log.changes(position)
    fingerprint = fields_fingerprint(context.snapshot, role, context.snapshot.baseline.bins)
    if not changes.entire_table and checkpoint.fingerprint != fingerprint:
        changes = Changes(_fingerprint_reason(checkpoint.fingerprint, fingerprint), entire_table=True)
    buckets = _buckets(context, role, changes)
    if not changes.has_changes or (buckets.intervals == () and not changes.null_timestamps):
        new_checkpoint = Checkpoint(fingerprint, context.positions(role))
        keys = segments.keys(all_rows=False)
        return Result(new_checkpoint, changes.reason, late_buckets=buckets.late, segments=keys)
    return _profile_changes(context, role, changes, segments, rebuild_bins)


def _profile_changes(
    context: SyncContext, role: str, changes: Changes, segments: JoinedSegments, rebuild_bins: bool
) -> Result:
    table, snapshot = context.table(role), context.snapshot
    types = table.check(table.rows.all(context.spark), snapshot.schema)
    plan = fields_plan(table.dataset, snapshot.schema, types)
    rows = _rows(context, role, plan, changes)
    baseline = snapshot.baseline
    if segments.whole:
        baseline = baseline_for(context, role, plan, rows, rebuild=rebuild_bins)
    if baseline.bins != snapshot.baseline.bins:
        is_partial = not changes.entire_table
        changes = Changes(_bins_reason(changes, snapshot.baseline, baseline), entire_table=True)
        rows = _rows(context, role, plan, changes) if is_partial else rows
    buckets = _buckets(context, role, changes)
    intervals = buckets.intervals
    log.info(
        "%s dataset: %s; reading %s",
        role,
        changes.reason,
        describe_intervals(intervals, changes.null_timestamps),
    )
    extent = table.log.extent(intervals)
    computed = segments.computed(all_rows=changes.entire_table)
    profile_plan = replace(
        _profile_plan(
            snapshot, plan, baseline, term_plans(computed, plan.term_columns), whole=segments.whole
        ),
        sums=sums_plans(computed, plan.term_columns),
    )
    result = Result(
        checkpoint=Checkpoint(fields_fingerprint(snapshot, role, baseline.bins), context.positions(role)),
        reason=changes.reason,
        states=table.profile(rows, plan.columns, profile_plan, extent),
        intervals=intervals,
        null_timestamps=changes.null_timestamps,
        extent=extent,
        types=field_types(table.dataset, snapshot.schema, types),
        notes=table.log.notes,
        committed_at=table.log.committed_at,
        cutoffs=buckets.cutoffs,
        late_buckets=buckets.late,
        segments=segments.keys(all_rows=changes.entire_table),
        whole=segments.whole,
    )
    return _with_baseline(result, snapshot, role, baseline)


def _rows(context: SyncContext, role: str, plan: DatasetPlan, changes: Changes) -> DataFrame:
    """Return the rows of the changed buckets."""
    intervals = _buckets(context, role, changes).intervals
    return context.table(role).rows.in_intervals(
        context.spark, plan.columns.values(), intervals, changes.null_timestamps
    )


def _profile_plan(
    snapshot: VersionSnapshot,
    plan: DatasetPlan,
    baseline: Baseline,
    segments: tuple[SegmentTermPlan, ...],
    *,
    whole: bool,
) -> ProfilePlan:
    """Return the plan to profile a dataset's rows, with the bins of the version."""
    outcomes = with_baseline(plan.outcomes, baseline.bins)
    return ProfilePlan(snapshot.period, plan.fields, outcomes, baseline.bins, segments, whole)


def _with_baseline(result: Result, snapshot: VersionSnapshot, role: str, baseline: Baseline) -> Result:
    """Return the result with the bins of its states."""
    bins, position = dataset_bins(snapshot, role, baseline.bins), result.checkpoint.positions.get(role)
    all_new = all(snapshot.baseline.bins.get(key) is not bins[key] for key in bins)
    is_complete = result.intervals is None and all_new
    return replace(
        result,
        baseline=None if baseline is snapshot.baseline else baseline,
        bins=bins,
        computed_at_version=position.version if is_complete and position is not None else None,
    )


def _buckets(context: SyncContext, role: str, changes: Changes) -> ChangedBuckets:
    changed = None if changes.entire_table else changes.intervals
    return ChangedBuckets.of(context.snapshot, role, changed)


def _bins_reason(changes: Changes, previous: Baseline, current: Baseline) -> str:
    """Return the reason why all rows are read after a change of bins."""
    if any(bins != current.bins.get(key) for key, bins in previous.bins.items()):
        return f"{changes.reason}; {_NEW_BINS}"
    return changes.reason if changes.entire_table else "the first bins of some fields were built"


def _fingerprint_reason(stored: str | None, current: str) -> str:
    """Return the reason why a fingerprint differs."""
    if stored is not None and registration_hash(stored) == registration_hash(current):
        return _NEW_BINS
    return "the schema, the dataset or the profiling method has changed"
