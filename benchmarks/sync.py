"""
What it costs to sync one more day into a table of 10, 100 and 1,000 days.

Run ``python -m benchmarks.sync``; ``--s3`` puts the tables on an S3 server on loopback instead of a folder.
Each day is a commit of its own, with a file of 20,000 rows of 13 columns, and there is a checkpoint at every
hundredth. The baseline and all days are synced first; then a day is appended and its sync is timed, a few
times. Labels are in a second table, a commit for each day too, and the ids of both grow with time: a day's
labels come after its predictions, and it is the sync of the actuals that is timed then.

Seconds are medians of whole calls: the lease, the engine's start, the log, the scan, the transaction.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from benchmarks.data import CATEGORIES, ID, NUMBERS, TIME, piece
from benchmarks.measuring import load
from tests import servers

MODEL, VERSION = "benchmark", "v1"
SCORE, LABEL = "score", "label"
BUCKET = "benchmark-bucket"
SIZES = (10, 100, 1_000)
WANTED = 1.25
_KEPT = 8  # Different days; further ones have the same values at later times.
_CHECKPOINT = 100
_DAY = 86_400 * 1_000_000

SCHEMA = VersionSchema(
    model_type="binary",
    features=dict.fromkeys(NUMBERS, "numeric") | dict.fromkeys(CATEGORIES, "categorical"),
    predictions={SCORE: "numeric"},
)


@dataclass
class Tables:
    """
    Tables of a model that is used every day.

    :param place: Folder or S3 prefix in which they are.
    :param rows: Rows of a day.
    :param credentials: Credentials for S3.
    :param days: How many days there are.
    """

    place: str
    rows: int
    credentials: AwsCredentials | None
    days: int = 0
    _made: dict[int, pa.Table] = field(default_factory=dict)

    def source(self, name: str) -> S3DataSource:
        return S3DataSource(object_path=f"{self.place}/{name}", object_format="delta")

    def append(self, name: str) -> None:
        """Add the latest day to a table."""
        table = self._day(self.days)
        if name == "actuals":
            labels = pc.less(table["x2"], table[SCORE])
            table = pa.table({ID: table[ID], TIME: table[TIME], LABEL: labels})
        options = self.credentials.delta_options() if self.credentials else None
        path = self.source(name).uri.removeprefix("file://")
        write_deltalake(path, table, mode="append", storage_options=options)
        if self.days % _CHECKPOINT == 0:
            DeltaTable(path, storage_options=options).create_checkpoint()

    def _day(self, day: int) -> pa.Table:
        kept = day % _KEPT
        if kept not in self._made:
            made = piece(kept, self.rows, days=(kept, kept))
            scores = np.random.default_rng(kept).random(self.rows)
            self._made[kept] = made.append_column(SCORE, pa.array(scores))
        table, later = self._made[kept], day - kept
        ids = pc.add(table[ID], later * self.rows)
        times = pc.add(table[TIME].cast(pa.int64()), later * _DAY).cast(pa.timestamp("us", "UTC"))
        return table.set_column(0, ID, ids).set_column(1, TIME, times)


def connect(registry: EmbeddedRegistry, tables: Tables, role: str, **more: Any) -> None:
    source = tables.source(role)
    registry.connect_dataset(
        MODEL,
        VERSION,
        DatasetConnection(role=role, data_source=source, id_column=ID, timestamp_column=TIME, **more),
    )


def measure(registry: EmbeddedRegistry, tables: Tables, role: str, runs: int) -> tuple[float, dict[str, Any]]:
    """Median of the seconds that syncing a further day takes, and what the last one tells of itself."""
    taken, told = [], {}
    for _ in range(runs):
        tables.days += 1
        tables.append("serving")
        if role == "actuals":
            registry.sync_dataset(MODEL, VERSION, "serving", credentials=tables.credentials)
            tables.append("actuals")
        # What the system still has to write of the days before is no cost of this one.
        os.sync()
        begin = time.perf_counter()
        told = registry.sync_dataset(MODEL, VERSION, role, credentials=tables.credentials)
        taken.append(time.perf_counter() - begin)
        # The performance of predictions belongs to them.
        serving = registry.get_dataset_sync_status(MODEL, VERSION, "serving")
        told["performance"] = serving["performance"]
    return statistics.median(taken), told


@contextmanager
def registry_of(folder: Path, tables: Tables) -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry(f"sqlite:///{folder}/registry.db", "benchmark") as registry:
        registry.create_model(Model(id=MODEL, name=MODEL))
        registry.create_model_version(MODEL, VERSION, SCHEMA)
        tables.append("training")
        connect(registry, tables, "training")
        registry.sync_dataset(MODEL, VERSION, "training", credentials=tables.credentials)
        yield registry


def cost(days: int, role: str, chosen: argparse.Namespace, s3: AwsCredentials | None) -> float:
    with tempfile.TemporaryDirectory() as temporary:
        place = f"s3://{BUCKET}/{role}-{days}" if s3 else Path(temporary).as_uri()
        tables = Tables(place.removeprefix("s3://"), chosen.rows, s3)
        with registry_of(Path(temporary), tables) as registry:
            for tables.days in range(1, days + 1):
                tables.append("serving")
                if role == "actuals":
                    tables.append("actuals")
            connect(registry, tables, "serving")
            registry.sync_dataset(MODEL, VERSION, "serving", credentials=s3)
            if role == "actuals":
                connect(registry, tables, "actuals", labels={SCORE: LABEL})
                registry.sync_dataset(MODEL, VERSION, "actuals", credentials=s3)
            seconds, told = measure(registry, tables, role, chosen.runs)
            if chosen.where:
                _print_where(registry, tables, role)
    _print(days, seconds, told)
    return seconds


def _print(days: int, seconds: float, told: dict[str, Any]) -> None:
    parts = [told, *([told["performance"]] if told["performance"] else [])]
    assert all(part["buckets_recomputed"] == 1 for part in parts), told
    read = "; ".join(f"{part['files_read']} files, {part['bytes_read'] or 0:,} bytes" for part in parts)
    print(f"  {days:5} days: {seconds:6.2f} s, {read}; {load()}", flush=True)


def _print_where(registry: EmbeddedRegistry, tables: Tables, role: str) -> None:
    profiler = cProfile.Profile()
    profiler.enable()
    measure(registry, tables, role, 1)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("cumulative").print_stats("aporia_provider|deltalake", 45)


def run(chosen: argparse.Namespace, s3: AwsCredentials | None) -> bool:
    """Print what further days cost; whether it is the same however many there are."""
    fine = True
    for role in chosen.roles:
        what = "a day of predictions" if role == "serving" else "a day's labels"
        print(f"{what}, {chosen.rows:,} rows, {'S3 on loopback' if s3 else 'local folder'}; {load()}")
        seconds = [cost(days, role, chosen, s3) for days in chosen.days]
        ratio = max(seconds) / seconds[0]
        flat = "yes" if ratio <= WANTED else "NO"
        print(f"  flat within {WANTED - 1:.0%}: {flat} ({ratio:.2f} times {chosen.days[0]} days)", flush=True)
        fine &= ratio <= WANTED
    return fine


def main() -> None:
    parser = argparse.ArgumentParser(description="What syncing one more day costs.")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--days", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--roles", nargs="+", default=["serving", "actuals"])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--s3", action="store_true", help="put the tables on an S3 server on loopback")
    parser.add_argument("--where", action="store_true", help="print where the time of a sync goes")
    chosen = parser.parse_args()
    if not chosen.s3:
        raise SystemExit(not run(chosen, None))
    with servers.moto() as endpoint:
        s3 = AwsCredentials("key", "secret", region=servers.S3_REGION, endpoint_url=endpoint)
        s3.client().create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": servers.S3_REGION}
        )
        fine = run(chosen, s3)
    raise SystemExit(not fine)


if __name__ == "__main__":
    main()
