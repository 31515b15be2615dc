"""Arrow columns in memory, as the kernel reads them."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds

from aporia_provider.monitoring.arrow import doubles

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NOTHING = np.zeros(16, dtype=np.uint8)  # Arrow has no buffer for no bytes.


class ColumnPointer(ctypes.Structure):
    """Values and the bitmap of those that are not null: ``Column`` of ``rows.h``."""

    _fields_ = (("values", ctypes.c_void_p), ("valid", ctypes.c_void_p), ("valid_offset", ctypes.c_int64))
    held: Any  # What owns the memory.


def pointer(array: NDArray[Any]) -> int:
    """Return the address of an array, which the caller must keep."""
    return int(array.ctypes.data)


def number_column(array: pa.Array) -> ColumnPointer:
    """
    Return numbers as doubles, see :func:`~aporia_provider.monitoring.arrow.doubles`.

    :param array: Numbers, booleans, dates or timestamps.
    """
    if kinds.is_float64(array.type):
        return fixed_column(array, 8)
    return _column(array, pointer(numbers := np.ascontiguousarray(doubles(array))), numbers)


def fixed_column(array: pa.Array, width: int) -> ColumnPointer:
    """
    Return a column whose buffer contains the values as the kernel reads them.

    :param array: The values.
    :param width: Number of bytes of a value, or of an offset of texts.
    """
    buffer = array.buffers()[1]
    if not buffer:
        return _column(array, pointer(_NOTHING), None)
    if buffer.address % width:
        # C requires aligned values; buffers from other processes may be anywhere.
        buffer = pa.py_buffer(np.frombuffer(buffer, dtype=np.uint8).copy())
    return _column(array, buffer.address + array.offset * width, (array, buffer))


def bytes_of_texts(array: pa.Array) -> int:
    """Return the address of the bytes of texts."""
    buffer = array.buffers()[2]
    return int(buffer.address) if buffer else pointer(_NOTHING)


def _column(array: pa.Array, address: int, held: Any) -> ColumnPointer:
    valid = array.buffers()[0] if array.null_count else None
    column = ColumnPointer(address, valid.address if valid else None, array.offset)
    column.held = (array, held)
    return column
