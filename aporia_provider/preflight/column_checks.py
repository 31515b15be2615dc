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

        :raises aporia_provider.errors.ValidationError: if there are problems, all of which are listed.
        """
        if self.problems:
            raise ValidationError("The data does not fit", problems=self.problems)


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
    warnings = ["the table is empty: there is nothing to check but its columns"] if rows == 0 else []
    if columns is not None and types is not None:
        problems += _duplicates(dataset, schema, columns)
        problems += _key_columns(dataset, types)
        problems += _nulls(dataset, rows, null_ids, null_timestamps)
        problems += _missing_actuals(dataset, schema, types)
        for verdict, line in _fields(dataset, schema, types):
            (warnings if verdict == "doubtful" else problems).append(line)
    return Findings(problems, warnings)


def used_columns(dataset: DatasetConnection, schema: VersionSchema | None) -> list[tuple[str, str, str]]:
    """Return category, field name and column of all fields of a dataset, without id and timestamp."""
    if schema is not None:
        return list(dataset.columns(schema))
    given: dict[str, Mapping[str, str] | None] = {name: getattr(dataset, name) for name in MAPPINGS}
    return [(name, key, column) for name, pairs in given.items() for key, column in (pairs or {}).items()]


def _duplicates(dataset: DatasetConnection, schema: VersionSchema | None, columns: Columns) -> Iterator[str]:
    used = {column for _, _, column in used_columns(dataset, schema)}
    used |= {dataset.id_column, dataset.timestamp_column}
    for name, count in Counter(name for name, _ in columns).items():
        if count > 1 and name in used:
            yield f"there are {count} columns named {name!r}: give each a name of its own in select_expr"


def _same_column(dataset: DatasetConnection) -> Iterator[str]:
    if dataset.id_column == dataset.timestamp_column:
        name = dataset.id_column
        yield f"id_column and timestamp_column are both {name!r}: each needs a column of its own"


def _no_labels(dataset: DatasetConnection) -> Iterator[str]:
    if dataset.role == "actuals" and dataset.labels == {}:
        yield "labels is empty, so there are no actuals: map predictions to the columns of their true values"


def _missing_actuals(
    dataset: DatasetConnection, schema: VersionSchema | None, types: Mapping[str, Any]
) -> Iterator[str]:
    """Yield predictions without actuals, if actuals are taken from columns with the predictions' names."""
    if schema is None or not _is_by_name(dataset):
        return
    missing = [name for name in schema.predictions if name not in types]
    if missing:
        example = {name: name if name in types else "column" for name in schema.predictions}
        shown = ", ".join(f"{name!r} ({nearest(name, types)})" for name in missing)
        yield (
            "without labels, the actuals of each prediction are read from the column of its name, but the "
            f"table has none for {shown}. Write labels={example}, with the columns of the true values; a "
            "prediction that is left out of labels has no actuals"
        )


def _is_by_name(dataset: DatasetConnection) -> bool:
    return dataset.role == "actuals" and dataset.labels is None


def _key_columns(dataset: DatasetConnection, types: Mapping[str, Any]) -> Iterator[str]:
    identifier, timestamp = dataset.id_column, dataset.timestamp_column
    for argument, name in (("id_column", identifier), ("timestamp_column", timestamp)):
        if name not in types:
            yield _missing(f"{argument} names {name!r}", name, types)
    if types.get(identifier) is not None and kind(types[identifier]) not in ("string", "integral"):
        shown = describe(types[identifier])
        yield f"id_column {identifier!r} is {shown}, not text or a whole number: {_text(identifier)}"
    if types.get(timestamp) is not None and kind(types[timestamp]) != "time":
        yield _no_timestamp(timestamp, types[timestamp])


def _no_timestamp(name: str, type_: Any) -> str:
    advice = {
        "string": f"write {_derived('to_timestamp({0}) AS {0}', name)}",
        "integral": f"write {_derived('timestamp_millis({0}) AS {0}', name)} (or timestamp_seconds)",
    }
    told = advice.get(kind(type_), "choose a column of type timestamp or date")
    return f"timestamp_column {name!r} is {describe(type_)}, not a timestamp or date: {told}"


