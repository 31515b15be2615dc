"""
What the states of segments cost, beside those of all rows.

Run ``python -m benchmarks.segments``. A table of 100 fields, 80 numeric and 20 categorical, is profiled by
the embedded engine without segments and with 20 terms, one after the other and several times, so that both
see the same load of the machine; the ratio is that of the shortest times. The terms are the values of one
field; or values of one field, bins of another and conditions on others, which overlap; or bins of four
fields.

Memory is the resident memory of this process and of the engine together. The wanted ratio is that of the
first two kinds of terms; the third is there for information, since each row is in four terms.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from aporia_provider.data_sources import S3DataSource
from aporia_provider.engine.dataframes.profiling import baseline_bins, profile_columns, profile_frame
from aporia_provider.engine.embedded.engines import EmbeddedEngines
from aporia_provider.engine.embedded.process import batch_rows
from aporia_provider.engine.limits import UNLIMITED
from aporia_provider.engine.readers import read
from aporia_provider.engine.session import EMBEDDED, open_session, spark_session
from aporia_provider.monitoring.kernel.library import find_kernel
from aporia_provider.monitoring.profiles.plan import ROWS, FieldPlan, ProfilePlan, SegmentTermPlan
from benchmarks.measuring import Cost, load, measured

NUMBERS, CATEGORIES = 80, 20
DAY = 86_400 * 1_000_000
WANTED_RATIO = 2.5
WANTED_MEMORY = 1 << 30
REPETITIONS = 3
TYPES = {
    **{f"x{place}": "numeric" for place in range(NUMBERS)},
    **{f"c{place}": "categorical" for place in range(CATEGORIES)},
}
FIELDS = tuple(FieldPlan(f"features.{name}", type_, name) for name, type_ in TYPES.items())


def values_of(name: str, count: int) -> list[str]:
    """Conditions for the values of a field."""
    return [f"{name} = 'category {place}'" for place in range(count)]


def bins_of(name: str, count: int) -> list[str]:
    """Conditions for bins of a field whose mean is 40 and whose standard deviation is 12."""
    edges = np.linspace(10, 70, count + 1).round(2).tolist()
    return [f"{name} >= {start} and {name} < {end}" for start, end in pairwise(edges)]


KINDS = {
    "20 values of a field": values_of("c1", 20),
    "10 values, 8 bins and 2 conditions": [
        *values_of("c0", 10),
        *bins_of("x1", 8),
        "x3 > 40 and c2 != 'category 3'",
        "x0 < 30 or x5 > 60",
    ],
    "5 bins of each of four fields": [text for name in ("x1", "x3", "x5", "x7") for text in bins_of(name, 5)],
}
"""Conditions of 20 terms by what is printed of them."""
INFORMATION = "5 bins of each of four fields"


def write_rows(path: Path, rows: int, days: int) -> None:
    """Write the table, with a file for each day."""
    categories = pa.array([f"category {place}" for place in range(50)])
    each = rows // days
    for day in range(days):
        rng = np.random.default_rng(day)
        columns: dict[str, Any] = {
            "id": pa.array(np.arange(day * each, (day + 1) * each)),
            "at": pa.array(
                np.sort(rng.integers(day * DAY, (day + 1) * DAY, each)), pa.timestamp("us", "UTC")
            ),
        }
        for place in range(NUMBERS):
            values = rng.normal(40, 12, each) if place % 2 else rng.gamma(2, 20, each).round(2)
            missing = rng.random(each) < 0.05 if place % 4 == 0 else None
            columns[f"x{place}"] = pa.array(values, mask=missing)
        for place in range(CATEGORIES):
            codes = rng.integers(0, 50 if place else 10, each)
            columns[f"c{place}"] = categories.take(pa.array(codes))
        write_deltalake(path, pa.table(columns), mode="append")


def with_terms(plan: ProfilePlan, conditions: list[str]) -> ProfilePlan:
    """Return the plan with terms."""
    columns = tuple((name, name, type_) for name, type_ in TYPES.items())
    terms = (SegmentTermPlan(f"@1.{place}:", text, columns) for place, text in enumerate(conditions))
    return replace(plan, segments=tuple(terms))


def profile_cost(path: Path, plan: ProfilePlan, rows: int) -> Cost:
    """Return the cost of a profile by a new engine that has read the table once."""
    size = sum(file.stat().st_size for file in path.glob("*.parquet"))
    # As in a sync, which has smaller batches if rows are large.
    sized = batch_rows(size / rows)
    with (
        EmbeddedEngines() as engines,
        open_session(EMBEDDED, None, UNLIMITED, engines=engines, batch_rows=sized) as session,
    ):
        frame = read(session.spark, S3DataSource(object_path=path.as_uri(), object_format="delta"))
        columns = profile_columns(frame, "id", "at", {name: name for name in TYPES})
        columns.selectExpr("max(x0)").collect()
        with measured() as cost:
            states = profile_frame(columns, plan)
        assert sum(state.rows for (_, key), state in states.items() if key == ROWS) == rows
    return cost


def measure(path: Path, plan: ProfilePlan, name: str, rows: int) -> bool:
    """Print the costs with and without the terms of one kind; return whether they are as wanted."""
    without, with_them = [], []
    for _ in range(REPETITIONS):
        without.append(profile_cost(path, plan, rows))
        with_them.append(profile_cost(path, with_terms(plan, KINDS[name]), rows))
    ratio = min(cost.processor_seconds for cost in with_them) / min(
        cost.processor_seconds for cost in without
    )
    memory = max(cost.memory for cost in with_them)
    fine = ratio <= WANTED_RATIO and memory <= WANTED_MEMORY
    print(f"  without segments:  {min(without, key=lambda cost: cost.processor_seconds)}")
    print(f"  {name}:  {min(with_them, key=lambda cost: cost.processor_seconds)}")
    wanted = "for information" if name == INFORMATION else "yes" if fine else "NO"
    print(
        f"  {ratio:.2f} times the processor time, {memory >> 20} MB; "
        f"at most {WANTED_RATIO} times and 1 GB: {wanted}",
        flush=True,
    )
    return fine or name == INFORMATION


def main() -> None:
    parser = argparse.ArgumentParser(description="What the states of segments cost.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=2)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary).absolute() / "rows"
        with ProcessPoolExecutor(1, get_context("spawn")) as writer:
            writer.submit(write_rows, path, chosen.rows, chosen.days).result()
        print(f"{chosen.rows:,} rows of {chosen.days} days, {len(FIELDS)} fields; {load()}", flush=True)
        print(f"  profiles are computed by {find_kernel().description}")
        with spark_session() as spark:
            frame = read(spark, S3DataSource(object_path=path.as_uri(), object_format="delta"))
            made = baseline_bins(profile_columns(frame, "id", "at", {name: name for name in TYPES}), FIELDS)
        plan = ProfilePlan("daily", FIELDS, (), {key: item.bins for key, item in made.items()})
        fine = [measure(path, plan, name, chosen.rows) for name in KINDS]
    raise SystemExit(not all(fine))


if __name__ == "__main__":
    main()
