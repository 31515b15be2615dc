"""
Profiles computed by the kernel and by numpy, on the same rows in turn, without an engine.

Run ``python -m benchmarks.kernel``. The rows are those of ``benchmarks.profile``, in memory, once with a
day in each batch and once with all days in every batch. Times are of the processor, of the fastest of
several runs, so that they can be compared on a busy machine. ``python -m benchmarks.profile`` measures with
the engine; with the environment variable ``APORIA_KERNEL=numpy``, without the kernel.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from ctypes import CDLL
from functools import partial

import numpy as np
import pyarrow as pa

from aporia_provider.monitoring.kernel.library import find_kernel
from aporia_provider.monitoring.profiles.baseline_bins import make_bins
from aporia_provider.monitoring.profiles.kernel_profile import kernel_profile
from aporia_provider.monitoring.profiles.numpy_profile import Profile, numpy_profile
from aporia_provider.monitoring.profiles.plan import ID, TIME, ProfilePlan
from benchmarks.data import COLUMNS, DAYS, piece
from benchmarks.data import ID as TABLE_ID
from benchmarks.data import TIME as TABLE_TIME
from benchmarks.measuring import load
from benchmarks.profile import FIELDS

_ROWS_OF_BATCH = 131_072
_NAMES = {TABLE_ID: ID, TABLE_TIME: TIME}


def rows_of(rows: int, *, in_order: bool) -> list[pa.RecordBatch]:
    """Return batches of rows with hashes as ids, as the engine passes them on."""
    batches = []
    for place in range(max(1, rows // _ROWS_OF_BATCH)):
        table = piece(place, _ROWS_OF_BATCH, days=(place % DAYS,) * 2 if in_order else (0, DAYS - 1))
        hashes = np.random.default_rng(place).integers(-(2**63), 2**63 - 1, _ROWS_OF_BATCH)
        table = table.set_column(0, ID, pa.array(hashes))
        batches += table.rename_columns([_NAMES.get(name, name) for name in table.column_names]).to_batches()
    return batches


def compare(batches: list[pa.RecordBatch], library: CDLL, repeats: int) -> bool:
    """Print the time of both; return whether their states are equal."""
    made = make_bins(pa.Table.from_batches(batches[:1]), FIELDS)
    plan = ProfilePlan("daily", FIELDS, (), {key: item.bins for key, item in made.items()})
    computations: dict[str, Callable[[], Profile]] = {
        "numpy": partial(numpy_profile, batches, plan),
        "kernel": partial(kernel_profile, batches, plan, library),
    }
    seconds: dict[str, list[float]] = {name: [] for name in computations}
    states = {}
    for _ in range(repeats):
        for name, computation in computations.items():
            begin = time.process_time()
            states[name] = computation()
            seconds[name].append(time.process_time() - begin)
    cells = sum(batch.num_rows for batch in batches) * len(COLUMNS)
    for name, taken in seconds.items():
        print(
            f"  {name:8} {min(taken):8.2f} s  {cells / min(taken) / 1e6:6.1f} million cells/s of a processor"
        )
    equal = states["numpy"] == states["kernel"]
    ratio = min(seconds["numpy"]) / min(seconds["kernel"])
    print(f"  {ratio:.1f} times as fast; equal states: {'yes' if equal else 'NO'}", flush=True)
    return equal


def main() -> None:
    parser = argparse.ArgumentParser(description="The kernel and numpy in turn.")
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    library, reason = find_kernel()
    if library is None:
        raise SystemExit(f"The kernel is not used: {reason}")
    equal = True
    for in_order in (True, False):
        print(f"{'a day' if in_order else 'all days'} in each batch; {reason}; {load()}", flush=True)
        equal &= compare(rows_of(chosen.rows, in_order=in_order), library, chosen.repeats)
    raise SystemExit(not equal)


if __name__ == "__main__":
    main()