def _nulls(
    dataset: DatasetConnection, rows: int | None, null_ids: int | None, null_timestamps: int | None
) -> Iterator[str]:
    found = (
        ("id_column", dataset.id_column, null_ids),
        ("timestamp_column", dataset.timestamp_column, null_timestamps),
    )
    for argument, name, nulls in found:
        if nulls:
            of = f" of {rows}" if rows is not None else ""
            yield f"{argument} {name!r} is null in {nulls}{of} rows: a prediction needs both id and timestamp"


def _fields(
    dataset: DatasetConnection, schema: VersionSchema | None, types: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for category, name, column in used_columns(dataset, schema):
        what = f"{SINGULAR[category]} {name!r}"
        declared = _declared(schema, category, name)
        if column not in types:
            if category == "labels" and _is_by_name(dataset):
                continue
            if schema is None or declared is not None:
                reads = what if column == name else f"{what} reads {column!r}"
                yield "missing", _missing(reads, column, types)
        elif declared is not None and types[column] is not None:
            labels_of = schema.model_type if schema and category == "labels" else None
            yield from _fit(what, declared, column, types[column], labels_of)


def _declared(schema: VersionSchema | None, category: str, name: str) -> FieldSchema | None:
    if schema is None:
        return None
    return schema.fields("predictions" if category == "labels" else category).get(name)


def _fit(
    what: str, declared: FieldSchema, column: str, type_: Any, labels_of: str | None
) -> Iterator[tuple[str, str]]:
    verdict, wanted = fit(declared, type_, labels_of=labels_of), label_type(labels_of, declared)
    if verdict != "fits" and wanted is not None:
        yield verdict, _unfit_label(f"{what} of a {labels_of} model", wanted, column, type_)
    elif verdict != "fits":
        yield verdict, _misfit(what, declared, column, type_, verdict)


def _misfit(what: str, declared: FieldSchema, column: str, type_: Any, verdict: str) -> str:
    shown, found = _shown(declared), describe(type_)
    if verdict == "doubtful":
        return f"{what} is {shown}, and column {column!r} is {found}: its values are read as {declared.type}"
    if declared.type == "tensor":
        dimensions = len(declared.dimensions or ())
        wanted = f"{'array<' * dimensions}double{'>' * dimensions}"
        return (
            f"{what} is {shown}, but column {column!r} is {found}, not {wanted} or one flat array of numbers"
        )
    advice = cast_for(declared.type, _quoted(column), type_)
    told = f"write {_derived(f'{advice} AS {{0}}', column)}, or " if advice else ""
    of = _other_members(type_) if declared.type == "dict" else ""
    return f"{what} is {shown}, but column {column!r} is {found}{of}: {told}declare another field type"


def _other_members(type_: Any) -> str:
    """Return the non-numeric members of a struct, phrased to follow its type."""
    if kind(type_) != "struct":
        return ""
    others = [item["name"] for item in type_["fields"] if not is_numeric(item["type"])]
    return (
        f", whose {', '.join(map(repr, others))} {'is no number' if len(others) == 1 else 'are no numbers'}"
    )


def _unfit_label(what: str, wanted: LabelType, column: str, type_: Any) -> str:
    told = f"write {_derived(wanted.cast, column)}, or choose another column"
    return f"{what} has to be {wanted.shown}, but column {column!r} is {describe(type_)}: {told}"


def _shown(declared: FieldSchema) -> str:
    return declared.type if declared.dimensions is None else f"{declared.type}{declared.dimensions}"


def _missing(reads: str, column: str, types: Mapping[str, Any]) -> str:
    return f"{reads}, but the table has no column {column!r}; {nearest(column, types)}"


def _text(name: str) -> str:
    return f"write {_derived('cast({0} AS string) AS {0}', name)}"


def _derived(template: str, name: str) -> str:
    return f"{template.format(_quoted(name))!r} in select_expr"


def _quoted(name: str) -> str:
    return name if name.isidentifier() else quoted(name)
