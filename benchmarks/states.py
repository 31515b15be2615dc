"""
What stored states cost: bytes for each, and the time of queries, beside what rows of JSON cost.

Run ``python -m benchmarks.states``. States are made without an engine and stored by the functions that a sync
calls. The same states are also stored as rows of JSON, as revision 0005 of the database did, and are read and
added one after another as it did; that is called "JSON".

The versions after the first are copies of its rows. The whole size is
``--versions 300 --roles training,serving,actuals --fields 100 --days 365``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from statistics import quantiles
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.database import migrate
from aporia_provider.backend.store.database_urls import is_sqlite
from aporia_provider.backend.store.profiles import read_profile, replace_profile
from aporia_provider.backend.store.sync_tables import FIELDS, StateBlockRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow, utc_now
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.metrics import MetricsQuery
from aporia_provider.models import Model
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.profiles.plan import Bins, dump_bins
from aporia_provider.monitoring.profiles.profile import Profile
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.state import State, read_state
from aporia_provider.monitoring.states.value_state import ValueState
from aporia_provider.schema import VersionSchema
from benchmarks.measuring import load
from tests import servers
from tests.backend.running import empty_postgres

START = 1_704_067_200
FIRST = "v0"
SECONDS = {"hourly": 3_600, "daily": 86_400}
_CATEGORIES = [f"value {number}" for number in range(20)]
_RNG = np.random.default_rng(1)
_NUMBERS = NumericBins.of(_RNG.lognormal(size=20_000))
_TEXTS = CategoryBins.of(dict.fromkeys(_CATEGORIES, 1))
_JSON = sa.Table(
    "json_state",
    sa.MetaData(),
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("dataset_key", sa.Integer, nullable=False),
    sa.Column("part", sa.String(20), nullable=False),
    sa.Column("field", sa.Text, nullable=False),
    sa.Column("bucket", sa.BigInteger),
    sa.Column("state", sa.JSON, nullable=False),
    sa.UniqueConstraint("dataset_key", "field", "bucket"),
    sa.Index("ix_json_state_bucket", "dataset_key", "part", "bucket"),
)


def made(field: int, rows: int) -> State:
    """The state of a bucket: one field in five has categories, the others have numbers."""
    if field % 5 == 4:
        counts = _RNG.multinomial(rows, np.full(len(_CATEGORIES), 1 / len(_CATEGORIES)))
        tally = {text: int(count) for text, count in zip(_CATEGORIES, counts, strict=True) if count}
        return ValueState.of(tally, rows, 0, _TEXTS)
    return NumericState.of(_RNG.lognormal(size=rows), 0, _NUMBERS)


@dataclass
class Stored:
    """
    A model in a registry, whose versions have the same states.

    :param registry: The registry.
    :param period: Length of its buckets.
    :param fields: Number of fields.
    :param roles: Roles of its datasets.
    """

    registry: EmbeddedRegistry
    period: Any
    fields: int
    roles: Sequence[Any]

    @property
    def names(self) -> list[str]:
        return [f"f{number:03}" for number in range(self.fields)]

    @property
    def keys(self) -> list[str]:
        return [f"features.{name}" for name in self.names]

    @property
    def bins(self) -> dict[str, Bins]:
        assert _NUMBERS is not None
        return {key: _TEXTS if place % 5 == 4 else _NUMBERS for place, key in enumerate(self.keys)}

    def fill(self, versions: int, buckets: int, rows: int) -> None:
        """Register versions, and store their states."""
        self.registry.create_model(Model(id=self.period, name=self.period, aggregation_period=self.period))
        types = ["categorical" if place % 5 == 4 else "numeric" for place in range(self.fields)]
        schema = VersionSchema(
            model_type="binary",
            features=dict(zip(self.names, types, strict=True)),
            predictions={"p": "boolean"},
        )
        for version in range(versions):
            self._register(f"v{version}", schema)
        self._store_first(buckets, rows)
        for version in range(1, versions):
            self._copy(f"v{version}")

    def _register(self, version: str, schema: VersionSchema) -> None:
        self.registry.create_model_version(self.period, version, schema)
        for role in self.roles:
            source = S3DataSource(object_path="b/k", object_format="delta")
            more: dict[str, Any] = {"labels": {"p": "label"}} if role == "actuals" else {}
            dataset = DatasetConnection(
                role=role, data_source=source, id_column="i", timestamp_column="t", **more
            )
            self.registry.connect_dataset(self.period, version, dataset)

    def _store_first(self, buckets: int, rows: int) -> None:
        for role in self.roles:
            with self.registry.database.write_transaction() as session:
                key = self.dataset(session, FIRST, role)
                stored = {"synced_at": utc_now(), "started_at": utc_now(), "grids": dump_bins(self.bins)}
                session.add(SyncRow(dataset_key=key, part=FIELDS, **stored))
                for start in range(0, buckets, 31 * 24):
                    states = self._states(start, min(start + 31 * 24, buckets), rows)
                    ends = [START + place * SECONDS[self.period] for place in (start, start + 31 * 24)]
                    replace_profile(session, key, FIELDS, states, [(ends[0], ends[1])], null_timestamps=False)

    def _states(self, start: int, end: int, rows: int) -> Profile:
        states: Profile = {}
        for place in range(start, end):
            bucket = START + place * SECONDS[self.period]
            states[bucket, "rows"] = RowState.of(_RNG.integers(-(2**63), 2**63, rows), 0)
            states |= {(bucket, key): made(field, rows) for field, key in enumerate(self.keys)}
        return states

    def _copy(self, version: str) -> None:
        with self.registry.database.write_transaction() as session:
            for role in self.roles:
                source, target = self.dataset(session, FIRST, role), self.dataset(session, version, role)
                for table in (SyncRow, StateBlockRow):
                    names = [
                        item.name
                        for item in table.__table__.columns
                        if item.name not in ("key", "dataset_key")
                    ]
                    values = sa.select(sa.literal(target), *(sa.column(name) for name in names))
                    values = values.select_from(table.__table__).where(sa.column("dataset_key") == source)
                    session.execute(sa.insert(table).from_select(["dataset_key", *names], values))

    def dataset(self, session: Session, version: str, role: str) -> int:
        query = sa.select(DatasetRow.key).join(VersionRow, DatasetRow.version_key == VersionRow.key)
        return session.scalars(query.where(VersionRow.name == version, DatasetRow.role == role)).one()

    def ask(self, name: str, fields: Sequence[str], by: Any = None, **more: Any) -> list[Any]:
        """The results of a metric of fields over all of the serving data."""
        data = {"dataset_type": "serving", "model_version": FIRST}
        metrics = [
            {"id": field, "metric": name, "parameters": {"column": field}, "datasets": {"data": data, **more}}
            for field in fields
        ]
        query = {"model_id": self.period, "aggregation_period": by, "metrics": metrics}
        return list(self.registry.query_metrics(MetricsQuery.from_wire(query)))


def store_json(stored: Stored) -> int:
    """Store the states of the serving dataset as rows of JSON, too; how many there are."""
    _JSON.create(stored.registry.database.engine)
    with stored.registry.database.write_transaction() as session:
        key = stored.dataset(session, FIRST, "serving")
        count, owner = 0, {"created_at": utc_now(), "dataset_key": key, "part": FIELDS}
        for field in ("rows", *stored.keys):
            rows = [
                {**owner, "field": field, "bucket": bucket, "state": state.to_json()}
                for bucket, _, state in read_profile(session, key, None, [field])
            ]
            session.execute(sa.insert(_JSON), rows)
            count += len(rows)
    return count


def json_sums(stored: Stored, fields: Sequence[str]) -> list[State]:
    """The sums of the states of fields, read and added one after another."""
    with stored.registry.database.read_transaction() as session:
        key = stored.dataset(session, FIRST, "serving")
        query = sa.select(_JSON.c.state).where(_JSON.c.dataset_key == key).order_by(_JSON.c.bucket)
        return [
            reduce(add, map(read_state, session.scalars(query.where(_JSON.c.field == f"features.{field}"))))
            for field in fields
        ]


def json_states(stored: Stored, fields: Sequence[str]) -> list[State]:
    """The states of fields."""
    with stored.registry.database.read_transaction() as session:
        key = stored.dataset(session, FIRST, "serving")
        query = sa.select(_JSON.c.state).where(_JSON.c.dataset_key == key).order_by(_JSON.c.bucket)
        return [
            read_state(state)
            for field in fields
            for state in session.scalars(query.where(_JSON.c.field == f"features.{field}"))
        ]


def size(registry: EmbeddedRegistry, table: str) -> int:
    """The bytes of a table and its indexes."""
    with registry.database.read_transaction() as session:
        if not is_sqlite(registry.database.url):
            return int(session.scalar(sa.text(f"SELECT pg_total_relation_size('{table}')")) or 0)
        names = "SELECT name FROM sqlite_schema WHERE tbl_name = :table"
        query = f"SELECT sum(pgsize) FROM dbstat WHERE name IN ({names})"
        return int(session.scalar(sa.text(query), {"table": table}) or 0)


def seconds(call: Callable[[], Any], times: int = 5) -> tuple[float, float]:
    """The least time of a call, on the clock and of this process's processors."""
    taken = []
    for _ in range(times):
        clock, processor = time.perf_counter(), time.process_time()
        call()
        taken.append((time.perf_counter() - clock, time.process_time() - processor))
    return min(taken)


