"""Construction of profile plans from registered datasets and schemas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NamedTuple

from aporia_provider.backend.store.sync_tables import PERFORMANCE
from aporia_provider.columns.types import kind, label_type
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.dataframes.labels import tie_column
from aporia_provider.monitoring.bins.field_bins import CategoryBins
from aporia_provider.monitoring.bins.score_bins import ScoreBins
from aporia_provider.monitoring.performance import Options
from aporia_provider.monitoring.profiles.plan import Bins, FieldPlan, OutcomePlan, scores_key
from aporia_provider.schema import CATEGORIES, VersionSchema
from aporia_provider.truth_values import declared_pair

# Prefix of label columns, chosen not to collide with columns of the predictions.
_LABEL = "__aporia_label_"
# Kinds of columns that can be profiled as numbers. The kind of a column of unknown type is None.
_COUNTABLE = ("integral", "fractional", "boolean", None)
_QUERY = "batch_id_column_name"
_RELEVANCE = "relevance_column_name"


class TermColumn(NamedTuple):
    """
    A column that the conditions of segments are evaluated on.

    :param name: Its name in the batches.
    :param type: Type of the field.
    """

    name: str
    type: str


@dataclass(frozen=True)
class DatasetPlan:
    """
    Columns to read from a dataset, and states to compute from them.

    :param fields: Fields to profile.
    :param outcomes: Predictions whose labels are in the same table.
    :param columns: Columns of the dataset by their name in the batches.
    :param term_columns: Columns that the conditions of segments may name, by the key of their field.
    """

    fields: tuple[FieldPlan, ...] = ()
    outcomes: tuple[OutcomePlan, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    term_columns: Mapping[str, TermColumn] = field(default_factory=dict)


def fields_plan(dataset: DatasetConnection, schema: VersionSchema, types: Mapping[str, Any]) -> DatasetPlan:
    """
    Return the plan for a dataset's own columns.

    :param dataset: The dataset.
    :param schema: Schema of its version.
    :param types: Types by column, in Spark's JSON form.
    """
    columns = list(dataset.columns(schema))
    names = {(category, name): f"c{index}" for index, (category, name, _) in enumerate(columns)}
    planned = (
        _field(schema, category, name, names[category, name], types.get(column))
        for category, name, column in columns
    )
    fields = tuple(field for field in planned if field is not None)
    query = names.get(("raw_inputs", (schema.mapping or {}).get(_QUERY, "")))
    outcomes = tuple(
        _outcome(schema, name, (names["predictions", name], label), query)
        for (category, name), label in names.items()
        if category == "labels" and ("predictions", name) in names and has_performance_metrics(schema, name)
    )
    return DatasetPlan(
        fields, outcomes, {names[item[:2]]: item[2] for item in columns}, _term_columns(schema, names)
    )


def performance_plan(
    serving: DatasetConnection, actuals: DatasetConnection, schema: VersionSchema
) -> tuple[DatasetPlan, dict[str, str]]:
    """
    Return the plan for the performance of predictions whose labels are in the actuals dataset.

    :param serving: Dataset with the predictions.
    :param actuals: Dataset with the labels.
    :param schema: Schema of the version.
    :return: Plan for the predictions, and columns of the labels by their name in the batches.
    """
    serving_columns = {(category, name): column for category, name, column in serving.columns(schema)}
    serving_labels = serving.labels or {}
    labels = [
        (name, column)
        for _, name, column in actuals.columns(schema)
        if name not in serving_labels and has_performance_metrics(schema, name)
    ]
    columns = {f"p{index}": serving_columns["predictions", name] for index, (name, _) in enumerate(labels)}
    query = serving_columns.get(("raw_inputs", (schema.mapping or {}).get(_QUERY, "")))
    if query is not None:
        columns["q"] = query
    by_query = "q" if query is not None else None
    outcomes = (
        replace(
            _outcome(schema, name, (f"p{index}", f"{_LABEL}{index}"), by_query),
            tied=tie_column(f"{_LABEL}{index}"),
        )
        for index, (name, _) in enumerate(labels)
    )
    names = {item: f"s{index}" for index, item in enumerate(serving_columns)}
    term_columns = _term_columns(schema, names)
    return DatasetPlan((), tuple(outcomes), columns, term_columns), {
        f"{_LABEL}{index}": column for index, (_, column) in enumerate(labels)
    }


def _term_columns(schema: VersionSchema, names: Mapping[tuple[str, str], str]) -> dict[str, TermColumn]:
    """Return the columns of the fields of a dataset other than its labels."""
    return {
        f"{category}.{name}": TermColumn(column, schema.fields(category)[name].type)
        for (category, name), column in names.items()
        if category in CATEGORIES
    }


def has_performance_metrics(schema: VersionSchema, name: str) -> bool:
    """Return whether performance metrics exist for a prediction of this type in a model of this type."""
    declared = schema.fields("predictions")[name]
    if schema.model_type == "ranking" and declared.type == "numeric":
        return _is_relevance(schema, name) and _QUERY in (schema.mapping or {})
    return label_type(schema.model_type, declared) is not None


def _is_relevance(schema: VersionSchema, name: str) -> bool:
    """Return whether a prediction is the relevance of one candidate; a query then consists of many rows."""
    named = (schema.mapping or {}).get(_RELEVANCE)
    scalar = schema.fields("predictions")[name].type == "numeric"
    return schema.model_type == "ranking" and scalar and named in (None, name)


def _field(schema: VersionSchema, category: str, name: str, column: str, type_: Any) -> FieldPlan | None:
    key = f"{category}.{name}"
    if category == "labels":
        label_field_type = _type_of_label(schema.model_type, type_)
        return None if label_field_type is None else FieldPlan(key, label_field_type, column)
    declared = schema.fields(category)[name]
    scored = category == "predictions" and _is_scored(schema, name)
    return FieldPlan(key, declared.type, column, tuple(declared.dimensions or ()), scored)


def _type_of_label(model_type: str, type_: Any) -> str | None:
    """Return the field type to profile a label with; None if labels of its type cannot be profiled."""
    label_kind = None if type_ is None else kind(type_)
    if label_kind == "array":
        return "array"
    if label_kind in ("map", "struct"):
        values = [type_["valueType"]] if label_kind == "map" else [item["type"] for item in type_["fields"]]
        return "dict" if all(kind(value) in _COUNTABLE for value in values) else None
    return "numeric" if model_type == "regression" and label_kind in _COUNTABLE else "categorical"


def _outcome(schema: VersionSchema, name: str, compared: tuple[str, str], query: str | None) -> OutcomePlan:
    query = query if _is_relevance(schema, name) else None
    return OutcomePlan(f"{PERFORMANCE}.{name}", schema.model_type, *compared, _options(schema, name), query)


def _options(schema: VersionSchema, name: str) -> Options:
    """
    Return how a prediction and its labels are interpreted.

    The second of the two classes that a binary version declares as ``labels`` is positive, following the
    order of scikit-learn's ``classes_``. Truth values such as yes and no are recognised in either order, and
    need not be declared.
    """
    if schema.model_type != "binary":
        return Options(classes=tuple(schema.labels or ()))
    scored, pair = _is_scored(schema, name), declared_pair(schema.labels)
    if pair is None:
        return Options(scored=scored)
    return Options(scored=scored, negative=pair[0], positive=pair[1])


def _is_scored(schema: VersionSchema, name: str) -> bool:
    return schema.model_type == "binary" and schema.fields("predictions")[name].type == "numeric"


def with_baseline(outcomes: Iterable[OutcomePlan], bins: Mapping[str, Bins]) -> tuple[OutcomePlan, ...]:
    """
    Return the outcomes with options completed from the baseline's scores and labels.

    The bins are made from the baseline's scores. If the version declares no classes and the baseline's labels
    are two numbers other than 0 and 1, the greater number is positive.

    :param outcomes: Outcomes to complete.
    :param bins: Bins of the predictions and the labels.
    """
    return tuple(_with_baseline(outcome, bins) for outcome in outcomes)


def _with_baseline(outcome: OutcomePlan, bins: Mapping[str, Bins]) -> OutcomePlan:
    if outcome.model_type != "binary":
        return outcome
    name, options = outcome.key.removeprefix(f"{PERFORMANCE}."), outcome.options
    scores, labels = bins.get(scores_key(f"predictions.{name}")), bins.get(f"labels.{name}")
    if isinstance(scores, ScoreBins) and options.scored:
        options = replace(options, edges=scores.edges)
    pair = _pair_of_numbers(labels.values) if isinstance(labels, CategoryBins) else None
    if pair is not None and options.positive is None:
        options = replace(options, negative=pair[0], positive=pair[1])
    return replace(outcome, options=options)


def _pair_of_numbers(values: Sequence[str]) -> tuple[str, str] | None:
    """Return two numbers in ascending order; None for other values, and for 0 and 1."""
    try:
        numbers = {number: value for value in values if (number := Decimal(value)).is_finite()}
        lesser, greater = sorted(numbers)
    except (ArithmeticError, ValueError):
        return None
    return None if lesser == 0 and greater == 1 else (numbers[lesser], numbers[greater])
