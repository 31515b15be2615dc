"""Rows in the order of their time buckets."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from aporia_provider.monitoring.arrow import as_microseconds
from aporia_provider.monitoring.kernel.arrow_columns import pointer

if TYPE_CHECKING:
    from numpy.typing import NDArray

Bucket = int | None

RADIX = 1 << 16
"""Number of integers of 16 bits, which numpy sorts by radix, in linear time."""


class RunsPointer(ctypes.Structure):
    """``Runs`` of ``rows.h``."""

    _fields_ = (
        ("order", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("slots", ctypes.c_void_p),
        ("first", ctypes.c_int64),
        ("count", ctypes.c_int64),
    )
    held: Any


@dataclass(frozen=True)
class BucketRuns:
    """
    Runs of rows of one bucket each.

    :param order: Rows in the order of their buckets; None if they are in this order.
    :param buckets: Bucket of each run: its start in seconds since 1970, UTC; None for null timestamps.
    :param ends: Position in the order after each run.
    :param first: Position of the first row.
    """

    order: NDArray[np.int32] | None
    buckets: tuple[Bucket, ...]
    ends: NDArray[np.int64]
    first: int = 0

    @classmethod
    def of(cls, times: pa.Array, seconds: int) -> BucketRuns:
        """
        Return the runs of rows.

        :param times: Timestamp of each row.
        :param seconds: Length of a bucket.
        """
        numbers, untimed = _bucket_numbers(as_microseconds(times), seconds)
        if not len(numbers):
            return cls(None, (), np.empty(0, dtype=np.int64))
        order = _order(numbers)
        ordered = numbers if order is None else numbers[order]
        ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, len(ordered)).astype(np.int64)
        numbers_of_runs = ordered[ends - 1].tolist()
        return cls(
            order, tuple(None if number == untimed else number * seconds for number in numbers_of_runs), ends
        )

    def windows(self, size: int) -> Iterator[BucketRuns]:
        """Yield the runs in groups of at most the given number."""
        for start in range(0, len(self.buckets), size):
            part = slice(start, start + size)
            first = int(self.ends[start - 1]) if start else 0
            yield BucketRuns(self.order, self.buckets[part], self.ends[part], first)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of rows of each run."""
        return np.diff(self.ends, prepend=self.first)

    def at(self, slots: NDArray[np.int32]) -> RunsPointer:
        """Return the runs for the kernel, whose states are in the given slots."""
        order = None if self.order is None else pointer(self.order)
        runs = RunsPointer(order, pointer(self.ends), pointer(slots), self.first, len(self.buckets))
        runs.held = (self, slots)
        return runs


def _bucket_numbers(micros: pa.Array, seconds: int) -> tuple[NDArray[np.int64], int | None]:
    """Return the bucket number of each row, and the number for null timestamps, if there are any."""
    length = seconds * 1_000_000
    if not micros.null_count:
        return micros.to_numpy() // length, None
    numbers: NDArray[np.int64] = micros.fill_null(0).to_numpy() // length
    untimed = int(numbers.max()) + 1
    return np.where(micros.is_null().to_numpy(zero_copy_only=False), untimed, numbers), untimed


def _order(numbers: NDArray[np.int64]) -> NDArray[np.int32] | None:
    if not (numbers[1:] < numbers[:-1]).any():
        return None
    relative = numbers - numbers.min()
    if relative.max() < RADIX:
        relative = relative.astype(np.uint16)
    order: NDArray[np.int32] = relative.argsort(kind="stable").astype(np.int32)
    return order
