"""Tables that a test writes and syncs, and what their states should come to."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from sqlalchemy import delete, select

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.sync_tables import StateBlockRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.models import AggregationPeriod, Model
from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.state import State, read_state
from aporia_provider.monitoring.states.value_state import ValueState
from aporia_provider.schema import VersionSchema
from tests.backend.stored_states import stored_states

NOWHERE = "nowhere"
"""No engine: a sync that needs one fails at once."""
UNREACHABLE = "sc://127.0.0.1:1"
"""An engine that does not answer: a sync that needs one fails after several attempts, in nine seconds."""
MODEL, VERSION = "churn", "v1"
DAY = 86_400
JANUARY = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp())
SCHEMA = VersionSchema(
    model_type="binary",
    features={"age": "numeric", "city": "categorical", "vip": "boolean"},
    predictions={"score": "numeric"},
)
TIME = pa.timestamp("us", "UTC")

Stored = dict[tuple[str, str, str, int | None], Any]


def micros(day: float) -> int:
    """A time of January 2024, in microseconds since 1970; the first day begins at 1."""
    return (JANUARY + round((day - 1) * DAY)) * 1_000_000


def bucket(day: int) -> int:
    """The bucket of a day of January 2024."""
    return JANUARY + (day - 1) * DAY


def times(days: Sequence[float | None], type_: pa.DataType = TIME) -> pa.Array:
    return pa.array([None if day is None else micros(day) for day in days], pa.int64()).cast(type_)


def served(*days: float | None, ids: Sequence[Any] | None = None, seed: int = 0, **columns: Any) -> pa.Table:
    """
    Predictions. Scores are eighths, so that sums of them are exact in any arithmetic.

    :param days: When they were made.
    :param ids: Their ids; without, each has one of its own.
    :param columns: Columns to have instead, or besides.
    """
    rng = np.random.default_rng([seed, len(days), *(abs(micros(day or 0)) for day in days)])
    made = {
        "id": [f"{seed}/{day}/{place}" for place, day in enumerate(days)] if ids is None else ids,
        "at": times(days),
        "age": np.round(rng.normal(40, 9, len(days)), 3),
        "city": rng.choice(["Rome", "Oslo", "Bern"], len(days)),
        "vip": rng.random(len(days)) < 0.3,
        "score": rng.integers(0, 9, len(days)) / 8,
    }
    table = pa.table(made | columns)
    return table.set_column(0, "id", table["id"].cast(pa.string())) if ids is None else table


def spread(first: int, last: int, per_day: int, seed: int = 0) -> pa.Table:
    """So many predictions at even times of each of some days."""
    days = [day + (n + 0.5) / per_day for day in range(first, last + 1) for n in range(per_day)]
    return served(*days, seed=seed)


def labelled(known: float | None, labels: Mapping[str | None, bool | None]) -> pa.Table:
    """Labels by id that became known at one time."""
    return pa.table(
        {
            "id": pa.array(labels, pa.string()),
            "known": times([known] * len(labels)),
            "churned": pa.array(labels.values(), pa.bool_()),
        }
    )


@dataclass
class SyncedVersion:
    """A version, its tables, and the registry that syncs them."""

    folder: Path
    registry: Registry
    engine: str = "embedded"
    credentials: AwsCredentials | None = None
    place: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    def register(
        self,
        schema: VersionSchema = SCHEMA,
        period: AggregationPeriod | None = None,
        retention: str | None = None,
    ) -> SyncedVersion:
        model = Model(id=MODEL, name="Churn", aggregation_period=period, retention=retention)
        self.registry.create_model(model)
        self.registry.create_model_version(MODEL, VERSION, schema)
        return self

    def path(self, name: str) -> str:
        return f"{self.place or self.folder}/{name}"

    def write(self, name: str, rows: pa.Table, mode: str = "append", **more: Any) -> None:
        write_deltalake(self.path(name), rows, mode=mode, storage_options=self.options, **more)  # type: ignore[call-overload]

    def delta(self, name: str) -> DeltaTable:
        return DeltaTable(self.path(name), storage_options=self.options)

    def rows(self, name: str) -> pa.Table:
        """What is in a table, read without the code under test."""
        return pa.table(self.delta(name).to_pyarrow_table())

    def connect(self, role: Any, **more: Any) -> None:
        kept = {
            name: more.pop(name) for name in ("select_expr", "sample_size", "read_options") if name in more
        }
        source = S3DataSource(
            object_path=more.pop("path", self.path(role)), object_format=more.pop("format", "delta"), **kept
        )
        columns: dict[str, Any] = {"id_column": "id", "timestamp_column": "at"}
        if role == "actuals":
            columns = {"id_column": "id", "timestamp_column": "known", "labels": {"score": "churned"}}
        self.registry.connect_dataset(
            MODEL, VERSION, DatasetConnection(role=role, data_source=source, **{**columns, **more})
        )

    def sync(self, role: Any = "serving", **more: Any) -> dict[str, Any]:
        given = {"engine": self.engine, "credentials": self.credentials, **more}
        return self.registry.sync_dataset(MODEL, VERSION, role, **given)

    def status(self, role: Any = "serving") -> dict[str, Any]:
        return self.registry.get_dataset_sync_status(MODEL, VERSION, role)

    def stored(self, *parts: str) -> Stored:
        """Everything that is stored, by role, part, field and bucket."""
        return stored(self.registry.database, *parts)

    def states(self, key: str, role: str = "serving") -> dict[int | None, State]:
        """The states of a field by bucket."""
        return {
            place[3]: read_state(state)
            for place, state in self.stored().items()
            if (place[0], place[2]) == (role, key)
        }

    def outcomes(self) -> dict[int | None, Binary]:
        """How the predictions of each bucket did."""
        found = self.states("performance.score")
        assert all(isinstance(state, Binary) for state in found.values())
        return found  # type: ignore[return-value]

    def check(self) -> None:
        """What is stored is what one full scan of the tables comes to, on the same bins."""
        with self.scanned() as scanned:
            again = scanned.stored()
            here = self.stored()
            assert sorted(set(here) ^ set(again), key=str) == []
            assert {key: state for key, state in here.items() if state != again[key]} == {}

    @contextmanager
    def scanned(self) -> Iterator[SyncedVersion]:
        """A copy that has synced all that is synced here, from the first row to the last."""
        with EmbeddedRegistry(copied(self.registry.database, self.folder), "prod") as registry:
            monitored = SyncedVersion(self.folder, registry, self.engine, self.credentials)
            for role in sorted({role for role, *_ in self.synced()}):
                monitored.sync(role)
            yield monitored

    def synced(self) -> set[tuple[str, str]]:
        """The roles and parts that have been synced."""
        query = select(DatasetRow.role, SyncRow.part).join(DatasetRow, SyncRow.dataset_key == DatasetRow.key)
        with self.registry.database.read_transaction() as session:
            return {(role, part) for role, part in session.execute(query)}


def copied(database: Database, folder: Path) -> str:
    """The URL of a copy of an SQLite database that knows the bins, but was never synced."""
    copy = folder / "copy.db"
    shutil.copyfile(str(database.url.database), copy)
    with Database(f"sqlite:///{copy}") as empty, empty.write_transaction() as session:
        session.execute(delete(StateBlockRow))
        session.execute(delete(SyncRow))
    return f"sqlite:///{copy}"


def stored(database: Database, *parts: str) -> Stored:
    """All states of a database's only version, as they are stored."""
    with database.read_transaction() as session:
        datasets = session.execute(select(DatasetRow.role, DatasetRow.key)).all()
        return {
            (role, *place): state
            for role, key in datasets
            for place, state in stored_states(session, key).items()
            if not parts or place[0] in parts
        }


