"""The profile of a dataset's own columns."""

from __future__ import annotations

import logging

from aporia_provider.backend.sync.baseline import Baseline
from aporia_provider.backend.sync.buckets import Interval, described, whole_buckets
from aporia_provider.backend.sync.fingerprints import fields_fingerprint, registered_part, used_grids
from aporia_provider.backend.sync.grids import baseline_for
from aporia_provider.backend.sync.planning import fields_plan, with_baseline
from aporia_provider.backend.sync.work import Desk, Result, Seen
from aporia_provider.columns.differences import field_types
from aporia_provider.lake.changes import Changes
from aporia_provider.monitoring.plan import ProfilePlan

log = logging.getLogger(__name__)

_NEW_BINS = "the bins of some fields were made anew"


def sync_fields(desk: Desk, role: str, seen: Seen, *, anew: bool = False) -> Result:
    """
    Profile what has changed of a dataset since it was last synced.

    :param desk: Its version.
    :param role: Its role.
    :param seen: How far it was synced.
    :param anew: Whether to make the grids anew that were made from this dataset.
    :raises aporia_provider.errors.AporiaError: if it cannot be read, or its columns do not fit any more.
    """
    table = desk.table(role)
    changes = table.log.changes(seen.positions.get(role))
    known = fields_fingerprint(desk.subject, role, desk.subject.baseline.grids)
    if not changes.whole and seen.fingerprint != known:
        changes = Changes(_difference(seen.fingerprint, known), whole=True)
    if not changes.any:
        return Result(Seen(known, desk.positions(role)), changes.reason)
    return _profiled(desk, role, changes, anew)


def _profiled(desk: Desk, role: str, changes: Changes, anew: bool) -> Result:
    table, subject = desk.table(role), desk.subject
    frame = table.frames.all(desk.spark)
    types = table.check(frame, subject.schema)
    plan = fields_plan(table.dataset, subject.schema, types)
    intervals = _intervals(changes, subject.seconds)
    rows = table.frames.during(desk.spark, plan.columns.values(), intervals, changes.untimed)
    baseline = baseline_for(desk, role, plan, rows, anew=anew)
    if baseline.grids != subject.baseline.grids:
        changes = Changes(_with_bins(changes, subject.baseline, baseline), whole=True)
        if intervals is not None:
            intervals, rows = None, table.frames.during(desk.spark, plan.columns.values())
    log.info("%s dataset: %s; reading %s", role, changes.reason, described(intervals, changes.untimed))
    extent = table.log.extent(intervals)
    outcomes = with_baseline(plan.outcomes, baseline.grids)
    states = table.profile(
        rows,
        plan.columns,
        ProfilePlan(subject.period, plan.fields, outcomes, baseline.grids),
        extent,
    )
    positions, used = desk.positions(role), used_grids(subject, role, baseline.grids)
    anew = intervals is None and all(subject.baseline.grids.get(key) is not used[key] for key in used)
    return Result(
        seen=Seen(fields_fingerprint(subject, role, baseline.grids), positions),
        reason=changes.reason,
        states=states,
        intervals=intervals,
        untimed=changes.untimed,
        baseline=None if baseline is subject.baseline else baseline,
        extent=extent,
        grids=used,
        types=field_types(table.dataset, subject.schema, types),
        notes=table.log.notes,
        made_at=positions[role].version if anew and role in positions else None,
    )


def _intervals(changes: Changes, seconds: int) -> tuple[Interval, ...] | None:
    return None if changes.whole else tuple(whole_buckets(changes.intervals, seconds))


def _with_bins(changes: Changes, known: Baseline, found: Baseline) -> str:
    """Why all rows are read where grids have changed."""
    if any(grid != found.grids.get(key) for key, grid in known.grids.items()):
        return f"{changes.reason}; {_NEW_BINS}"
    return changes.reason if changes.whole else "some fields have bins only now"


def _difference(seen: str | None, known: str) -> str:
    """Why a fingerprint is another one."""
    if seen is not None and registered_part(seen) == registered_part(known):
        return _NEW_BINS
    return "what is profiled, or how, has changed"
