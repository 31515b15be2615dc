"""
A million rows profiled and compared with half a million others: by NannyML, whylogs and Evidently, and by us.

Run ``python -m benchmarks.peers``. ``make bench`` makes the libraries' environments first, since none of them
can be installed beside what we need; see ``peer_runs``.

The rows are those of ``benchmarks/data.py``, 13 columns, the analysis over five days. The libraries get data
frames that are in memory already, and only their work on them is timed, fitting included:

* NannyML fits its univariate drift calculator and calculates it for each day, with its own choice of methods,
  with the cheapest (Kolmogorov-Smirnov for numbers, chi-squared for categories), and with both;
* whylogs logs the analysis and makes its statistics; the reference, and any drift, are left out;
* Evidently compares the whole analysis with the reference, or summarises both.

We read both tables from Delta, make the grids, profile reference and analysis by day with all that a sync
keeps, and compute for every column and day the same distances as NannyML with both. The engine is running, as
the libraries are imported.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake

from aporia_provider.engine.dataframes.profiling import baseline_bins, profile_frame
from aporia_provider.engine.session import spark_session
from aporia_provider.monitoring.drift.field_drift import ComparedState, drift
from aporia_provider.monitoring.profiles.plan import ROWS, ProfilePlan
from aporia_provider.monitoring.profiles.profile import Profile, add
from benchmarks.data import CATEGORIES, COLUMNS, NUMBERS, piece
from benchmarks.measuring import load
from benchmarks.profile import FIELDS, columns_of, frame_of

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent / ".venv-peers"
DAYS = 5
RUNS = 3
WANTED = 10
_PATIENCE = 900
_DISTANCES = {
    **{f"features.{name}": ("js_distance", "ks_distance") for name in NUMBERS},
    **{f"features.{name}": ("js_distance", "chi_squared") for name in CATEGORIES},
}


def run_peer(library: str, *arguments: str) -> Any:
    """What the script of a library prints, run in the environment of its own."""
    python = ENVIRONMENTS / library / "bin" / "python"
    if not python.exists():
        raise SystemExit(f"There is no environment with {library}: run make bench")
    # -P: the script's folder is no place to import from.
    command = [str(python), "-P", "-W", "ignore", str(HERE / "peer_runs" / f"with_{library}.py"), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    if ended.returncode:
        raise SystemExit(f"{library} failed:\n{ended.stderr[-2000:]}")
    return json.loads(ended.stdout.splitlines()[-1])


def write_rows(folder: Path, rows: int) -> dict[str, list[pa.Table]]:
    """Write reference and analysis, each as a Parquet file and as a Delta table of a file for each day."""
    parts = {"reference": (rows // 2, 0), "analysis": (rows, DAYS)}
    made = {}
    for name, (count, first) in parts.items():
        made[name] = [
            piece(place, count // DAYS, days=(first + place, first + place), seed=first)
            for place in range(DAYS)
        ]
        pq.write_table(pa.concat_tables(made[name]), folder / f"{name}.parquet")
        for day in made[name]:
            write_deltalake(folder / name, day, mode="append")
    return made


def profile_and_compare(spark: Any, folder: Path) -> int:
    """All that we make of the two tables; the number of distances."""
    reference, analysis = (columns_of(frame_of(spark, folder / name)) for name in ("reference", "analysis"))
    grids = {key: made.grid for key, made in baseline_bins(reference, FIELDS).items()}
    plan = ProfilePlan("daily", FIELDS, (), grids)
    baseline: Profile = {}
    for (_, key), state in profile_frame(reference, plan).items():
        add(baseline, (0, key), state)
    distances = 0
    for (_, key), state in profile_frame(analysis, plan).items():
        if key == ROWS:
            continue
        for metric in _DISTANCES[key]:
            answer = drift(
                metric, ComparedState(baseline[0, key], grids[key]), ComparedState(state, grids[key])
            )
            assert answer.value is not None
            distances += 1
    return distances


def ours(folder: Path) -> float:
    taken = []
    with spark_session() as spark:
        profile_and_compare(spark, folder)
        for _ in range(RUNS):
            begin = time.perf_counter()
            distances = profile_and_compare(spark, folder)
            taken.append(time.perf_counter() - begin)
    assert distances == DAYS * 2 * len(COLUMNS)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description="Other libraries and ours on the same rows.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_rows(folder, rows)
        files = [str(folder / f"{name}.parquet") for name in ("reference", "analysis")]
        print(
            f"{rows:,} rows against {rows // 2:,}, {len(COLUMNS)} columns, {DAYS} days; {load()}", flush=True
        )
        mine = ours(folder)
        print(f"  ours, read from Delta:                      {mine:8.2f} s", flush=True)
        fastest = float("inf")
        for library, mode in (("nannyml", ["speed"]), ("whylogs", []), ("evidently", [])):
            for what, seconds in run_peer(library, *mode, *files).items():
                fastest = min(fastest, seconds)
                ratio = f"{seconds / mine:6.1f} times ours"
                print(f"  {f'{library}, {what}:':44}{seconds:8.2f} s  {ratio}; {load()}", flush=True)
        enough = "yes" if fastest >= WANTED * mine else "NO"
        print(f"  at least {WANTED} times as fast as the fastest of them: {enough} ({fastest / mine:.1f})")
    raise SystemExit(fastest < WANTED * mine)


if __name__ == "__main__":
    main()
