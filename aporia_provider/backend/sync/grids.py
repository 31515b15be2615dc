"""The grids of a version: made once from its baseline, and kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aporia_provider.backend.sync.planning import DatasetPlan, fields_plan
from aporia_provider.backend.sync.table import ConnectedTable
from aporia_provider.backend.sync.work import Baseline, Desk
from aporia_provider.datasets import ROLES
from aporia_provider.monitoring.plan import FieldPlan, Grid

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def baseline_for(desk: Desk, role: str, plan: DatasetPlan, rows: DataFrame) -> Baseline:
    """
    The grids to profile a dataset on: those of the version, or new ones if a better baseline is connected
    now. Fields that the baseline has no values of get their grid from the rows at hand.

    :param desk: The version.
    :param role: Role of the dataset that is synced.
    :param plan: Its plan.
    :param rows: Its rows that are about to be profiled.
    :raises aporia_provider.errors.AporiaError: if the baseline's table cannot be read.
    """
    known = desk.subject.baseline
    best = next(candidate for candidate in ROLES if candidate in desk.subject.readable)
    # The best baseline comes first among the roles.
    if known.role is None or ROLES.index(best) < ROLES.index(known.role):
        better = _made_from(desk, best)
        known = better if better.grids else known
    missing = [field for field in plan.fields if field.key not in known.grids]
    own = _made(desk.table(role), plan, missing, rows)
    return Baseline(known.role or role, {**known.grids, **own}) if own else known


def _made_from(desk: Desk, role: str) -> Baseline:
    table = desk.table(role)
    frame = table.frame(desk.spark)
    plan = fields_plan(table.dataset, desk.subject.schema, table.check(frame, desk.subject.schema))
    grids = _made(table, plan, plan.fields, table.rows(desk.spark, plan.columns.values()))
    return Baseline(role if grids else None, grids)


def _made(
    table: ConnectedTable, plan: DatasetPlan, fields: Iterable[FieldPlan], rows: DataFrame
) -> dict[str, Grid]:
    fields = list(fields)
    if not fields:
        return {}
    columns = {field.column: plan.columns[field.column] for field in fields}
    return table.grids(rows, columns, fields)
