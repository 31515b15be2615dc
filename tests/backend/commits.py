"""Commits to a table of predictions or of labels, drawn at random."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from hypothesis import strategies as st

from tests.backend.syncing import DAY, JANUARY, TIME, SyncedVersion
from tests.lake import logs

IDS, DAYS = 9, 6
NOTHING = -1
# Microseconds of a day: both its ends, and what lies between.
_MOMENTS = (0, 1, 3_599_999_999, 3_600_000_000, DAY * 1_000_000 - 1)
_EARLY = (-1, -DAY * 1_000_000)
_AGES = (41.5, 0.0, -0.0, None, float("nan"), float("inf"), -float("inf"), 0.1, 1e300, -7.25)
# Beyond 64 bits, and of more digits than a double has.
_PRICES = (Decimal("19.99"), Decimal("-1e-18"), Decimal("98765432109876543210.5"), None, Decimal("0.1"))
_RATIOS = (0.1, None, 16777217.0, float("nan"), -0.0, 1e-40)
_NAMES = ("Rome", "Oslo", None, "", "Bern", "x" * 250, "a b/ü%20", "[z]{*}=#?")
DROPPED = "size"
"""The column that is dropped and added again."""
_VECTORS = ([1.0, 2.0], [0.5, -3.0], None, [4.0], [1.0, None])
_DICTS = ({"a": 1.0, "b": None}, {"a": None, "b": 2.5}, None)
_MAPS: Sequence[Any] = ([("k", 1.0)], [("k", 2.0), ("l[m]", None)], [], None)
_SCORES = (0.0, 0.125, 0.5, 0.875, 1.0, None, float("nan"))

Row = tuple[int, int | None, int]
"""Id, moment and what stands for all values; NOTHING for nulls."""
Rows = tuple[Row, ...]


def micros(moment: int | None) -> int | None:
    """Microseconds since 1970 of a moment; some are before."""
    if moment is None or moment < 0:
        return None if moment is None else _EARLY[-moment % 2]
    day, place = divmod(moment, len(_MOMENTS))
    return (JANUARY + day * DAY) * 1_000_000 + _MOMENTS[place]


def predictions(rows: Rows) -> pa.Table:
    """Rows of the serving table."""
    values = [value for *_, value in rows]

    def chosen(given: Sequence[Any], type_: pa.DataType) -> pa.Array:
        drawn = [None if value == NOTHING else given[value % len(given)] for value in values]
        return pa.array(drawn, type_)

    return pa.table(
        {
            "id": pa.array([None if id_ == 0 else f"i{id_}" for id_, *_ in rows], pa.string()),
            "at": _times(rows),
            "age": chosen(_AGES, pa.float64()),
            "size": chosen(range(100), pa.int32()),
            "price": chosen(_PRICES, pa.decimal128(38, 18)),
            "ratio": chosen(_RATIOS, pa.float32()),
            "city": chosen(_NAMES, pa.string()),
            "vip": chosen((True, False, None), pa.bool_()),
            "emb": chosen(_VECTORS, pa.list_(pa.float64())),
            "parts": chosen(_DICTS, pa.struct([("a", pa.float64()), ("b", pa.float64())])),
            "bag": chosen(_MAPS, pa.map_(pa.string(), pa.float64())),
            "score": chosen(_SCORES, pa.float64()),
        }
    )


def labels(rows: Rows) -> pa.Table:
    """Rows of the actuals table."""
    return pa.table(
        {
            "id": pa.array([None if id_ == 0 else f"i{id_}" for id_, *_ in rows], pa.string()),
            # So few that two labels of one id often became known at once.
            "known": _times([(id_, _coarse(moment), value) for id_, moment, value in rows]),
            "churned": pa.array([(True, False, None)[value % 3] for *_, value in rows], pa.bool_()),
        }
    )


def _coarse(moment: int | None) -> int | None:
    return moment and moment - moment % len(_MOMENTS) % 2


def _times(rows: Sequence[Row]) -> pa.Array:
    return pa.array([micros(moment) for _, moment, _ in rows], pa.int64()).cast(TIME)


@dataclass
class Table:
    """One of the two tables, and what has been done to it."""

    monitored: SyncedVersion
    role: str
    partitioned: bool = False
    vacuumed: int = 0

    @property
    def time(self) -> str:
        return "known" if self.role == "actuals" else "at"

    @property
    def delta(self) -> DeltaTable:
        return self.monitored.delta(self.role)

    def rows(self, given: Rows) -> pa.Table:
        return labels(given) if self.role == "actuals" else predictions(given)

    def create(self, given: Rows) -> None:
        partition = ["city" if self.role == "serving" else "churned"] if self.partitioned else None
        self.monitored.write(self.role, self.rows(given), mode="error", partition_by=partition)
        self.vacuumed = 0

    def write(self, rows: pa.Table, mode: str = "append", **more: Any) -> None:
        merged = {} if mode == "overwrite" and "predicate" in more else {"schema_mode": "merge"}
        self.monitored.write(self.role, rows, mode=mode, **merged, **more)

    @property
    def folder(self) -> Path:
        return Path(self.monitored.path(self.role))

    @property
    def columns(self) -> list[str]:
        return [field.name for field in self.delta.schema().fields]

    @property
    def misses_a_column(self) -> bool:
        """Whether a column that is connected is not there."""
        return self.role == "serving" and DROPPED not in self.columns

    def commit(self, *actions: dict[str, Any], operation: str) -> None:
        """A commit that no writer of Python makes."""
        logs.commit(self.folder, self.delta.version() + 1, actions, operation)

    def files(self) -> dict[str, dict[str, Any]]:
        """Path to the entry of each file, as the JSON of the log has it."""
        found: dict[str, dict[str, Any]] = {}
        for path in sorted((self.folder / "_delta_log").glob("*.json")):
            actions = [json.loads(line) for line in path.read_text().splitlines() if line]
            for action in actions:
                found.pop(action.get("remove", {}).get("path", ""), None)
            found |= {action["add"]["path"]: action["add"] for action in actions if "add" in action}
        return found

    def day(self, number: int) -> str:
        """A predicate for one day."""
        first, after = (f"{_day(number + more)}T00:00:00Z" for more in (0, 1))
        return f"{self.time} >= '{first}' AND {self.time} < '{after}'"


def _day(number: int) -> str:
    return f"{datetime.fromtimestamp(JANUARY, UTC) + timedelta(days=number):%Y-%m-%d}"


@dataclass(frozen=True)
class Append:
    rows: Rows

    def to(self, table: Table) -> None:
        table.write(table.rows(self.rows))


@dataclass(frozen=True)
class Overwrite:
    rows: Rows

    def to(self, table: Table) -> None:
        table.write(table.rows(self.rows), "overwrite")


@dataclass(frozen=True)
class OverwriteDay:
    """Other rows in the place of those of a day."""

    day: int
    rows: tuple[tuple[int, int, int], ...]

    def to(self, table: Table) -> None:
        kept = tuple((id_, self.day * len(_MOMENTS) + place, value) for id_, place, value in self.rows)
        rows = table.rows(kept)
        schema = pa.schema(table.delta.schema().to_arrow())
        rows = pa.table(
            {
                field.name: rows[field.name]
                if field.name in rows.column_names
                # A column of other rows only.
                else pa.nulls(len(rows), field.type)
                for field in schema
            }
        )
        table.write(rows, "overwrite", predicate=table.day(self.day))


@dataclass(frozen=True)
class Delete:
    """``divisor`` 0 deletes a day, another one the ids that it leaves ``rest`` of."""

    divisor: int
    rest: int

    def to(self, table: Table) -> None:
        if self.divisor == 0:
            table.delta.delete(table.day(self.rest % DAYS))
        elif self.divisor == 1:
            table.delta.delete(f"{table.time} IS NULL")
        else:
            table.delta.delete(_ids(self.divisor, self.rest))


@dataclass(frozen=True)
class Merge:
    """Rows that replace those of the same id, or delete them, or only come if there are none."""

    kind: str
    rows: Rows

    def to(self, table: Table) -> None:
        unique = table.rows(tuple({row[0]: row for row in self.rows if row[0] != 0}.values()))
        known = [name for name in unique.column_names if name in table.columns]
        merger = table.delta.merge(unique.select(known), "t.id = s.id", source_alias="s", target_alias="t")
        if self.kind == "delete":
            merger.when_matched_delete().execute()
        elif self.kind == "insert":
            merger.when_not_matched_insert_all().execute()
        else:
            merger.when_matched_update_all().when_not_matched_insert_all().execute()


@dataclass(frozen=True)
class Update:
    """Values, or times by some days, of the ids that ``divisor`` leaves ``rest`` of."""

    days: int | None
    divisor: int
    rest: int

    def to(self, table: Table) -> None:
        if self.days is None:
            new = {"age": "age + 1"} if table.role == "serving" else {"churned": "NOT churned"}
        elif self.days == 0:
            new = {table.time: "NULL"}
        else:
            new = {table.time: f"{table.time} + interval '{self.days} day'"}
        table.delta.update(updates=new, predicate=_ids(self.divisor, self.rest))


@dataclass(frozen=True)
class Widen:
    """A column that nobody uses."""

    name: str

    def to(self, table: Table) -> None:
        rows = table.rows(((1, 2, 3),))
        table.write(rows.append_column(self.name, pa.array([1])))


@dataclass(frozen=True)
class Hide:
    """Rows of every file, those whose place ``divisor`` leaves ``rest`` of, hidden by deletion vectors."""

    divisor: int
    rest: int

    def to(self, table: Table) -> None:
        actions = [action for add in table.files().values() for action in self._of(add)]
        if actions:
            table.commit(logs.protocol("deletionVectors"), *actions, operation="DELETE")

    def _of(self, add: dict[str, Any]) -> Iterator[dict[str, Any]]:
        stats = json.loads(add["stats"])
        gone = [n for n in range(stats["numRecords"]) if n % self.divisor == self.rest % self.divisor]
        if add.get("deletionVector") or not gone:
            return
        kept = {key: add[key] for key in ("path", "partitionValues", "size")}
        yield {"remove": {**kept, "dataChange": True, "extendedFileMetadata": True}}
        vector = {"deletionVector": logs.deletion_vector(gone), "dataChange": True}
        yield {"add": {**add, **vector, "stats": json.dumps({**stats, "tightBounds": False})}}


@dataclass(frozen=True)
class Reshape:
    """The column that is dropped where it is there, and added where it is not."""

    def to(self, table: Table) -> None:
        if table.role != "serving":
            return
        described = table.delta.metadata()
        fields = json.loads(table.delta.schema().to_json())["fields"]
        kept = [field for field in fields if field["name"] != DROPPED]
        if len(kept) == len(fields):
            kept.append(logs.field(DROPPED, "integer"))
        (action,) = logs.metadata(kept, described.partition_columns)
        action["metaData"]["id"] = str(described.id)
        table.commit(action, operation="CHANGE COLUMN")


@dataclass(frozen=True)
class Tidy:
    """What leaves the rows as they are."""

    how: str

    def to(self, table: Table) -> None:
        if self.how == "compact":
            table.delta.optimize.compact()
        elif self.how == "order":
            table.delta.optimize.z_order(["id"])
        elif self.how == "vacuum":
            table.delta.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
            table.vacuumed = table.delta.version()
        else:
            table.delta.create_checkpoint()


@dataclass(frozen=True)
class Restore:
    """An older version again, of those whose files are all there still."""

    back: int

    def to(self, table: Table) -> None:
        version = table.delta.version()
        older = max(table.vacuumed, version - self.back)
        if older < version:
            table.delta.restore(older)


@dataclass(frozen=True)
class Recreate:
    """Another table in the place of this one."""

    rows: Rows

    def to(self, table: Table) -> None:
        shutil.rmtree(table.monitored.path(table.role))
        table.create(self.rows)


def _ids(divisor: int, rest: int) -> str:
    numbers = [f"'i{number}'" for number in range(1, IDS) if number % divisor == rest % divisor]
    return f"id IN ({', '.join(numbers)})" if numbers else "id IS NULL"


Commit = (
    Append
    | Overwrite
    | OverwriteDay
    | Delete
    | Merge
    | Update
    | Hide
    | Reshape
    | Widen
    | Tidy
    | Restore
    | Recreate
)

_moments = st.integers(0, DAYS * len(_MOMENTS) - 1)
_rare = st.sampled_from([None, None, -1, -2])
_row = st.tuples(st.integers(0, IDS - 1), _moments | _moments | _rare, st.integers(0, 60))
rows = st.lists(_row, max_size=14).map(tuple)
bare = rows.map(lambda drawn: tuple((id_, moment, NOTHING) for id_, moment, _ in drawn))
"""Rows without a value in any column."""
_in_day = st.tuples(st.integers(0, IDS - 1), st.integers(0, len(_MOMENTS) - 1), st.integers(0, 60))
_divisors = st.integers(2, 5)
_often: st.SearchStrategy[Commit] = st.one_of(
    st.builds(Append, rows),
    st.builds(Merge, st.sampled_from(["upsert", "delete", "insert"]), rows),
    st.builds(Delete, st.integers(0, 5), st.integers(0, DAYS)),
    st.builds(Update, st.sampled_from([None, 0, 1, 2, -1]), _divisors, st.integers(0, 4)),
    st.builds(Hide, _divisors, st.integers(0, 4)),
    st.builds(OverwriteDay, st.integers(0, DAYS - 1), st.lists(_in_day, max_size=5).map(tuple)),
)
_seldom: st.SearchStrategy[Commit] = st.one_of(
    st.builds(Tidy, st.sampled_from(["compact", "order", "vacuum", "checkpoint"])),
    st.builds(Widen, st.sampled_from(["first", "second"])),
    st.builds(Reshape),
    st.builds(Restore, st.integers(1, 4)),
    st.builds(Overwrite, rows),
    st.builds(Recreate, rows),
)
commits: st.SearchStrategy[Commit] = _often | _often | _seldom
"""A commit of any kind."""
