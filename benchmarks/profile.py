"""
What a full profile of a Delta table costs, beside a bare scan of the same columns by the same engine.

Run ``python -m benchmarks.profile``. ``--rows 100_000_000`` shows that memory does not grow with the
table, and ``--folder`` keeps the tables for the next run. What is wanted is wanted of the table whose files
hold a day each; the one whose files hold all days is there for information.

The bare scan is one aggregate, the maximum of each column, which has to read and to decode every value. The
profile is what a sync makes of a table, by day: counts, moments and a histogram on up to 256 edges for each
number, counts for each category, a sample of the ids. The bins come from the same table. Cold means that the
engine has just been started and that the files are not in the system's cache. Memory is the resident memory
of this process and of the engine together.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from aporia_provider.data_sources import S3DataSource
from aporia_provider.engine.dataframes.profiling import baseline_bins, profile_columns, profile_frame
from aporia_provider.engine.readers import read
from aporia_provider.engine.session import spark_session
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.kernel.library import find_kernel
from aporia_provider.monitoring.profiles.plan import ROWS, Bins, FieldPlan, ProfilePlan
from benchmarks.data import CATEGORIES, COLUMNS, DAYS, ID, NUMBERS, TIME, write_table
from benchmarks.measuring import Cost, forget, load, measured

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FIELDS = tuple(
    FieldPlan(f"features.{name}", "numeric" if name in NUMBERS else "categorical", name) for name in COLUMNS
)
WANTED_RATE = 30e6
WANTED_MEMORY = 1 << 30


def frame_of(spark: SparkSession, path: Path) -> DataFrame:
    """The rows of a table on the disk, as a dataset of it is read."""
    return read(spark, S3DataSource(object_path=path.as_uri(), object_format="delta"))


def columns_of(frame: DataFrame) -> DataFrame:
    """The columns that a profile is made of."""
    return profile_columns(frame, ID, TIME, {name: name for name in COLUMNS})


def scan(frame: DataFrame) -> None:
    """Read and decode every column and do as little as possible."""
    frame.selectExpr(*(f"max({name}) AS {name}" for name in (ID, TIME, *COLUMNS))).toArrow()


def full_profile(frame: DataFrame, bins: dict[str, Bins], rows: int) -> None:
    states = profile_frame(columns_of(frame), ProfilePlan("daily", FIELDS, (), bins))
    assert sum(state.rows for (_, key), state in states.items() if key == ROWS) == rows
    assert len({bucket for bucket, _ in states}) == DAYS


def measure(path: Path, rows: int) -> Cost:
    """Print the cost of scans and profiles of a table, cold and warm; that of the warm profile."""
    forget(path)
    with measured() as cold_scan, spark_session() as spark:
        scan(frame_of(spark, path))
    with spark_session() as spark:
        frame = frame_of(spark, path)
        scan(frame)
        with measured() as warm_scan:
            scan(frame)
    with measured() as making, spark_session() as spark:
        made = baseline_bins(columns_of(frame_of(spark, path)), FIELDS)
        bins = {key: item.bins for key, item in made.items()}
    forget(path)
    with measured() as cold, spark_session() as spark:
        full_profile(frame_of(spark, path), bins, rows)
    with spark_session() as spark:
        frame = frame_of(spark, path)
        full_profile(frame, bins, rows)
        with measured() as warm:
            full_profile(frame, bins, rows)
    edges = [len(field_bins.edges) for field_bins in bins.values() if isinstance(field_bins, NumericBins)]
    print(f"  bins (up to {max(edges)} edges):  {making}")
    for name, bare, whole in (("cold", cold_scan, cold), ("warm", warm_scan, warm)):
        _print(name, bare, whole, rows)
    return warm


def written(folder: Path, rows: int, in_order: bool) -> Path:
    """The table, written by another process, whose memory would be counted otherwise."""
    with ProcessPoolExecutor(1, get_context("spawn")) as writer:
        return writer.submit(write_table, folder, rows, sorted_by_time=in_order).result()


def _print(name: str, bare: Cost, whole: Cost, rows: int) -> None:
    rate = rows * len(COLUMNS) / whole.seconds
    print(f"  bare scan, {name}:          {bare}")
    print(
        f"  full profile, {name}:       {whole}  {rate / 1e6:6.1f} million cells/s  "
        f"{whole.seconds / bare.seconds:4.1f} times the scan"
    )


def usable_rows(warm: Cost, rows: int) -> bool:
    """Print whether a profile was fast enough and small enough; whether it was."""
    fast = rows * len(COLUMNS) / warm.seconds >= WANTED_RATE
    small = warm.memory <= WANTED_MEMORY
    rate, memory = ("yes" if fine else "NO" for fine in (fast, small))
    print(f"  at least {WANTED_RATE / 1e6:.0f} million cells/s: {rate}; at most 1 GB: {memory}", flush=True)
    return fast and small


def main() -> None:
    parser = argparse.ArgumentParser(description="What a full profile costs.")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--folder", type=Path, help="where to keep the tables")
    parser.add_argument("--sorted-only", action="store_true", help="leave out the table in no order of time")
    chosen = parser.parse_args()
    fine = True
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen.folder or Path(temporary)).absolute()
        for in_order in (True,) if chosen.sorted_only else (True, False):
            path = written(folder, chosen.rows, in_order)
            order = "a day in each of its files" if in_order else "every day in every file, for information"
            columns = f"{len(NUMBERS)} numeric and {len(CATEGORIES)} categorical columns"
            print(f"{chosen.rows:,} rows, {columns}, {order}; {load()}", flush=True)
            print(f"  profiles are computed by {find_kernel().description}")
            warm = measure(path, chosen.rows)
            fine &= not in_order or usable_rows(warm, chosen.rows)
    raise SystemExit(not fine)


if __name__ == "__main__":
    main()
