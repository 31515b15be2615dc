"""Spark SQL expressions that convert a column to the type of a field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aporia_provider.columns.types import is_numeric, kind, nesting

_TEXT = "cast({0} AS string)"
_AS_JSON = dict.fromkeys(("array", "map", "struct"), "to_json({0})")
_AS_TEXT = dict.fromkeys(("integral", "fractional", "string", "boolean", "time"), _TEXT)
_CASTS: Mapping[str, Mapping[str, str]] = {
    "numeric": {
        "string": "cast({0} AS double)",
        "boolean": "cast({0} AS double)",
        "time": "unix_timestamp({0})",
    },
    "boolean": {
        "string": "cast({0} AS boolean)",
        "integral": "cast({0} AS boolean)",
        "fractional": "{0} <> 0",
    },
    "string": _AS_TEXT | _AS_JSON,
    "text": _AS_TEXT | _AS_JSON,
    "categorical": _AS_TEXT | _AS_JSON,
    "datetime": {
        "string": "to_timestamp({0})",
        "integral": "timestamp_millis({0})",
        "fractional": "timestamp_seconds({0})",
    },
    "vector": {
        "string": "from_json({0}, 'array<double>')",
        "integral": "array({0})",
        "fractional": "array({0})",
    },
    "array": dict.fromkeys(("integral", "fractional", "string", "boolean", "time"), "array({0})"),
    "dict": {"string": "from_json({0}, 'map<string, double>')"},
}


def cast_for(field_type: str, name: str, column_type: Any) -> str | None:
    """
    Return a Spark SQL expression that converts a column to the type of a field.

    :param field_type: Type of the field.
    :param name: Column, quoted for Spark SQL if necessary.
    :param column_type: Type of the column, in Spark's JSON form.
    :return: The expression; None if the conversion is not supported.
    """
    column_kind = kind(column_type)
    if field_type == "dict" and column_kind == "struct":
        return _members(name, column_type)
    if field_type == "dict" and column_kind == "map" and _can_be_number(column_type["valueType"]):
        return f"cast({name} AS map<string, double>)"
    depth, inner = nesting(column_type)
    if field_type == "vector" and depth == 1 and _can_be_number(inner):
        return f"cast({name} AS array<double>)"
    template = _CASTS.get(field_type, {}).get(column_kind)
    return template.format(name) if template else None


def _members(name: str, column_type: Any) -> str | None:
    """Return an expression for the members of a struct that are numbers or convertible to numbers."""
    members = []
    for item in column_type["fields"]:
        member = f"{name}.`{item['name'].replace('`', '``')}`"
        if _can_be_number(item["type"]):
            value = member if is_numeric(item["type"]) else f"cast({member} AS double)"
            members.append(f"{_literal(item['name'])}, {value}")
    return f"named_struct({', '.join(members)})" if members else None


def _literal(text: str) -> str:
    # In Spark SQL, two adjacent quotes end one literal and begin the next, so quotes are escaped.
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _can_be_number(column_type: Any) -> bool:
    return is_numeric(column_type) or kind(column_type) in ("string", "boolean")