def tell(what: str, now: Callable[[], Any], before: Callable[[], Any] | None = None) -> None:
    clock, processor = seconds(now)
    line = f"  {what:46} {clock * 1000:9.1f} ms (processors {processor * 1000:9.1f} ms)"
    if before is not None:
        old, _ = seconds(before, 1)
        line += f"; reading JSON alone {old * 1000:9.1f} ms, ratio {old / clock:6.1f}"
    print(f"{line}; {load()}", flush=True)


def tell_sizes(stored: Stored, states: int) -> None:
    """Print the bytes of a state."""
    count = store_json(stored)
    old, new = (
        size(stored.registry, "json_state") / count,
        size(stored.registry, "aporia_state_block") / states,
    )
    print(
        f"  bytes of a state: JSON {old:7.1f}, blocks {new:7.1f}, ratio {old / new:4.1f}; {states:,} states"
    )


def clients(stored: Stored, number: int) -> None:
    """Print how long threads wait that ask for a year's mean at once, each for ten different fields."""

    def ask(client: int) -> list[float]:
        return [
            seconds(lambda field=field: stored.ask("mean", [field]), 1)[0]  # type: ignore[misc]
            for field in (stored.names[(client + place) * 5 % stored.fields] for place in range(10))
        ]

    with ThreadPoolExecutor(number) as pool:
        waited = sorted(taken for found in pool.map(ask, range(number)) for taken in found)
    cuts = quantiles(waited, n=100)
    print(f"  {number} clients: median {cuts[49]:.3f} s, p99 {cuts[98]:.3f} s; {load()}", flush=True)


