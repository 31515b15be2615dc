"""States of rows and their ids by slot."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from aporia_provider.monitoring.kernel.arrow_columns import fixed_column, pointer
from aporia_provider.monitoring.kernel.bucket_runs import RunsPointer
from aporia_provider.monitoring.kernel.slots import with_slots
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.sketches import CAPACITY, HashSample

_PENDING = 2 * CAPACITY


class IdAccumulator:
    """
    States of rows and their ids by slot.

    The kernel leaves out ids that cannot be in the sample of their bucket.

    :param library: The kernel.
    """

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._rows, self._nulls = (np.zeros(0, dtype=np.int64) for _ in range(2))
        self._levels = np.zeros(0, dtype=np.int32)
        self._samples: dict[int, HashSample] = {}
        self._pending: dict[int, list[np.ndarray[tuple[int], np.dtype[np.int64]]]] = {}

    @property
    def slot_bytes(self) -> int:
        """Memory of a slot."""
        return 8 * _PENDING

    def reserve(self, slots: int) -> None:
        """Provide at least the given number of slots."""
        self._rows, self._nulls = with_slots(self._rows, slots), with_slots(self._nulls, slots)
        self._levels = with_slots(self._levels, slots)

    def add(
        self,
        ids: pa.Array,
        runs: RunsPointer,
        slots: np.ndarray[tuple[int], np.dtype[np.int32]],
        lengths: np.ndarray[tuple[int], np.dtype[np.int64]],
    ) -> None:
        """
        Add rows.

        :param ids: 64-bit hash of the id of each row.
        :param runs: The runs.
        :param slots: Slot of each run, all of them different.
        :param lengths: Number of rows of each run.
        """
        self._rows[slots] += lengths
        sampled_ids = np.empty(int(lengths.sum()), dtype=np.int64)
        ends = np.empty(len(slots), dtype=np.int64)
        column = fixed_column(ids, 8)
        arrays = (self._levels, self._nulls, sampled_ids, ends)
        self._library.aporia_filter_ids(
            ctypes.byref(column), ctypes.byref(runs), *(ctypes.c_void_p(pointer(array)) for array in arrays)
        )
        starts = [0, *ends.tolist()]
        for slot, start, end in zip(slots.tolist(), starts, starts[1:], strict=False):
            if end > start:
                # A copy, since a slice would keep the ids of all slots.
                self._pending.setdefault(slot, []).append(sampled_ids[start:end].copy())
                self._settle(slot)

    def _settle(self, slot: int, most: int = _PENDING) -> None:
        pending = self._pending.get(slot, [])
        if sum(map(len, pending)) > most:
            sample = HashSample.of(np.concatenate(pending))
            self._samples[slot] = self._samples.get(slot, HashSample()) + sample
            self._levels[slot] = self._samples[slot].level
            del self._pending[slot]

    def take(self, slots: int) -> Iterator[tuple[int, RowState]]:
        """Yield the states of the slots that have rows, and free all of them."""
        for slot in range(min(slots, len(self._rows))):
            self._settle(slot, 0)
            rows, nulls = int(self._rows[slot]), int(self._nulls[slot])
            if rows:
                yield slot, RowState(rows=rows, null_ids=nulls, ids=self._samples.get(slot, HashSample()))
        self._rows, self._nulls = self._rows[:0].copy(), self._nulls[:0].copy()
        self._levels = self._levels[:0].copy()
        self._samples.clear()
