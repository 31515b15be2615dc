"""The profile of a dataset's own columns."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from aporia_provider.backend.sync.buckets import Interval, described, whole_buckets
from aporia_provider.backend.sync.grids import baseline_for
from aporia_provider.backend.sync.planning import fields_plan, with_score_edges
from aporia_provider.backend.sync.work import STATES, Desk, Result, Seen
from aporia_provider.columns.differences import field_types
from aporia_provider.lake.changes import Changes
from aporia_provider.monitoring.plan import Grid, ProfilePlan, dump_grids, fingerprint

log = logging.getLogger(__name__)


def sync_fields(desk: Desk, role: str, seen: Seen) -> Result:
    """
    Profile what has changed of a dataset since it was last synced.

    :param desk: Its version.
    :param role: Its role.
    :param seen: How far it was synced.
    :raises aporia_provider.errors.AporiaError: if it cannot be read, or its columns do not fit any more.
    """
    table = desk.table(role)
    changes = table.changes(seen.positions.get(role))
    known = _fingerprint(desk, role, desk.subject.baseline.grids)
    if not changes.whole and seen.fingerprint != known:
        changes = Changes("what is profiled, or how, has changed", whole=True)
    if not changes.any:
        return Result(Seen(known, desk.positions(role)), changes.reason)
    return _profiled(desk, role, changes)


def _profiled(desk: Desk, role: str, changes: Changes) -> Result:
    table, subject = desk.table(role), desk.subject
    frame = table.frame(desk.spark)
    types = table.check(frame, subject.schema)
    plan = fields_plan(table.dataset, subject.schema, types)
    intervals = _intervals(changes, subject.seconds)
    rows = table.rows(desk.spark, plan.columns.values(), intervals, changes.untimed)
    baseline = baseline_for(desk, role, plan, rows)
    if baseline is not subject.baseline and intervals is not None:
        changes, intervals = Changes("some fields have bins only now", whole=True), None
        rows = table.rows(desk.spark, plan.columns.values())
    log.info("%s dataset: %s; reading %s", role, changes.reason, described(intervals))
    extent = table.extent(intervals)
    outcomes = with_score_edges(plan.outcomes, baseline.grids)
    states = table.profile(
        rows,
        plan.columns,
        ProfilePlan(subject.period, plan.fields, outcomes, baseline.grids),
        extent,
    )
    return Result(
        seen=Seen(_fingerprint(desk, role, baseline.grids), desk.positions(role)),
        reason=changes.reason,
        states=states,
        intervals=intervals,
        untimed=changes.untimed,
        baseline=None if baseline is subject.baseline else baseline,
        extent=extent,
        grids=_used(desk, role, baseline.grids),
        types=field_types(table.dataset, subject.schema, types),
    )


def _intervals(changes: Changes, seconds: int) -> tuple[Interval, ...] | None:
    return None if changes.whole else tuple(whole_buckets(changes.intervals, seconds))


def _fingerprint(desk: Desk, role: str, grids: Mapping[str, Grid]) -> str:
    """Stands for everything that the states depend on besides the rows."""
    subject = desk.subject
    registered = {**subject.datasets[role].serialize(), "sync": None}
    used = dump_grids(_used(desk, role, grids))
    return fingerprint(STATES, subject.schema.to_wire(""), subject.period, registered, used)


def _used(desk: Desk, role: str, grids: Mapping[str, Grid]) -> dict[str, Grid]:
    """The grids of the fields that a dataset has."""
    columns = desk.subject.datasets[role].columns(desk.subject.schema)
    keys = {f"{category}.{name}" for category, name, _ in columns}
    return {key: grid for key, grid in grids.items() if key in keys or key.rpartition("[")[0] in keys}