def run_hours(registry: EmbeddedRegistry, chosen: argparse.Namespace) -> None:
    hours, rows = chosen.hours, chosen.rows
    print(f"{hours} hours of 14 fields, {rows} rows in each", flush=True)
    stored = Stored(registry, "hourly", 14, ["serving"])
    stored.fill(1, hours, rows)
    tell_sizes(stored, hours * 15)
    ten = [name for place, name in enumerate(stored.names) if place % 5 != 4][:10]
    baseline = {"baseline": {"dataset_type": "serving", "model_version": FIRST}}
    for what, fields in (("one field", ten[:1]), ("ten fields", ten)):
        tell(f"mean of {what}", partial(stored.ask, "mean", fields), partial(json_sums, stored, fields))
        drift = partial(stored.ask, "hellinger_distance", fields, **baseline)
        tell(f"drift of {what}", drift, partial(json_sums, stored, fields))
    for by in ("hourly", "daily", "weekly"):
        tell(
            f"mean of one field, {by}",
            partial(stored.ask, "mean", ten[:1], by),
            partial(json_states, stored, ten[:1]),
        )


def run_days(registry: EmbeddedRegistry, chosen: argparse.Namespace) -> None:
    versions, fields, days, roles = chosen.versions, chosen.fields, chosen.days, chosen.roles.split(",")
    print(f"{versions} versions, {chosen.roles}, {fields} fields, {days} days, {chosen.rows} rows in each")
    stored = Stored(registry, "daily", fields, roles)
    stored.fill(versions, days, chosen.rows)
    tell_sizes(stored, versions * len(roles) * days * (fields + 1))
    some = stored.names[: fields - 1]
    numbers = [name for place, name in enumerate(some) if place % 5 != 4]
    one = numbers[:1]
    tell("a year's mean of one field", partial(stored.ask, "mean", one), partial(json_sums, stored, one))
    for what, names in (("missing_count", some), ("mean", numbers)):
        before = partial(json_states, stored, names)
        tell(f"{what} of {len(names)} fields by day", partial(stored.ask, what, names, "daily"), before)
    clients(stored, chosen.clients)


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The URL of an empty database."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/registry.db"
    else:
        with servers.postgres() as server, empty_postgres(server) as url:
            migrate(url)
            yield url


def main() -> None:
    parser = argparse.ArgumentParser(description="What stored states cost.")
    parser.add_argument("--versions", type=int, default=10)
    parser.add_argument("--roles", default="serving")
    parser.add_argument("--fields", type=int, default=100)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--hours", type=int, default=365 * 24)
    parser.add_argument("--rows", type=int, default=1_000, help="rows of a bucket")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    chosen = parser.parse_args()
    for run in (run_hours, run_days):
        with database(chosen.database) as url, EmbeddedRegistry(url, "benchmark") as registry:
            run(registry, chosen)


if __name__ == "__main__":
    main()
