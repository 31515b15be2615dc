"""Seasons of buckets, and medians of the buckets before each."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Integers = NDArray[np.int64]

REFERENCE_BUCKETS: Final = 8
"""Number of buckets of the same season that a bucket is compared to."""

_MEDIAN_BUCKETS: Final = 56


def season_codes(seasons: Sequence[Hashable]) -> Integers:
    """Return seasons as integers from zero."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(season, len(numbers)) for season in seasons], dtype=np.int64)


def median_buckets(codes: Integers) -> int:
    """Return the number of buckets of a median over all seasons."""
    return max(_MEDIAN_BUCKETS, REFERENCE_BUCKETS * (1 + int(codes.max(initial=0))))


def past_medians(values: Floats, included: Flags, window: int, fewest: int) -> Floats:
    """
    Return the median of the values before each.

    :param values: Values, from the oldest to the newest.
    :param included: Which of them may be in the median of later ones.
    :param window: Number of included values, the last before each, whose median is returned.
    :param fewest: Number of included values below which the median is NaN.
    """
    taken = included & np.isfinite(values)
    padded = np.concatenate([np.full(window, np.nan), values[taken]])
    before: Integers = np.cumsum(taken) - taken
    ordered = np.sort(np.lib.stride_tricks.sliding_window_view(padded, window)[before], axis=1)
    sizes = np.minimum(before, window)
    middle = np.stack([np.maximum(sizes - 1, 0) // 2, sizes // 2], axis=1)
    medians = np.take_along_axis(ordered, middle, axis=1).mean(axis=1)
    return np.where(sizes >= fewest, medians, np.nan)
