"""Encoding of integers as text."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence

import numpy as np

_WIDTHS = ("i1", "i2", "i4", "i8")


def packed(numbers: Sequence[int]) -> str:
    """
    Return 64-bit integers as text.

    :return: The smallest sufficient width of an integer in bytes, a colon, and the little-endian integers in
        base64.
    """
    array = np.array(numbers, dtype="<i8")
    low, high = (int(array.min()), int(array.max())) if len(array) else (0, 0)
    width = next(name for name in _WIDTHS if np.iinfo(name).min <= low and high <= np.iinfo(name).max)
    return f"{width[1]}:{b64encode(array.astype(f'<{width}').tobytes()).decode()}"


def unpacked(text: str) -> tuple[int, ...]:
    """Return the integers from the result of :func:`packed`."""
    width, _, content = text.partition(":")
    return tuple(np.frombuffer(b64decode(content), dtype=f"<i{width}").tolist())
