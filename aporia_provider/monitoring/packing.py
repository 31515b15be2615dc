"""Whole numbers as compressed text."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence

import numpy as np

_TYPE = np.dtype("<i8")


def packed(numbers: Sequence[int]) -> str:
    """Write 64-bit integers as text: little-endian, compressed by zlib, in base64."""
    return b64encode(zlib.compress(np.array(numbers, dtype=_TYPE).tobytes())).decode()


def unpacked(text: str) -> tuple[int, ...]:
    """Read what :func:`packed` wrote."""
    return tuple(np.frombuffer(zlib.decompress(b64decode(text)), dtype=_TYPE).tolist())
