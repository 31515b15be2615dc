"""Vectorized hashes of strings that are equal on all platforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AT_ONCE = 1 << 12  # Bounds the memory for one number per byte.
_BASE = 0x9E3779B97F4A7C15
_MIXERS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def text_hashes(texts: Sequence[str]) -> NDArray[np.int64]:
    """
    Return 64-bit hashes of strings.

    They are polynomials of the bytes, mixed by the finalizer of SplitMix64 (Steele, Lea and Flood, *Fast
    splittable pseudorandom number generators*, OOPSLA 2014). They are not cryptographically secure.

    :param texts: The strings.
    """
    parts = [_hashes(texts[start : start + _AT_ONCE]) for start in range(0, len(texts), _AT_ONCE)]
    return np.concatenate(parts) if parts else np.array([], dtype=np.int64)


def _hashes(texts: Sequence[str]) -> NDArray[np.int64]:
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    lengths = np.array([len(item) for item in encoded])
    ends = np.cumsum(lengths)
    starts = ends - lengths
    # Each byte is increased by one, so that trailing zero bytes change the hash.
    digits = np.frombuffer(b"".join(encoded), dtype=np.uint8).astype(np.uint64) + np.uint64(1)
    powers = np.cumprod(np.full(lengths.max(), _BASE, dtype=np.uint64))
    digits *= powers[np.arange(len(digits)) - np.repeat(starts, lengths)]
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(digits)])
    return _mixed(sums[ends] - sums[starts]).view(np.int64)


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for shift, factor in _MIXERS:
        hashes = (hashes ^ (hashes >> np.uint64(shift))) * np.uint64(factor)
    return hashes ^ (hashes >> np.uint64(31))
