"""Bins of a version: built from its baseline dataset, and rebuilt once more data is available."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aporia_provider.backend.registration.profile_plans import DatasetPlan, fields_plan
from aporia_provider.backend.store.baselines import Baseline, Origin
from aporia_provider.backend.sync.context import SyncContext
from aporia_provider.datasets import ROLES
from aporia_provider.monitoring.profiles.plan import FieldPlan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def baseline_for(
    context: SyncContext, role: str, plan: DatasetPlan, rows: DataFrame, *, rebuild: bool
) -> Baseline:
    """
    Return the bins to profile a dataset with.

    These are the version's bins, or new ones if a better baseline dataset has been connected. Bins that were
    made from this dataset are rebuilt if they are provisional and the number of rows has doubled. Bins of
    other fields are made from the given rows.

    :param context: Context of the sync.
    :param role: Role of the dataset.
    :param plan: Plan of the dataset.
    :param rows: Rows that are about to be profiled.
    :param rebuild: Whether to rebuild all bins that were made from this dataset.
    :return: The version's bins; the same object if they are unchanged.
    :raises aporia_provider.errors.AporiaError: if the table of the baseline dataset cannot be read.
    """
    baseline = context.snapshot.baseline
    best_role = next(candidate for candidate in ROLES if candidate in context.snapshot.readable_roles)
    # Roles are ordered by preference as a baseline.
    if baseline.role is None or ROLES.index(best_role) < ROLES.index(baseline.role):
        better = _baseline_of(context, best_role)
        baseline = better if better.bins else baseline
    if baseline is context.snapshot.baseline:
        baseline = _rebuild_bins(context, role, plan, rebuild)
    new = _compute_baseline(
        context, role, plan, [field for field in plan.fields if field.key not in baseline.bins], rows
    )
    return baseline.merged(new) if new.bins else baseline


def _baseline_of(context: SyncContext, role: str) -> Baseline:
    table = context.table(role)
    frame = table.rows.all(context.spark)
    plan = fields_plan(table.dataset, context.snapshot.schema, table.check(frame, context.snapshot.schema))
    return _compute_baseline(
        context, role, plan, plan.fields, table.rows.in_intervals(context.spark, plan.columns.values())
    )


def _rebuild_bins(context: SyncContext, role: str, plan: DatasetPlan, rebuild: bool) -> Baseline:
    """
    Return the version's bins, after rebuilding those that have to be replaced from all rows of a dataset.
    """
    baseline, table = context.snapshot.baseline, context.table(role)
    origins = baseline.made_from(role)
    if not any(rebuild or origin.provisional for origin in origins.values()):
        return baseline
    count = table.row_count(context.spark)
    outdated = {key for key, origin in origins.items() if rebuild or origin.needs_rebuild(count)}
    fields = [field for field in plan.fields if any(_belongs_to(field, key) for key in outdated)]
    if not fields:
        return baseline
    rebuilt = _compute_baseline(
        context, role, plan, fields, table.rows.in_intervals(context.spark, plan.columns.values())
    )
    replaced = [field for field in fields if field.key in rebuilt.bins]
    return baseline.without(
        key for key in baseline.bins if any(_belongs_to(field, key) for field in replaced)
    ).merged(rebuilt)


def _belongs_to(field: FieldPlan, key: str) -> bool:
    """Return whether a key belongs to a field, or to a key of a dict field."""
    return field.key in (key, key.rpartition("[")[0])


def _compute_baseline(
    context: SyncContext, role: str, plan: DatasetPlan, fields: Iterable[FieldPlan], rows: DataFrame
) -> Baseline:
    table, fields = context.table(role), list(fields)
    if not fields:
        return Baseline()
    columns = {field.column: plan.columns[field.column] for field in fields}
    computed = table.bins(rows, columns, fields)
    count = table.row_count(context.spark) if computed else 0
    return Baseline(
        role if computed else None,
        {key: item.bins for key, item in computed.items()},
        {key: Origin(role, item.values, count) for key, item in computed.items()},
    )
