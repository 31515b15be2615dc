"""
The rows that the benchmarks are run on: ten numeric columns of different shapes, three of categories, an id
and a time, as a Delta table of a hundred days. A larger table has more files, not larger ones.

Made in pieces, so that memory stays small, and from seeds, so that everybody has the same.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

NUMBERS = tuple(f"x{place}" for place in range(10))
CATEGORIES = {"c0": 5, "c1": 50, "c2": 1_000}
COLUMNS = (*NUMBERS, *CATEGORIES)
ID, TIME = "id", "at"
DAYS = 100
ROWS_OF_FILE = 200_000
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)

_DAY = 86_400 * 1_000_000
_START = int(FIRST_DAY.timestamp()) * 1_000_000


def piece(place: int, rows: int, *, days: tuple[int, int], seed: int = 0) -> pa.Table:
    """
    Some rows.

    :param place: Which piece of a table it is: ids go on from the one before.
    :param rows: How many.
    :param days: First and last of the days over which their times are spread.
    :param seed: Another one makes other rows.
    """
    rng = np.random.default_rng([seed, place])
    first, last = days
    times = np.sort(rng.integers(_START + first * _DAY, _START + (last + 1) * _DAY, rows))
    if first != last:
        rng.shuffle(times)
    return pa.table(
        {
            ID: pa.array(np.arange(place * rows, (place + 1) * rows)),
            TIME: pa.array(times, pa.timestamp("us", "UTC")),
            **_numbers(rng, rows),
            **{name: _categories(rng, rows, count) for name, count in CATEGORIES.items()},
        }
    )


def _numbers(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    missing = rng.random(rows) < 0.05
    with_nan = rng.standard_t(4, rows)
    with_nan[rng.random(rows) < 0.01] = np.nan
    half = rng.random(rows) < 0.5
    return {
        "x0": rng.normal(0, 1, rows),
        "x1": rng.lognormal(0, 2, rows),
        "x2": rng.random(rows),
        "x3": rng.exponential(10, rows),
        "x4": rng.integers(0, 20, rows).astype(np.float64),
        "x5": pa.array(rng.normal(40, 12, rows), mask=missing),
        "x6": with_nan,
        "x7": np.round(rng.gamma(2, 50, rows), 2),
        "x8": np.where(half, 0.0, rng.exponential(1, rows)),
        "x9": np.where(half, rng.normal(-3, 1, rows), rng.normal(3, 1, rows)),
    }


def _categories(rng: np.random.Generator, rows: int, count: int) -> Any:
    """The most frequent comes about ``count`` times as often as the least."""
    shares = np.cumsum(1 / np.arange(1, count + 1))
    codes = np.searchsorted(shares, rng.random(rows) * shares[-1]).astype(np.int32)
    return pa.array([f"category {place:04}" for place in range(count)]).take(pa.array(codes))


def write_table(folder: Path, rows: int, *, sorted_by_time: bool = True) -> Path:
    """
    Write the table, unless it is there already.

    :param folder: Where to.
    :param rows: How many, a hundredth on each day.
    :param sorted_by_time: Whether a file holds times of one day, or of all the days in no order.
    """
    path = folder / f"{'days' if sorted_by_time else 'shuffled'}-{rows}"
    done = path / ".done"
    if done.exists():
        return path
    shutil.rmtree(path, ignore_errors=True)
    files = max(1, rows // DAYS // ROWS_OF_FILE)
    for place in range(DAYS * files):
        day = place // files
        days = (day, day) if sorted_by_time else (0, DAYS - 1)
        write_deltalake(path, piece(place, rows // (DAYS * files), days=days), mode="append")
    done.touch()
    return path
