"""
Time and memory of profiles and drift, beside other libraries on the same rows.

Run ``python -m benchmarks.peers``. ``make bench`` creates the environments of the libraries first, since they
cannot be installed beside Airflow; see ``peer_runs``. The result is a Markdown table.

The rows are those of ``benchmarks/data.py``: 13 columns, an analysis of five days, and a reference of half as
many rows.

* Drift: both tables are read from Delta, bins are made from the reference, both are profiled by day, and the
  distances of NannyML with both methods are computed for each column and day. NannyML and Evidently receive
  data frames that are in memory, and only fitting and calculating are timed.
* Profile: the analysis is read from Delta and profiled by day on the bins of the reference. DuckDB, polars
  and Apache Spark read the same rows from one Parquet file; whylogs and Evidently receive data frames.
* The bare scan is the maximum of each column, computed by the same engine. The hand-over passes all rows to a
  Python function that does nothing.

The embedded engine runs when the measurement begins, as the libraries are imported. Memory is the greatest
resident memory of the measured processes together, data frames included.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake

from aporia_provider.engine.dataframes.profiling import baseline_bins, profile_frame
from aporia_provider.engine.session import spark_session
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.drift.field_drift import ComparedState, drift
from aporia_provider.monitoring.profiles.plan import ROWS, Bins, ProfilePlan
from aporia_provider.monitoring.profiles.profile import Profile, add
from benchmarks.data import CATEGORIES, COLUMNS, NUMBERS, piece
from benchmarks.measuring import Cost, load, measured
from benchmarks.peer_process import DRIFT_PEERS, PROFILE_PEERS, Peer, run_peer
from benchmarks.profile import FIELDS, columns_of, frame_of, scan

DAYS = 5
RUNS = 3
WANTED_DRIFT_RATIO = 10
WANTED_SCAN_RATIO = 5
_PIECE_ROWS = 500_000
_DISTANCES = {
    **{f"features.{name}": ("js_distance", "ks_distance") for name in NUMBERS},
    **{f"features.{name}": ("js_distance", "chi_squared") for name in CATEGORIES},
}


class Line(NamedTuple):
    """A line of the table: seconds, memory in bytes, and the time relative to this package's."""

    label: str
    seconds: float
    memory: int
    ratio: float
    omits: str = ""

    def __str__(self) -> str:
        return (
            f"| {self.label} | {self.seconds:.2f} s | {self.ratio:.2f} | {self.memory / (1 << 20):,.0f} MB "
            f"| {self.omits} |"
        )


