"""Validation of the columns and null counts of data against a version. All problems are reported at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aporia_provider.columns.types import LabelType, describe, fit, is_numeric, kind, label_type, quoted
from aporia_provider.datasets import MAPPINGS, DatasetConnection
from aporia_provider.errors import ValidationError
from aporia_provider.nearest import nearest
from aporia_provider.preflight.suggested_expressions import cast_for
from aporia_provider.schema import FieldSchema, VersionSchema

Columns = Sequence[tuple[str, Any]]

SINGULAR = {
    "predictions": "prediction",
    "features": "feature",
    "labels": "label of",
    "raw_inputs": "raw input",
}


@dataclass(frozen=True)
class Findings:
    """
    Result of a validation.

    :param problems: Problems that have to be corrected, one line each.
    :param warnings: Possible problems, one line each.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def raise_for_problems(self) -> None:
        """
        Raise an error if there are problems.

        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        if self.problems:
            raise ValidationError("The data does not match the version", problems=self.problems)


def check(
    dataset: DatasetConnection,
    schema: VersionSchema | None,
    columns: Columns | None,
    *,
    rows: int | None = None,
    null_ids: int | None = None,
    null_timestamps: int | None = None,
) -> Findings:
    """
    Validate a dataset against the columns of its data.

    :param dataset: The dataset.
    :param schema: Schema of the version; if None, only the columns named by the dataset are checked.
    :param columns: Names and types (Spark's JSON form) of the columns, after ``select_expr``. A type of None
        is unknown and accepted. If ``columns`` is None, only checks that need no columns are made.
    :param rows: Number of rows of the table, if known.
    :param null_ids: Number of nulls in the id column, if known.
    :param null_timestamps: Number of nulls in the timestamp column, if known.
    """
    types = None if columns is None else dict(columns)
    problems = [
        *_same_column(dataset),
        *_no_labels(dataset),
        *(dataset.mapping_faults(schema, types or ()) if schema else ()),
    ]
    warnings = ["the table is empty: only its columns were checked"] if rows == 0 else []
    if columns is not None and types is not None:
        problems += _duplicates(dataset, schema, columns)
        problems += _key_columns(dataset, types)
        problems += _nulls(dataset, rows, null_ids, null_timestamps)
        problems += _missing_actuals(dataset, schema, types)
        for verdict, line in _all_field_problems(dataset, schema, types):
            (warnings if verdict == "doubtful" else problems).append(line)
    return Findings(problems, warnings)


def used_columns(dataset: DatasetConnection, schema: VersionSchema | None) -> list[tuple[str, str, str]]:
    """Return category, field name and column of all fields of a dataset, without id and timestamp."""
    if schema is not None:
        return list(dataset.columns(schema))
    mappings: dict[str, Mapping[str, str] | None] = {name: getattr(dataset, name) for name in MAPPINGS}
    return [(name, key, column) for name, pairs in mappings.items() for key, column in (pairs or {}).items()]


def _duplicates(dataset: DatasetConnection, schema: VersionSchema | None, columns: Columns) -> Iterator[str]:
    used_names = {column for _, _, column in used_columns(dataset, schema)}
    used_names |= {dataset.id_column, dataset.timestamp_column}
    for name, count in Counter(name for name, _ in columns).items():
        if count > 1 and name in used_names:
            yield f"there are {count} columns named {name!r}: give them different names in select_expr"


def _same_column(dataset: DatasetConnection) -> Iterator[str]:
    if dataset.id_column == dataset.timestamp_column:
        name = dataset.id_column
        yield f"id_column and timestamp_column are both {name!r}: they must be different columns"


def _no_labels(dataset: DatasetConnection) -> Iterator[str]:
    if dataset.role == "actuals" and dataset.labels == {}:
        yield "labels is empty, so there are no actuals: map predictions to the columns of their true values"


def _missing_actuals(
    dataset: DatasetConnection, schema: VersionSchema | None, types: Mapping[str, Any]
) -> Iterator[str]:
    """Yield predictions without actuals, if actuals are read from columns with the predictions' names."""
    if schema is None or not _uses_prediction_names(dataset):
        return
    missing = [name for name in schema.predictions if name not in types]
    if missing:
        example = {name: name if name in types else "column" for name in schema.predictions}
        shown = ", ".join(f"{name!r} ({nearest(name, types)})" for name in missing)
        yield (
            "without labels, the actuals of each prediction are read from the column of its name, but the "
            f"table has none for {shown}. Write labels={example}, with the columns of the true values; a "
            "prediction that is not in labels has no actuals"
        )


def _uses_prediction_names(dataset: DatasetConnection) -> bool:
    return dataset.role == "actuals" and dataset.labels is None


def _key_columns(dataset: DatasetConnection, types: Mapping[str, Any]) -> Iterator[str]:
    identifier, timestamp = dataset.id_column, dataset.timestamp_column
    for argument, name in (("id_column", identifier), ("timestamp_column", timestamp)):
        if name not in types:
            yield _missing_column(f"{argument} names {name!r}", name, types)
    if types.get(identifier) is not None and kind(types[identifier]) not in ("string", "integral"):
        type_name, suggestion = describe(types[identifier]), _cast_to_string(identifier)
        yield f"id_column {identifier!r} is {type_name}, not text or a whole number: {suggestion}"
    if types.get(timestamp) is not None and kind(types[timestamp]) != "time":
        yield _no_timestamp(timestamp, types[timestamp])


def _no_timestamp(name: str, column_type: Any) -> str:
    advice = {
        "string": f"write {_in_select_expr('to_timestamp({0}) AS {0}', name)}",
        "integral": f"write {_in_select_expr('timestamp_millis({0}) AS {0}', name)} (or timestamp_seconds)",
    }
    suggestion = advice.get(kind(column_type), "choose a column of type timestamp or date")
    return f"timestamp_column {name!r} is {describe(column_type)}, not a timestamp or date: {suggestion}"


def _nulls(
    dataset: DatasetConnection, rows: int | None, null_ids: int | None, null_timestamps: int | None
) -> Iterator[str]:
    null_counts = (
        ("id_column", dataset.id_column, null_ids),
        ("timestamp_column", dataset.timestamp_column, null_timestamps),
    )
    for argument, name, nulls in null_counts:
        if nulls:
            of_rows = f" of {rows}" if rows is not None else ""
            count = f"{nulls}{of_rows} rows"
            yield f"{argument} {name!r} is null in {count}: a prediction must have id and timestamp"


def _all_field_problems(
    dataset: DatasetConnection, schema: VersionSchema | None, types: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for category, name, column in used_columns(dataset, schema):
        description = f"{SINGULAR[category]} {name!r}"
        declared = _declared(schema, category, name)
        if column not in types:
            if category == "labels" and _uses_prediction_names(dataset):
                continue
            if schema is None or declared is not None:
                reads = description if column == name else f"{description} reads {column!r}"
                yield "missing", _missing_column(reads, column, types)
        elif declared is not None and types[column] is not None:
            labels_of = schema.model_type if schema and category == "labels" else None
            yield from _field_problems(description, declared, column, types[column], labels_of)


def _declared(schema: VersionSchema | None, category: str, name: str) -> FieldSchema | None:
    if schema is None:
        return None
    return schema.fields("predictions" if category == "labels" else category).get(name)


def _field_problems(
    description: str, declared: FieldSchema, column: str, column_type: Any, labels_of: str | None
) -> Iterator[tuple[str, str]]:
    verdict, label = fit(declared, column_type, labels_of=labels_of), label_type(labels_of, declared)
    if verdict != "fits" and label is not None:
        yield verdict, _label_mismatch(f"{description} of a {labels_of} model", label, column, column_type)
    elif verdict != "fits":
        yield verdict, _type_mismatch(description, declared, column, column_type, verdict)


def _type_mismatch(
    description: str, declared: FieldSchema, column: str, column_type: Any, verdict: str
) -> str:
    declared_type, found_type = _type_text(declared), describe(column_type)
    if verdict == "doubtful":
        values = f"its values are read as {declared.type}"
        return f"{description} is {declared_type}, and column {column!r} is {found_type}: {values}"
    if declared.type == "tensor":
        dimensions = len(declared.dimensions or ())
        array_type = f"{'array<' * dimensions}double{'>' * dimensions}"
        expected = f"{array_type} or one flat array of numbers"
        return f"{description} is {declared_type}, but column {column!r} is {found_type}, not {expected}"
    cast = cast_for(declared.type, _quoted(column), column_type)
    suggestion = f"write {_in_select_expr(f'{cast} AS {{0}}', column)}, or " if cast else ""
    members = _other_members(column_type) if declared.type == "dict" else ""
    difference = f"{description} is {declared_type}, but column {column!r} is {found_type}{members}"
    return f"{difference}: {suggestion}declare another field type"


def _other_members(column_type: Any) -> str:
    """Return the non-numeric members of a struct, phrased to follow its type."""
    if kind(column_type) != "struct":
        return ""
    others = [item["name"] for item in column_type["fields"] if not is_numeric(item["type"])]
    verb = "is not a number" if len(others) == 1 else "are not numbers"
    return f", whose {', '.join(map(repr, others))} {verb}"


def _label_mismatch(description: str, label: LabelType, column: str, column_type: Any) -> str:
    type_name = describe(column_type)
    suggestion = f"write {_in_select_expr(label.cast, column)}, or choose another column"
    return f"{description} has to be {label.description}, but column {column!r} is {type_name}: {suggestion}"


def _type_text(declared: FieldSchema) -> str:
    return declared.type if declared.dimensions is None else f"{declared.type}{declared.dimensions}"


def _missing_column(description: str, column: str, types: Mapping[str, Any]) -> str:
    return f"{description}, but the table has no column {column!r}; {nearest(column, types)}"


def _cast_to_string(name: str) -> str:
    return f"write {_in_select_expr('cast({0} AS string) AS {0}', name)}"


def _in_select_expr(template: str, name: str) -> str:
    return f"{template.format(_quoted(name))!r} in select_expr"


def _quoted(name: str) -> str:
    return name if name.isidentifier() else quoted(name)
