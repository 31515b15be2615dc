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
    context: SyncContext, role: str, plan: DatasetPlan, rows: DataFrame, *, anew: bool
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
    :param anew: Whether to rebuild all bins that were made from this dataset.
    :return: The version's bins; the same object if they are unchanged.
    :raises aporia_provider.errors.AporiaError: if the table of the baseline dataset cannot be read.
    """
    known = context.snapshot.baseline
    best = next(candidate for candidate in ROLES if candidate in context.snapshot.readable)
    # Roles are ordered by preference as a baseline.
    if known.role is None or ROLES.index(best) < ROLES.index(known.role):
        better = _made_from(context, best)
        known = better if better.grids else known
    if known is context.snapshot.baseline:
        known = _renewed(context, role, plan, anew)
    own = _made(context, role, plan, [field for field in plan.fields if field.key not in known.grids], rows)
    return known.joined(own) if own.grids else known


def _made_from(context: SyncContext, role: str) -> Baseline:
    table = context.table(role)
    frame = table.frames.all(context.spark)
    plan = fields_plan(table.dataset, context.snapshot.schema, table.check(frame, context.snapshot.schema))
    return _made(context, role, plan, plan.fields, table.frames.during(context.spark, plan.columns.values()))


def _renewed(context: SyncContext, role: str, plan: DatasetPlan, anew: bool) -> Baseline:
    """
    Return the version's bins, after rebuilding those that have to be replaced from all rows of a dataset.
    """
    known, table = context.snapshot.baseline, context.table(role)
    made_here = known.made_from(role)
    if not any(anew or origin.provisional for origin in made_here.values()):
        return known
    count = table.row_count(context.spark)
    old = {key for key, origin in made_here.items() if anew or origin.outgrown(count)}
    fields = [field for field in plan.fields if any(_is_of(field, key) for key in old)]
    if not fields:
        return known
    made = _made(context, role, plan, fields, table.frames.during(context.spark, plan.columns.values()))
    replaced = [field for field in fields if field.key in made.grids]
    return known.without(key for key in known.grids if any(_is_of(field, key) for field in replaced)).joined(
        made
    )


def _is_of(field: FieldPlan, key: str) -> bool:
    """Return whether a key belongs to a field, or to a key of a dict field."""
    return field.key in (key, key.rpartition("[")[0])


def _made(
    context: SyncContext, role: str, plan: DatasetPlan, fields: Iterable[FieldPlan], rows: DataFrame
) -> Baseline:
    table, fields = context.table(role), list(fields)
    if not fields:
        return Baseline()
    columns = {field.column: plan.columns[field.column] for field in fields}
    made = table.grids(rows, columns, fields)
    count = table.row_count(context.spark) if made else 0
    return Baseline(
        role if made else None,
        {key: item.grid for key, item in made.items()},
        {key: Origin(role, item.values, count) for key, item in made.items()},
    )
