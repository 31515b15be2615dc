"""A Delta table with column mapping, written by hand: no Python writer makes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from tests.lake import logs

_TYPES = {
    "boolean": pa.bool_(),
    "string": pa.string(),
    "double": pa.float64(),
    "long": pa.int64(),
    "integer": pa.int32(),
}
_TIME = "timestamp"


@dataclass(frozen=True)
class Column:
    """
    A column of the table.

    :param type: Type in Spark's JSON form; of a struct, names of its fields to columns.
    """

    physical: str
    number: int
    type: Any

    def logged(self, name: str) -> dict[str, Any]:
        places = {"delta.columnMapping.physicalName": self.physical, "delta.columnMapping.id": self.number}
        type_ = self.type
        if isinstance(type_, Mapping):
            fields = [inner.logged(key) for key, inner in type_.items()]
            type_ = {"type": "struct", "fields": fields}
        return logs.field(name, type_, **places)

    @property
    def arrow(self) -> pa.Field:
        if isinstance(self.type, Mapping):
            type_: pa.DataType = pa.struct([inner.arrow for inner in self.type.values()])
        else:
            type_ = pa.timestamp("us", "UTC") if self.type == _TIME else _TYPES[self.type]
        return pa.field(self.physical, type_, metadata={"PARQUET:field_id": str(self.number)})

    def stored(self, value: Any) -> Any:
        """A value with physical names inside."""
        if value is None or not isinstance(self.type, Mapping):
            return value
        return {inner.physical: inner.stored(value.get(name)) for name, inner in self.type.items()}

    def shown(self, value: Any) -> Any:
        """A stored value with the names of now."""
        if value is None or not isinstance(self.type, Mapping):
            return value
        return {name: inner.shown(value.get(inner.physical)) for name, inner in self.type.items()}


@dataclass
class MappedTable:
    """
    The table.

    :param mode: ``name`` or ``id``.
    """

    folder: Path
    mode: str = "name"
    columns: dict[str, Column] = field(default_factory=dict)
    _version: int = -1
    _numbers: int = 0
    _rows: list[dict[str, Any]] = field(default_factory=list)

    def create(self, columns: Mapping[str, Any]) -> MappedTable:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.columns = {name: self._new(type_) for name, type_ in columns.items()}
        self._commit([logs.protocol("columnMapping"), *self._metadata()])
        return self

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add a file of rows, by the names of now."""
        made = [
            {column.physical: column.stored(row.get(name)) for name, column in self.columns.items()}
            for row in rows
        ]
        self._rows += made
        path = f"part-{self._version + 1}.parquet"
        schema = pa.schema([column.arrow for column in self.columns.values()])
        parquet.write_table(pa.Table.from_pylist(made, schema), self.folder / path)
        stats = {"numRecords": len(made), **self._bounds(made)}
        self._commit([logs.add(path, stats, size=(self.folder / path).stat().st_size)])

    def alter(self, *, drop: Sequence[str] = (), rename: Mapping[str, str] | None = None, **add: Any) -> None:
        """Change the schema without touching a file: drop columns, rename others, then add some."""
        kept = {name: column for name, column in self.columns.items() if name not in drop}
        names = rename or {}
        self.columns = {names.get(name, name): column for name, column in kept.items()}
        self.columns |= {name: self._new(type_) for name, type_ in add.items()}
        self._commit(self._metadata())

    def retype(self, name: str, type_: Any) -> None:
        """Change the type of a column. Fields of a struct that stay keep their places."""
        old = self.columns[name]
        features = ["columnMapping"]
        if isinstance(type_, Mapping):
            type_ = {key: old.type.get(key) or self._new(inner) for key, inner in type_.items()}
        else:
            features.append("typeWidening")
        self.columns[name] = Column(old.physical, old.number, type_)
        self._commit([logs.protocol(*features), *self._metadata()])

    def rows(self) -> list[dict[str, Any]]:
        """Its rows, by the names of now."""
        return [
            {name: column.shown(row.get(column.physical)) for name, column in self.columns.items()}
            for row in self._rows
        ]

    def _new(self, type_: Any) -> Column:
        self._numbers += 1
        number = self._numbers
        if isinstance(type_, Mapping):
            type_ = {name: self._new(inner) for name, inner in type_.items()}
        return Column(f"col-{number}", number, type_)

    def _bounds(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        found: dict[str, dict[str, Any]] = {"minValues": {}, "maxValues": {}, "nullCount": {}}
        for column in self.columns.values():
            if isinstance(column.type, Mapping):
                continue
            values = [row[column.physical] for row in rows if row[column.physical] is not None]
            found["nullCount"][column.physical] = len(rows) - len(values)
            for kind, chosen in (("minValues", min), ("maxValues", max)):
                if values and column.type != "boolean":
                    found[kind][column.physical] = _written(chosen(values))
        return found

    def _metadata(self) -> list[dict[str, Any]]:
        fields = [column.logged(name) for name, column in self.columns.items()]
        made = logs.metadata(
            fields, delta_columnMapping_mode=self.mode, delta_columnMapping_maxColumnId=str(self._numbers)
        )
        made[0]["metaData"]["id"] = "the same table"
        return made

    def _commit(self, actions: Sequence[Mapping[str, Any]]) -> None:
        self._version += 1
        logs.commit(self.folder, self._version, actions)


def _written(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03}Z"
