"""Differences between the column types of a field in the datasets of a version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aporia_provider.columns.types import describe, kind
from aporia_provider.datasets import ROLES, DatasetConnection
from aporia_provider.preflight.column_checks import SINGULAR
from aporia_provider.schema import VersionSchema

Types = Mapping[str, Any]
"""Types of columns, in Spark's JSON form, by key of the field, such as ``features.price``."""

_WHOLE = "whole number"
_ALIKE = {"integral": _WHOLE, "string": "text"}


def field_types(dataset: DatasetConnection, schema: VersionSchema, types: Types) -> dict[str, Any]:
    """
    Return the types of a dataset's columns by key of the field.

    :param dataset: The dataset.
    :param schema: Schema of its version.
    :param types: Types by column, in Spark's JSON form; None for a column of unknown type.
    """
    types_by_key = (
        (f"{category}.{name}", types.get(column)) for category, name, column in dataset.columns(schema)
    )
    return {key: column_type for key, column_type in types_by_key if column_type is not None}


def type_notes(role: str, types: Types, others: Mapping[str, Types]) -> list[str]:
    """
    Return warnings about fields that have a different type in another dataset.

    Types differ if their values may differ. Integers of any size are equivalent, as are text types, and
    decimals with the same number of decimal places. A float, a double and a decimal differ, since values are
    rounded differently; so do a boolean and a number, and a date and a timestamp.

    :param role: Role of the dataset.
    :param types: Types of its columns, see :func:`field_types`.
    :param others: Types by role of the other datasets of the version. A field is compared with the first
        dataset that has it, in the order of :data:`~aporia_provider.datasets.ROLES`.
    :return: One line for each field whose type differs.
    """
    return [
        note
        for key, column_type in types.items()
        if (note := _note(role, key, column_type, others)) is not None
    ]


def _note(role: str, key: str, column_type: Any, others: Mapping[str, Types]) -> str | None:
    other = next((name for name in ROLES if name != role and key in others.get(name, {})), None)
    if other is None or _comparable_type(column_type) == _comparable_type(others[other][key]):
        return None
    category, _, name = key.partition(".")
    description = f"{SINGULAR[category]} {name!r}"
    here, there = describe(column_type), describe(others[other][key])
    return f"{description} is {here} here and {there} in the {other} dataset"


def _comparable_type(column_type: Any) -> Any:
    """Return the part of a type that equivalent types share."""
    if isinstance(column_type, list):
        return [_comparable_type(item) for item in column_type]
    if isinstance(column_type, Mapping):
        named = column_type.get("name")
        inner = [
            _comparable_type(column_type[name])
            for name in _INNER
            if isinstance(column_type.get(name), dict | list | str)
        ]
        return [named, *inner]
    if str(column_type).startswith("decimal"):
        places = str(column_type).partition(",")[2].rstrip(")").strip() or "0"
        return _WHOLE if places == "0" else f"decimal with {places} decimal places"
    return _ALIKE.get(kind(column_type), str(column_type))


_INNER = ("type", "fields", "elementType", "keyType", "valueType")
