"""Table-level metadata in the log of a Delta table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PHYSICAL_NAME = "delta.columnMapping.physicalName"
_COLUMN_ID = "delta.columnMapping.id"
_NESTED_TYPE_KEYS = ("elementType", "keyType", "valueType")


@dataclass(frozen=True)
class TableMetadata:
    """
    Table-level metadata in the log of a Delta table.

    :param uri: URI of the table.
    :param table_id: Id of the table. It never changes; another table at the same URI has another id.
    :param version: Version of the table.
    :param columns: Name and type (Spark's JSON form) of each column, in order.
    :param partition_columns: Names of the partition columns.
    :param physical_names: Physical to logical names of the columns (equal without column mapping).
    :param reader_features: Names of the protocol features that a reader must support.
    :param identities: Names of the columns to strings that change if the column is replaced or its type
        changes; see :func:`identity`.
    """

    uri: str
    table_id: str
    version: int
    columns: tuple[tuple[str, Any], ...]
    partition_columns: tuple[str, ...]
    physical_names: dict[str, str]
    reader_features: tuple[str, ...]
    identities: Mapping[str, str] = field(default_factory=dict)


def identity(column: Mapping[str, Any], *, by_id: bool) -> str:
    """
    Return a digest of a column's type, physical names and ids, including names and ids of nested fields.

    :param column: The column in the schema of the log.
    :param by_id: Whether columns in files are identified by ids instead of physical names.
    """
    text = json.dumps(_column_identity(column, by_id), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _column_identity(column: Mapping[str, Any], by_id: bool) -> list[Any]:
    metadata = column.get("metadata") or {}
    physical_name = metadata.get(PHYSICAL_NAME, column["name"])
    return [physical_name, metadata.get(_COLUMN_ID) if by_id else None, _type_identity(column["type"], by_id)]


def _type_identity(type_: Any, by_id: bool) -> Any:
    if not isinstance(type_, dict):
        return type_
    nested_types = {key: _type_identity(type_[key], by_id) for key in _NESTED_TYPE_KEYS if key in type_}
    fields = [[item["name"], *_column_identity(item, by_id)] for item in type_.get("fields", ())]
    return {"type": type_["type"], **nested_types, "fields": fields}
