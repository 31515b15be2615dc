"""Hashes of texts, many at once, the same wherever they are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AT_ONCE = 1 << 12  # Keeps the memory for a number per byte small.
_BASE = 0x9E3779B97F4A7C15
_MIXERS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def text_hashes(texts: Sequence[str]) -> NDArray[np.int64]:
    """
    64-bit hashes: polynomials of the bytes, their bits mixed by the finaliser of SplitMix64 (Steele, Lea and
    Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014). No secrets are safe with them.

    :param texts: Any texts.
    """
    parts = [_hashes(texts[start : start + _AT_ONCE]) for start in range(0, len(texts), _AT_ONCE)]
    return np.concatenate(parts) if parts else np.array([], dtype=np.int64)


def _hashes(texts: Sequence[str]) -> NDArray[np.int64]:
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    lengths = np.array([len(item) for item in encoded])
    ends = np.cumsum(lengths)
    starts = ends - lengths
    # Adding one tells a text from the same with zero bytes after it.
    digits = np.frombuffer(b"".join(encoded), dtype=np.uint8).astype(np.uint64) + np.uint64(1)
    powers = np.cumprod(np.full(lengths.max(), _BASE, dtype=np.uint64))
    digits *= powers[np.arange(len(digits)) - np.repeat(starts, lengths)]
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(digits)])
    return _mixed(sums[ends] - sums[starts]).view(np.int64)


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for shift, factor in _MIXERS:
        hashes = (hashes ^ (hashes >> np.uint64(shift))) * np.uint64(factor)
    return hashes ^ (hashes >> np.uint64(31))
