"""What the log of a Delta table says about the table as a whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PHYSICAL_NAME = "delta.columnMapping.physicalName"
_ID = "delta.columnMapping.id"
_INNER = ("elementType", "keyType", "valueType")


@dataclass(frozen=True)
class TableMetadata:
    """
    What the log says about the table as a whole.

    :param uri: Where it is.
    :param table_id: Id that stays for the table's life; another id means another table in its place.
    :param version: Version it was read at.
    :param columns: Name and type of each column, in order; types as Spark writes them in JSON.
    :param partition_columns: Names of the columns it is partitioned by.
    :param physical_names: Physical to logical name of each column (the same without column mapping).
    :param reader_features: Names of protocol features a reader has to know.
    :param identities: Name of each column to a text that differs for another column of this name, and for
        another type of it; see :func:`identity`.
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
    What the values of a column depend on: its type, and where files hold it and the fields inside of it.

    :param column: The column, as the schema in the log has it.
    :param by_id: Whether files are read by the ids of columns, not by their physical names.
    """
    text = json.dumps(_located(column, by_id), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _located(column: Mapping[str, Any], by_id: bool) -> list[Any]:
    told = column.get("metadata") or {}
    place = told.get(PHYSICAL_NAME, column["name"])
    return [place, told.get(_ID) if by_id else None, _located_type(column["type"], by_id)]


def _located_type(type_: Any, by_id: bool) -> Any:
    if not isinstance(type_, dict):
        return type_
    inner = {key: _located_type(type_[key], by_id) for key in _INNER if key in type_}
    fields = [[item["name"], *_located(item, by_id)] for item in type_.get("fields", ())]
    return {"type": type_["type"], **inner, "fields": fields}
