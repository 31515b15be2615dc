"""The grids of a version: made from its baseline, kept, and made anew once there is enough data for them."""

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
    The grids to profile a dataset on: those of the version, or new ones if a better baseline is connected
    now. Grids that were made from this dataset are made anew if there were too few values and the dataset has
    twice as many rows by now. Fields without a grid get theirs from the rows at hand.

    :param context: The version.
    :param role: Role of the dataset that is synced.
    :param plan: Its plan.
    :param rows: Its rows that are about to be profiled.
    :param anew: Whether to make all grids anew that were made from this dataset.
    :return: The version's grids, the same object if nothing about them has changed.
    :raises aporia_provider.errors.AporiaError: if the baseline's table cannot be read.
    """
    known = context.snapshot.baseline
    best = next(candidate for candidate in ROLES if candidate in context.snapshot.readable)
    # The best baseline comes first among the roles.
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
    """The version's grids, some of those that were made from a dataset made anew from all of its rows."""
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
    """Whether a key is that of a field, or of a key of it if it is a dict."""
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
