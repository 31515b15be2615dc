"""From what is registered to what is profiled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aporia_provider.backend.sync_tables import PERFORMANCE
from aporia_provider.columns.types import kind, label_type
from aporia_provider.datasets import DatasetConnection
from aporia_provider.monitoring.grid import NumericGrid
from aporia_provider.monitoring.performance import Options
from aporia_provider.monitoring.performance.readings import meaning
from aporia_provider.monitoring.plan import FieldPlan, Grid, OutcomePlan
from aporia_provider.schema import VersionSchema

# They stand beside all columns of the predictions, which may have any name.
_LABEL = "__aporia_label_"
# Kinds of columns that can be profiled as numbers; that of a column without a type is not known.
_COUNTABLE = ("integral", "fractional", "boolean", None)
_QUERY = "batch_id_column_name"
_RELEVANCE = "relevance_column_name"


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
    planned = (
        _field(schema, category, name, names[category, name], types.get(column))
        for category, name, column in found
    )
    fields = tuple(field for field in planned if field is not None)
    query = names.get(("raw_inputs", (schema.mapping or {}).get(_QUERY, "")))
    outcomes = tuple(
        _outcome(schema, name, (names["predictions", name], label), query)
        for (category, name), label in names.items()
        if category == "labels" and ("predictions", name) in names and is_judged(schema, name)
    )
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
    known = {(category, name): column for category, name, column in serving.columns(schema)}
    own = serving.labels or {}
    labels = [
        (name, column)
        for _, name, column in actuals.columns(schema)
        if name not in own and is_judged(schema, name)
    ]
    columns = {f"p{place}": known["predictions", name] for place, (name, _) in enumerate(labels)}
    query = known.get(("raw_inputs", (schema.mapping or {}).get(_QUERY, "")))
    if query is not None:
        columns["q"] = query
    outcomes = (
        _outcome(schema, name, (f"p{place}", f"{_LABEL}{place}"), "q" if query is not None else None)
        for place, (name, _) in enumerate(labels)
    )
    return DatasetPlan((), tuple(outcomes), columns), {
        f"{_LABEL}{place}": column for place, (_, column) in enumerate(labels)
    }


def is_judged(schema: VersionSchema, name: str) -> bool:
    """Whether a prediction is of a type that a model of this type can be judged by."""
    declared = schema.fields("predictions")[name]
    if schema.model_type == "ranking" and declared.type == "numeric":
        return _is_relevance(schema, name) and _QUERY in (schema.mapping or {})
    return label_type(schema.model_type, declared) is not None


def _is_relevance(schema: VersionSchema, name: str) -> bool:
    """Whether each candidate of a query has a row, with a prediction of its relevance."""
    named = (schema.mapping or {}).get(_RELEVANCE)
    scalar = schema.fields("predictions")[name].type == "numeric"
    return schema.model_type == "ranking" and scalar and named in (None, name)


def _field(schema: VersionSchema, category: str, name: str, column: str, type_: Any) -> FieldPlan | None:
    key = f"{category}.{name}"
    if category == "labels":
        found = _type_of_label(schema.model_type, type_)
        return None if found is None else FieldPlan(key, found, column)
    declared = schema.fields(category)[name]
    return FieldPlan(key, declared.type, column, tuple(declared.dimensions or ()))


def _type_of_label(model_type: str, type_: Any) -> str | None:
    """The field type to profile a label as; None if it is none that can be."""
    found = None if type_ is None else kind(type_)
    if found == "array":
        return "array"
    if found in ("map", "struct"):
        values = [type_["valueType"]] if found == "map" else [item["type"] for item in type_["fields"]]
        return "dict" if all(kind(value) in _COUNTABLE for value in values) else None
    return "numeric" if model_type == "regression" and found in _COUNTABLE else "categorical"


def _outcome(schema: VersionSchema, name: str, compared: tuple[str, str], query: str | None) -> OutcomePlan:
    query = query if _is_relevance(schema, name) else None
    return OutcomePlan(f"{PERFORMANCE}.{name}", schema.model_type, *compared, _options(schema, name), query)


def _options(schema: VersionSchema, name: str) -> Options:
    """
    How a prediction and its labels are to be read.

    Of the two classes that a binary version declares as ``labels`` the last is positive, as it is in lists of
    classes elsewhere (scikit-learn's ``classes_``). Words of truth, such as yes and no, mean what they say in
    any order, and need not be declared.
    """
    declared = tuple(schema.labels or ())
    if schema.model_type != "binary":
        return Options(classes=declared)
    scored = schema.fields("predictions")[name].type == "numeric"
    meanings = {meaning(label) for label in declared}
    if len(declared) != 2 or len(meanings) < 2 or meanings == {"true", "false"}:
        return Options(scored=scored)
    negative, positive = declared
    return Options(scored=scored, negative=negative, positive=positive)


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
