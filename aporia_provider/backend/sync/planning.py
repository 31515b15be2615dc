"""From what is registered to what is profiled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aporia_provider.backend.sync_tables import PERFORMANCE
from aporia_provider.columns.types import kind
from aporia_provider.datasets import DatasetConnection
from aporia_provider.monitoring.grid import NumericGrid
from aporia_provider.monitoring.performance import Options
from aporia_provider.monitoring.plan import FieldPlan, Grid, OutcomePlan
from aporia_provider.schema import VersionSchema

# They stand beside all columns of the predictions, which may have any name.
_LABEL = "__aporia_label_"
_LABEL_TYPES = {"regression": "numeric", "binary": "categorical", "multiclass": "categorical"}


@dataclass(frozen=True)
class DatasetPlan:
    """
    What to read of a dataset, and what to make of it.

    :param fields: The fields.
    :param outcomes: The predictions whose labels are in the same table.
    :param columns: Name in the batches to column of the dataset.
    """

    fields: tuple[FieldPlan, ...] = ()
    outcomes: tuple[OutcomePlan, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)


def fields_plan(dataset: DatasetConnection, schema: VersionSchema, types: Mapping[str, Any]) -> DatasetPlan:
    """
    Plan the profile of a dataset's own columns.

    :param dataset: The dataset.
    :param schema: Schema of its version.
    :param types: Column to type, in Spark's JSON form.
    """
    found = list(dataset.columns(schema))
    names = {(category, name): f"c{place}" for place, (category, name, _) in enumerate(found)}
    fields = tuple(
        _field(schema, category, name, names[category, name], types.get(column))
        for category, name, column in found
    )
    pairs = (
        (name, names["predictions", name], label)
        for (category, name), label in names.items()
        if category == "labels" and ("predictions", name) in names
    )
    outcomes = tuple(_outcome(schema, *pair) for pair in pairs)
    return DatasetPlan(fields, outcomes, {names[item[:2]]: item[2] for item in found})


def performance_plan(
    serving: DatasetConnection, actuals: DatasetConnection, schema: VersionSchema
) -> tuple[DatasetPlan, dict[str, str]]:
    """
    Plan the performance of predictions whose labels come later.

    :param serving: The predictions.
    :param actuals: The labels.
    :param schema: Schema of the version.
    :return: What to read of the predictions, and name in the batches to column of the labels.
    """
    predictions = {
        name: column for category, name, column in serving.columns(schema) if category == "predictions"
    }
    own = serving.labels or {}
    labels = [(name, column) for _, name, column in actuals.columns(schema) if name not in own]
    columns = {f"p{place}": predictions[name] for place, (name, _) in enumerate(labels)}
    outcomes = (
        _outcome(schema, name, f"p{place}", f"{_LABEL}{place}") for place, (name, _) in enumerate(labels)
    )
    return DatasetPlan((), tuple(outcomes), columns), {
        f"{_LABEL}{place}": column for place, (_, column) in enumerate(labels)
    }


def _field(schema: VersionSchema, category: str, name: str, column: str, type_: Any) -> FieldPlan:
    key = f"{category}.{name}"
    if category == "labels":
        return FieldPlan(key, _label_type(schema.model_type, type_), column)
    declared = schema.fields(category)[name]
    return FieldPlan(key, declared.type, column, tuple(declared.dimensions or ()))


def _label_type(model_type: str, type_: Any) -> str:
    found = None if type_ is None else kind(type_)
    if found in ("array", "map", "struct"):
        return "array" if found == "array" else "dict"
    return _LABEL_TYPES.get(model_type, "categorical")


def _outcome(schema: VersionSchema, name: str, prediction: str, label: str) -> OutcomePlan:
    options = Options(classes=tuple(schema.labels or ()))
    return OutcomePlan(f"{PERFORMANCE}.{name}", schema.model_type, prediction, label, options)


def with_score_edges(outcomes: Iterable[OutcomePlan], grids: Mapping[str, Grid]) -> tuple[OutcomePlan, ...]:
    """
    Tell outcomes the bins of scores that are no probabilities.

    :param outcomes: The outcomes.
    :param grids: Grids of the predictions.
    """
    return tuple(_with_score_edges(outcome, grids) for outcome in outcomes)


def _with_score_edges(outcome: OutcomePlan, grids: Mapping[str, Grid]) -> OutcomePlan:
    name = outcome.key.removeprefix(f"{PERFORMANCE}.")
    grid = grids.get(f"predictions.{name}")
    if outcome.model_type != "binary" or not isinstance(grid, NumericGrid):
        return outcome
    # The last edge is the float after the maximum.
    if grid.edges[0] >= 0 and grid.edges[-1] <= math.nextafter(1, 2):
        return outcome
    edges = grid.edges if len(grid.edges) > 2 else (*grid.edges, grid.edges[-1] + 1)
    return replace(outcome, options=replace(outcome.options, edges=edges))
