"""
What it costs to find what is due among 300 versions of 3 datasets, and what a run with nothing new costs.

Run ``python -m benchmarks.due``. Each version has a training set, predictions and labels in tables of its own
on an S3 server on loopback, and SQLite holds the registry. Measured is how long it takes to find what is due
before anything was synced, with nothing new, and after 5 of the tables got a commit; and what a run with
nothing new costs: if every dataset is synced, which is measured on some of them and multiplied, and if only
those are that are due. What Airflow needs for a task comes on top of each sync.

The tables of one version are written and synced; those of the others are copies, and so is what is stored of
their syncs. Seconds of processors are those of this process: the S3 server is another one.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pyarrow as pa
from deltalake import write_deltalake
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.sync_tables import FIELDS, BinsRow, StateBlockRow, SyncRow
from aporia_provider.backend.store.tables import Base, DatasetRow, VersionRow
from aporia_provider.backend.sync.due.candidates import stored_versions
from aporia_provider.backend.sync.fingerprints import fields_registration, performance_registration
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from benchmarks.measuring import load
from tests import servers

T = TypeVar("T")

MODEL = "benchmark"
ROLES = ("training", "serving", "actuals")
CHANGED = 5
WANTED = 10.0 / 200
"""Seconds for each table, at most."""
_ROWS = 50
_START = datetime(2026, 1, 1, tzinfo=UTC)

SCHEMA = VersionSchema(
    model_type="binary",
    features={"amount": "numeric", "age": "numeric", "city": "categorical"},
    predictions={"score": "numeric"},
)


@dataclass
class Fleet:
    """
    Versions of a model, each with a bucket of its own for the tables of its datasets.

    :param registry: Where they are registered.
    :param credentials: Credentials for S3.
    :param versions: How many there are.
    """

    registry: EmbeddedRegistry
    credentials: AwsCredentials
    versions: int

    @property
    def names(self) -> list[str]:
        return [f"benchmark-{number:04}" for number in range(self.versions)]

    def write(self, version: str, role: str, day: int = 0) -> None:
        """Append a day to a table."""
        times = [_START + timedelta(days=day, minutes=row) for row in range(_ROWS)]
        columns: dict[str, Any] = {
            "id": [f"{day}/{row}" for row in range(_ROWS)],
            "at": pa.array(times, pa.timestamp("us", "UTC")),
        }
        if role == "actuals":
            columns["label"] = [row % 2 == 0 for row in range(_ROWS)]
        else:
            columns["amount"] = [row / 8 for row in range(_ROWS)]
            columns["age"] = [float(row % 70) for row in range(_ROWS)]
            columns["city"] = [("Rome", "Oslo", "Bern")[row % 3] for row in range(_ROWS)]
            columns["score"] = [row % 9 / 8 for row in range(_ROWS)]
        options = self.credentials.delta_options()
        write_deltalake(f"s3://{version}/{role}", pa.table(columns), mode="append", storage_options=options)

    def prepare(self) -> None:
        """Make the tables of the first version, and copies of them for the others; connect all."""
        first = self.names[0]
        client = self.credentials.client()
        for version in self.names:
            where = {"LocationConstraint": servers.S3_REGION}
            client.create_bucket(Bucket=version, CreateBucketConfiguration=where)
        for role in ROLES:
            self.write(first, role)
        keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=first)["Contents"]]
        files = {key: client.get_object(Bucket=first, Key=key)["Body"].read() for key in keys}
        # All are put in the same way, since tags of objects depend on it, and tell one commit from another.
        for version in self.names:
            for key, content in files.items():
                client.put_object(Bucket=version, Key=key, Body=content)
        self.registry.create_model(Model(id=MODEL, name=MODEL))
        for version in self.names:
            self._connect(version)

    def _connect(self, version: str) -> None:
        self.registry.create_model_version(MODEL, version, SCHEMA)
        for role in ROLES:
            source = S3DataSource(object_path=f"{version}/{role}", object_format="delta")
            more: dict[str, Any] = {"labels": {"score": "label"}} if role == "actuals" else {}
            self.registry.connect_dataset(
                MODEL,
                version,
                DatasetConnection(
                    role=role, data_source=source, id_column="id", timestamp_column="at", **more
                ),
            )

    def sync(self, version: str, role: Any) -> dict[str, Any]:
        return self.registry.sync_dataset(MODEL, version, role, credentials=self.credentials)

    def sync_all(self) -> None:
        """Sync the first version, and store for the others, whose tables are the same, what it came to."""
        first, *others = self.names
        for role in ROLES:
            self.sync(first, role)
        with self.registry.database.write_transaction() as session:
            keys = {row.name: row.key for row in session.scalars(select(VersionRow))}
            datasets = {(row.version_key, row.role): row.key for row in session.scalars(select(DatasetRow))}
            for version in others:
                _copy(session, BinsRow, "version_key", keys[first], keys[version])
                for role in ROLES:
                    places = datasets[keys[first], role], datasets[keys[version], role]
                    _copy(session, SyncRow, "dataset_key", *places)
                    _copy(session, StateBlockRow, "dataset_key", *places)
            _registered_anew(session, self.registry.environment)

    def due(self) -> list[dict[str, str]]:
        return self.registry.get_due_datasets(find_credentials=lambda: self.credentials)


def _copy(session: Session, table: type[Base], owner: str, source: int, target: int) -> None:
    columns = [column for column in table.__table__.columns if column.name not in ("key", owner)]
    found = session.execute(select(*columns).filter_by(**{owner: source})).all()
    if found:
        session.execute(insert(table), [{owner: target, **row._mapping} for row in found])


def _registered_anew(session: Session, environment: str) -> None:
    """Let the fingerprints of copies stand for the tables that their versions are registered with."""
    for version in stored_versions(session, environment):
        for (role, part), known in version.checkpoints.items():
            of = version.subject
            first = fields_registration(of, role) if part == FIELDS else performance_registration(of)
            text = f"{first}.{known.fingerprint.partition('.')[2]}"
            session.execute(update(SyncRow).filter_by(key=known.key).values(fingerprint=text))


@dataclass(frozen=True)
class Taken:
    """Seconds on the clock, and of processors."""

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:8.2f} s (processors {self.processor:7.2f} s)"

    def __add__(self, other: Taken) -> Taken:
        return Taken(self.clock + other.clock, self.processor + other.processor)

    def times(self, factor: float) -> Taken:
        return Taken(self.clock * factor, self.processor * factor)


def timed(call: Callable[[], T]) -> tuple[Taken, T]:
    clock, processor = time.perf_counter(), time.process_time()
    answer = call()
    return Taken(time.perf_counter() - clock, time.process_time() - processor), answer


def find(fleet: Fleet, when: str, expected: int) -> Taken:
    """Print how long it takes to find what is due."""
    taken, due = timed(fleet.due)
    assert len(due) == expected, (when, len(due))
    print(f"  found {len(due):4} due, {when:22}: {taken}; {load()}", flush=True)
    return taken


def sync_unchanged(fleet: Fleet, sample: int) -> Taken:
    """What syncing every dataset costs if nothing is new, from some of each role."""
    whole = Taken(0, 0)
    for role in ROLES:
        chosen = fleet.names[:sample]
        taken, _ = timed(lambda role=role, chosen=chosen: [fleet.sync(name, role) for name in chosen])  # type: ignore[misc]
        print(f"  one {role:9} without anything new: {taken.times(1 / len(chosen))}; {load()}", flush=True)
        whole += taken.times(fleet.versions / len(chosen))
    return whole


def run(fleet: Fleet, sample: int) -> bool:
    tables = fleet.versions * len(ROLES)
    print(f"{fleet.versions} versions, {tables} datasets; {load()}", flush=True)
    fleet.prepare()
    find(fleet, "before any sync", tables)
    fleet.sync_all()
    find(fleet, "for the first time", 0)
    after = find(fleet, "with nothing new", 0)
    changed = fleet.names[-CHANGED:]
    before = after + sync_unchanged(fleet, sample)
    for version in changed:
        fleet.write(version, "serving", day=1)
    find(fleet, f"with {CHANGED} changed", len(changed))
    print(f"  a run with nothing new, if all are synced: {before}, {tables} tasks")
    print(f"  a run with nothing new, if what is due is: {after}, 1 task")
    ratios = (
        f"{before.clock / after.clock:.0f} on the clock, "
        f"{before.processor / after.processor:.0f} of processors"
    )
    fine = after.clock <= WANTED * tables
    wanted = f"within {WANTED * 200:.0f} s for 200 tables: {'yes' if fine else 'NO'}"
    print(f"  ratio {ratios}; {wanted} ({after.clock / tables * 200:.2f} s)", flush=True)
    return fine


def main() -> None:
    parser = argparse.ArgumentParser(description="What finding the datasets that are due costs.")
    parser.add_argument("--versions", type=int, default=300)
    parser.add_argument("--sample", type=int, default=10, help="how many of each role are synced again")
    chosen = parser.parse_args()
    with servers.moto() as endpoint, tempfile.TemporaryDirectory() as folder:
        s3 = AwsCredentials("key", "secret", region=servers.S3_REGION, endpoint_url=endpoint)
        with EmbeddedRegistry(f"sqlite:///{folder}/registry.db", "benchmark") as registry:
            fine = run(Fleet(registry, s3, chosen.versions), min(chosen.sample, chosen.versions))
    raise SystemExit(not fine)


if __name__ == "__main__":
    main()
