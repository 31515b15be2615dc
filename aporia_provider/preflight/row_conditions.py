"""Row checks as Spark SQL conditions that invalid rows meet."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aporia_provider.columns.types import fit, kind, label_type, nesting, quoted
from aporia_provider.datasets import DatasetConnection
from aporia_provider.preflight.column_checks import SINGULAR, used_columns
from aporia_provider.preflight.truth_conditions import unknown_class
from aporia_provider.schema import FieldSchema, VersionSchema


@dataclass(frozen=True)
class RowCheck:
    """
    A check of rows.

    :param fault: Description of the problem, to be followed by "in 3 rows".
    :param condition: Spark SQL expression that is true for invalid rows.
    :param example: Spark SQL expression of the value to show.
    :param is_error: Whether the check reports a problem; otherwise it reports a warning.
    """

    fault: str
    condition: str
    example: str
    is_error: bool = True


def row_checks(
    dataset: DatasetConnection,
    schema: VersionSchema | None,
    columns: Sequence[tuple[str, Any]],
    now: datetime,
) -> list[RowCheck]:
    """
    Return the checks that apply to a dataset.

    :param dataset: The dataset.
    :param schema: Schema of the version, if known.
    :param columns: Names and types (Spark's JSON form) of the existing columns.
    :param now: Current time, timezone-aware.
    """
    types = {name: column_type for name, column_type in columns if column_type is not None}
    checks = [*_key_checks(dataset, types, now)]
    for category, name, column in used_columns(dataset, schema) if schema else ():
        declared = schema.fields(category).get(name) if schema and category != "labels" else None
        if declared is not None and column in types:
            checks += _field_checks(f"{SINGULAR[category]} {name!r}", declared, column, types[column])
        if schema is not None and column in types and _is_binary_class(schema, category, name):
            checks += _class_checks(f"{SINGULAR[category]} {name!r}", column, types[column], schema.labels)
    return checks


def _key_checks(dataset: DatasetConnection, types: dict[str, Any], now: datetime) -> Iterator[RowCheck]:
    identifier, timestamp = quoted(dataset.id_column), quoted(dataset.timestamp_column)
    if dataset.id_column in types:
        yield RowCheck(f"id_column {dataset.id_column!r} is null", f"{identifier} IS NULL", "'null'")
    if dataset.timestamp_column in types:
        name = dataset.timestamp_column
        yield RowCheck(f"timestamp_column {name!r} is null", f"{timestamp} IS NULL", "'null'")
        if kind(types[name]) == "time":
            present = f"timestamp'{now:%Y-%m-%d %H:%M:%S}Z'"
            late = f"cast({timestamp} AS timestamp) > {present}"
            yield RowCheck(f"timestamp_column {name!r} is in the future", late, timestamp)


def _is_binary_class(schema: VersionSchema, category: str, name: str) -> bool:
    """Return whether values are labels of a binary model, or class predictions of one."""
    if schema.model_type != "binary" or category not in ("labels", "predictions"):
        return False
    field = schema.fields("predictions").get(name)
    if field is None or label_type(schema.model_type, field) is None:
        return False
    return category == "labels" or field.type in ("categorical", "string")


def _class_checks(
    description: str, column: str, column_type: Any, labels: list[str] | None
) -> Iterator[RowCheck]:
    problem = unknown_class(column, column_type, labels)
    if problem is not None:
        fault, condition, is_error = problem
        yield RowCheck(f"{description} {fault}", condition, quoted(column), is_error)


def _field_checks(description: str, field: FieldSchema, column: str, column_type: Any) -> Iterator[RowCheck]:
    name, column_kind = quoted(column), kind(column_type)
    if column_type in ("float", "double"):
        yield RowCheck(f"{description} is NaN", f"isnan({name})", "'NaN'", is_error=False)
    if column_kind == "string" and field.type == "numeric":
        yield _conversion_check(description, name, f"try_cast({name} AS double)", "not a number")
    if column_kind == "string" and field.type == "datetime":
        yield _conversion_check(description, name, f"try_to_timestamp({name})", "not a date or time")
    if column_kind == "integral" and field.type == "boolean":
        yield RowCheck(f"{description} is neither 0 nor 1", f"{name} NOT IN (0, 1)", name)
    if field.type == "tensor" and fit(field, column_type) != "differs":
        shape = field.dimensions or []
        wrong = _wrong_shape(name, shape, nesting(column_type)[0])
        yield RowCheck(f"{description} is not of the dimensions {shape}", wrong, name)


def _conversion_check(description: str, name: str, read: str, fault: str) -> RowCheck:
    return RowCheck(f"{description} is {fault}", f"{name} IS NOT NULL AND {read} IS NULL", name)


def _wrong_shape(name: str, shape: Sequence[int], depth: int) -> str:
    if depth == 1:
        return f"{name} IS NOT NULL AND size({name}) <> {math.prod(shape)}"
    wrong, inner = f"size({name}) <> {shape[0]}", name
    for level, length in enumerate(shape[1:depth], 1):
        # Each level is flattened into one list, so that the length of each of its arrays is checked.
        wrong += f" OR exists({inner}, part -> part IS NULL OR size(part) <> {length})"
        inner = f"flatten({inner})" if level < depth - 1 else inner
    return f"{name} IS NOT NULL AND ({wrong})"
