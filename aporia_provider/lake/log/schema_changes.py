"""Descriptions of the differences between two schemas in a Delta log."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aporia_provider.lake.log.metadata import PHYSICAL_NAME

_MAX_DESCRIBED = 10


def describe_schema_change(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> str | None:
    """
    Return a description of the columns that differ; None if none does.

    The order of columns and their metadata, such as comments, are not compared.

    :param earlier: The schema before, as in the log.
    :param later: The schema after.
    """
    differences = list(_differences(_columns(earlier), _columns(later)))
    more = len(differences) - _MAX_DESCRIBED
    shown = [*differences[:_MAX_DESCRIBED], *([f"{more} more"] if more > 0 else [])]
    return "; ".join(shown) or None


def logical_names(schema: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the physical names of a schema's columns, to their names."""
    fields = schema.get("fields", ()) if schema else ()
    return {(item.get("metadata") or {}).get(PHYSICAL_NAME, item["name"]): item["name"] for item in fields}


def _columns(schema: Mapping[str, Any]) -> dict[str, tuple[str, bool]]:
    """Return the names of columns to their types as text and whether they may be null."""
    return {
        item["name"]: (_type_text(item["type"]), bool(item.get("nullable", True)))
        for item in schema.get("fields", ())
    }


def _differences(
    earlier: Mapping[str, tuple[str, bool]], later: Mapping[str, tuple[str, bool]]
) -> Iterator[str]:
    yield from (f"added {name!r} ({later[name][0]})" for name in later if name not in earlier)
    yield from (f"dropped {name!r} ({earlier[name][0]})" for name in earlier if name not in later)
    for name, (type_, is_nullable) in earlier.items():
        if name not in later:
            continue
        new_type, is_now_nullable = later[name]
        if new_type != type_:
            yield f"changed the type of {name!r} from {type_} to {new_type}"
        elif is_now_nullable != is_nullable:
            yield f"{name!r} {'may now' if is_now_nullable else 'must not'} be null"


def _type_text(type_: Any) -> str:
    """Return a type as text, without the metadata of nested fields."""
    if isinstance(type_, str):
        return type_
    kind = type_.get("type")
    if kind == "array":
        return f"array<{_type_text(type_['elementType'])}>"
    if kind == "map":
        return f"map<{_type_text(type_['keyType'])},{_type_text(type_['valueType'])}>"
    if kind == "struct":
        fields = (f"{item['name']}:{_type_text(item['type'])}" for item in type_["fields"])
        return f"struct<{','.join(fields)}>"
    return json.dumps(type_, sort_keys=True)
