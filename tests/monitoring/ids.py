"""Ids as states know them."""

from __future__ import annotations

from typing import Any

import numpy as np


def hashes(ids: Any, seed: int = 0) -> Any:
    """64-bit hashes of whole numbers, all different."""
    mixed = np.asarray(ids, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed ^ (mixed >> np.uint64(29))).view(np.int64)