def work(status: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a sync did."""
    return tuple(status[name] for name in ("changed", "buckets_recomputed", "rows_read", "files_read"))


def assert_synced(monitored: SyncedVersion) -> None:
    """What is stored of the predictions is what their rows come to, by hand and by a full scan."""
    assert_equal_rows(monitored, monitored.rows("serving"))
    monitored.check()


def assert_equal_rows(
    monitored: SyncedVersion, rows: pa.Table, role: str = "serving", time: str = "at"
) -> None:
    """The states of a dataset are what its rows come to, counted here by hand."""
    listed = rows.set_column(
        rows.column_names.index(time), time, rows[time].cast(TIME).cast(pa.int64())
    ).to_pylist()
    groups: dict[int | None, list[dict[str, Any]]] = {}
    for row in listed:
        micro = row[time]
        groups.setdefault(None if micro is None else micro // 1_000_000 // DAY * DAY, []).append(row)
    assert {place: _rows(state) for place, state in monitored.states("rows", role).items()} == {
        place: _counted(group) for place, group in groups.items()
    }
    for column, key in (("age", "features.age"), ("score", "predictions.score")):
        assert {place: _number(state) for place, state in monitored.states(key, role).items()} == {
            place: _summed([row[column] for row in group]) for place, group in groups.items()
        }
    assert {place: _texts(state) for place, state in monitored.states("features.city", role).items()} == {
        place: Counter(row["city"] for row in group if row["city"] is not None)
        for place, group in groups.items()
    }


def _rows(state: State) -> tuple[int, int, int]:
    assert isinstance(state, RowState)
    return state.rows, state.null_ids, state.duplicate_ids


def _counted(group: Sequence[Mapping[str, Any]]) -> tuple[int, int, int]:
    ids = [row["id"] for row in group if row["id"] is not None]
    return len(group), len(group) - len(ids), len(ids) - len(set(ids))


def _number(state: State) -> tuple[Any, ...]:
    assert isinstance(state, NumericState)
    assert not state.counts or sum(state.counts) == state.finite
    return state.rows, state.nulls, state.total, state.least, state.greatest


def _summed(values: Sequence[float | None]) -> tuple[Any, ...]:
    given = [value for value in values if value is not None]
    total = sum(map(Fraction, given), Fraction())
    return len(values), len(values) - len(given), total, min(given, default=None), max(given, default=None)


def _texts(state: State) -> Counter[str]:
    assert isinstance(state, ValueState)
    return Counter({**state.known, **state.others.counts})
