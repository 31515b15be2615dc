"""Whole numbers as text."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence

import numpy as np

_WIDTHS = ("i1", "i2", "i4", "i8")


def packed(numbers: Sequence[int]) -> str:
    """
    Write 64-bit integers as text.

    :return: The width of each in bytes, the least in which all have room, and after a colon all of them,
        little-endian and in base64.
    """
    array = np.array(numbers, dtype="<i8")
    low, high = (int(array.min()), int(array.max())) if len(array) else (0, 0)
    width = next(name for name in _WIDTHS if np.iinfo(name).min <= low and high <= np.iinfo(name).max)
    return f"{width[1]}:{b64encode(array.astype(f'<{width}').tobytes()).decode()}"


def unpacked(text: str) -> tuple[int, ...]:
    """Read what :func:`packed` wrote."""
    width, _, content = text.partition(":")
    return tuple(np.frombuffer(b64decode(content), dtype=f"<i{width}").tolist())