def write_rows(folder: Path, rows: int) -> None:
    """Write reference and analysis, each as one Parquet file and as a Delta table."""
    for name, (count, first) in {"reference": (rows // 2, 0), "analysis": (rows, DAYS)}.items():
        with pq.ParquetWriter(folder / f"{name}.parquet", piece(0, 1, days=(0, 0)).schema) as writer:
            for table in _pieces(count, first):
                writer.write_table(table)
                write_deltalake(folder / name, table, mode="append")


def _pieces(rows: int, first: int) -> Iterator[pa.Table]:
    each_day = rows // DAYS
    count = -(-each_day // _PIECE_ROWS)
    for place in range(DAYS * count):
        day = first + place // count
        yield piece(place, each_day // count, days=(day, day), seed=first)


def make_bins(spark: Any, folder: Path) -> dict[str, Bins]:
    """Return the bins of the reference."""
    reference = columns_of(frame_of(spark, folder / "reference"))
    return {key: made.bins for key, made in baseline_bins(reference, FIELDS).items()}


def profile_and_compare(spark: Any, folder: Path) -> None:
    """Compute the bins, the profiles of both tables, and the distances."""
    bins = make_bins(spark, folder)
    plan = ProfilePlan("daily", FIELDS, (), bins)
    reference, analysis = (columns_of(frame_of(spark, folder / name)) for name in ("reference", "analysis"))
    baseline: Profile = {}
    for (_, key), state in profile_frame(reference, plan).items():
        add(baseline, (0, key), state)
    distances = 0
    for (_, key), state in profile_frame(analysis, plan).items():
        for metric in _DISTANCES.get(key, ()) if key != ROWS else ():
            answer = drift(
                metric, ComparedState(baseline[0, key], bins[key]), ComparedState(state, bins[key])
            )
            assert answer.value is not None
            distances += 1
    assert distances == DAYS * 2 * len(COLUMNS)


def hand_over(frame: Any) -> None:
    """Pass all rows to a Python function that does nothing."""

    def discard(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = sum(batch.num_rows for batch in batches)
        yield pa.RecordBatch.from_pydict({"rows": [rows]})

    frame.mapInArrow(discard, "rows long").toArrow()


def median_cost(measurement: Callable[[], object]) -> Cost:
    """Return the cost of the median of some runs, after one that is not counted."""
    measurement()
    costs = []
    for _ in range(RUNS):
        with measured() as cost:
            measurement()
        costs.append(cost)
    return sorted(costs, key=lambda cost: cost.seconds)[RUNS // 2]


def own_costs(folder: Path) -> dict[str, Cost]:
    """Measure this package and its engine, and write the bin edges for the libraries."""
    with spark_session() as spark:
        bins = make_bins(spark, folder)
        edges = {
            key.removeprefix("features."): list(field_bins.edges)
            for key, field_bins in bins.items()
            if isinstance(field_bins, NumericBins)
        }
        (folder / "edges.json").write_text(json.dumps(edges))
        frame = columns_of(frame_of(spark, folder / "analysis"))
        plan = ProfilePlan("daily", FIELDS, (), bins)
        return {
            "bare scan": median_cost(lambda: scan(frame_of(spark, folder / "analysis"))),
            "hand-over": median_cost(lambda: hand_over(frame)),
            "profile": median_cost(lambda: profile_frame(frame, plan)),
            "drift": median_cost(lambda: profile_and_compare(spark, folder)),
        }


def peer_line(peer: Peer, folder: Path, reference: Cost) -> Line:
    """Measure another library."""
    files = (str(folder / name) for name in ("reference.parquet", "analysis.parquet", "edges.json"))
    with measured() as cost:
        seconds = run_peer(peer.script, peer.mode, *files)
    return Line(peer.label, seconds, cost.engine, seconds / reference.seconds, peer.omits)


def print_table(title: str, lines: Iterable[Line]) -> dict[str, float]:
    """Print lines as they are measured, and return their ratios by label."""
    print(f"\n| {title} | time | relative | memory | does not compute |\n|---|--:|--:|--:|---|", flush=True)
    ratios = {}
    for line in lines:
        print(line, flush=True)
        ratios[line.label] = line.ratio
    return ratios


def own_line(label: str, cost: Cost, reference: Cost) -> Line:
    """Return the line of a measurement of this package."""
    return Line(label, cost.seconds, cost.memory, cost.seconds / reference.seconds)


def reached(ratios: dict[str, float]) -> bool:
    """Print which goals were reached, and return whether all were."""
    goals = {
        f"drift {WANTED_DRIFT_RATIO} times as fast as NannyML's default and cheapest methods": all(
            ratios[f"NannyML, {which} methods"] >= WANTED_DRIFT_RATIO for which in ("default", "cheapest")
        ),
        f"profile within {WANTED_SCAN_RATIO} times the bare scan": ratios["bare scan"]
        >= 1 / WANTED_SCAN_RATIO,
        "profile at most the time of DuckDB and polars": all(
            ratio >= 1 for label, ratio in ratios.items() if label.startswith(("DuckDB", "polars"))
        ),
    }
    print()
    for goal, is_reached in goals.items():
        print(f"* {goal}: {'yes' if is_reached else 'NO'}")
    return all(goals.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the analysis")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_rows(folder, rows)
        print(
            f"{rows:,} rows against {rows // 2:,}, {len(COLUMNS)} columns, {DAYS} days; {load()}", flush=True
        )
        costs = own_costs(folder)
        profile, comparison = costs["profile"], costs["drift"]
        own = [own_line(label, costs[label], profile) for label in ("profile", "bare scan", "hand-over")]
        ratios = print_table(
            "profile", chain(own, (peer_line(peer, folder, profile) for peer in PROFILE_PEERS))
        )
        ratios |= print_table(
            "drift",
            chain(
                [own_line("drift", comparison, comparison)],
                (peer_line(peer, folder, comparison) for peer in DRIFT_PEERS),
            ),
        )
    raise SystemExit(not reached(ratios))


if __name__ == "__main__":
    main()
