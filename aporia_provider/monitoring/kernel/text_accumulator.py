"""States of texts by slot, counted by the kernel."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds

from aporia_provider.monitoring.arrow import as_texts
from aporia_provider.monitoring.kernel.arrow_columns import (
    ColumnPointer,
    bytes_of_texts,
    fixed_column,
    pointer,
)
from aporia_provider.monitoring.kernel.bucket_runs import RunsPointer
from aporia_provider.monitoring.kernel.slots import with_slots
from aporia_provider.monitoring.states.value_state import ValueState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aporia_provider.monitoring.bins.field_bins import CategoryBins

_MOST_TEXTS = 1 << 12
_MOST_BYTES = 1 << 20
_FEWEST_COUNTS = 64
_PLACES = 4 * _MOST_TEXTS


class TextsPointer(ctypes.Structure):
    """``Texts`` of ``texts.c``."""

    _fields_ = (
        ("offsets", ColumnPointer),
        ("bytes", ctypes.c_void_p),
        ("is_large", ctypes.c_int64),
        ("rows", ctypes.c_int64),
    )


class TablePointer(ctypes.Structure):
    """``Table`` of ``texts.c``."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("places", "ends", "bytes")),
        *((name, ctypes.c_int64) for name in ("mask", "count", "capacity", "byte_capacity")),
    )


def countable(array: pa.Array, type_: str) -> pa.Array | None:
    """
    Return the texts of a column, whose values the kernel counts; None if it cannot.

    Equal texts of integers and booleans are equal values, so the column can be converted as a whole.

    :param array: The column.
    :param type_: Type of the field.
    """
    if type_ == "boolean":
        return as_texts(array) if kinds.is_boolean(array.type) else None
    if kinds.is_string(array.type) or kinds.is_large_string(array.type):
        return array
    return as_texts(array) if kinds.is_integer(array.type) or kinds.is_boolean(array.type) else None


class TextAccumulator:
    """
    States of the texts of one field by slot.

    :param library: The kernel.
    :param bins: Categories of the field; None if not known.
    """

    def __init__(self, library: ctypes.CDLL, bins: CategoryBins | None) -> None:
        self._library, self._bins = library, bins
        self._places = np.zeros(_PLACES, dtype=np.uint32)
        self._ends = np.zeros(1 + _MOST_TEXTS, dtype=np.int64)
        self._bytes = np.zeros(_MOST_BYTES, dtype=np.uint8)
        self._table = TablePointer(
            *(pointer(array) for array in (self._places, self._ends, self._bytes)),
            *(_PLACES - 1, 0, _MOST_TEXTS, _MOST_BYTES),
        )
        self._counts = np.zeros((0, _width(0)), dtype=np.int64)  # Of nulls, then of texts by code.

    @property
    def slot_bytes(self) -> int:
        """Memory of a slot, which depends on the number of texts."""
        return 8 * _width(self._table.count)

    def reserve(self, slots: int) -> None:
        """Provide at least the given number of slots, with space for all texts."""
        counts = with_slots(self._counts, slots)
        missing = _width(self._table.count) - counts.shape[1]
        self._counts = np.pad(counts, ((0, 0), (0, missing))) if missing > 0 else counts

    def codes(self, array: pa.Array) -> NDArray[np.int32] | None:
        """
        Return the code of the text of each row, -1 for null; None if there are too many texts.

        :param array: See :func:`countable`.
        """
        codes = np.empty(len(array), dtype=np.int32)
        large = kinds.is_large_string(array.type)
        column = fixed_column(array, 8 if large else 4)
        texts = TextsPointer(column, bytes_of_texts(array), large, len(array))
        done = self._library.aporia_encode_texts(
            ctypes.byref(texts), ctypes.byref(self._table), ctypes.c_void_p(pointer(codes))
        )
        return codes if done else None

    def add(self, codes: NDArray[np.int32], runs: RunsPointer) -> None:
        """Add rows by code, see :meth:`codes`."""
        self._library.aporia_count_codes(
            ctypes.c_void_p(pointer(codes)),
            ctypes.byref(runs),
            ctypes.c_void_p(pointer(self._counts)),
            ctypes.c_int64(self._counts.shape[1]),
        )

    def take(self, slots: int) -> Iterator[tuple[int, ValueState]]:
        """Yield the states of the slots that have rows, and free all of them. Codes remain."""
        texts = self._texts()
        for slot in range(min(slots, len(self._counts))):
            counted = np.flatnonzero(self._counts[slot])
            if len(counted):
                yield slot, self._state(texts, counted.tolist(), self._counts[slot, counted].tolist())
        self._counts = np.zeros((0, _width(self._table.count)), dtype=np.int64)

    def forget(self) -> None:
        """Remove all texts. Their counts must have been taken."""
        self._places[:] = 0
        self._table.count = 0

    def _state(self, texts: list[str], codes: list[int], numbers: list[int]) -> ValueState:
        nulls = numbers[0] if codes[0] == 0 else 0
        counts = {texts[code - 1]: number for code, number in zip(codes, numbers, strict=True) if code}
        return ValueState.of(counts, sum(numbers), nulls, self._bins)

    def _texts(self) -> list[str]:
        ends: list[int] = self._ends[: self._table.count + 1].tolist()
        content = self._bytes[: ends[-1]].tobytes()
        return [content[start:end].decode() for start, end in pairwise(ends)]


def _width(texts: int) -> int:
    """Return the number of counts of a slot: a power of two, so that it seldom grows."""
    return max(_FEWEST_COUNTS, 1 << texts.bit_length())
