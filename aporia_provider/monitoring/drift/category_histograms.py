"""Histograms of categorical fields, and their conversion to common bins."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.drift.distance_result import Minimum
from aporia_provider.monitoring.drift.rebinning import Floats
from aporia_provider.monitoring.states.text_hashes import text_hashes
from aporia_provider.monitoring.states.value_tail import Tail

MOST_CATEGORIES = 512
MOST_LISTED = 256
_FREQUENT = 0.01
_FREQUENT_ROWS = 50
_LEAST_BINS, _MOST_BINS = 16, 256


@dataclass(frozen=True)
class CategoryHistogram:
    """
    Histogram of a categorical field.

    :param counts: Counts of the listed categories, which may be 0.
    :param tail: Counts of all other values.
    :param example: One of the values, for messages.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    tail: Tail = field(default_factory=Tail)
    example: str | None = None

    @property
    def samples(self) -> int:
        """Number of values."""
        return sum(self.counts.values()) + self.unlisted

    @property
    def unlisted(self) -> int:
        """Number of values whose category is not in ``counts``."""
        return self.tail.rows

    @property
    def distinct(self) -> int:
        """Number of distinct values, estimated unless all counts are known."""
        return sum(count > 0 for count in self.counts.values()) + self.tail.sample.distinct

    @property
    def complete(self) -> bool:
        """Whether the count of every distinct value is known."""
        return not self.tail.sample.level

    def by_hash(self) -> dict[int, int]:
        """Return the known counts of the values that occur, by the hash of the value."""
        counts = {text: count for text, count in self.counts.items() if count}
        counts_by_hash = dict(zip(text_hashes(list(counts)).tolist(), counts.values(), strict=True))
        sample = self.tail.sample
        return counts_by_hash | dict(zip(sample.hashes, sample.counts, strict=True))

    def listing(self, texts: Collection[str]) -> CategoryHistogram:
        """Return the same histogram with only the given categories listed."""
        others = {text: count for text, count in self.counts.items() if text not in texts and count}
        if not others and len(texts) == len(self.counts):
            return self
        moved = Tail.of(text_hashes(list(others)), np.fromiter(others.values(), np.int64, len(others)))
        counts = {text: self.counts[text] for text in self.counts if text in texts}
        return CategoryHistogram(counts, self.tail + moved, self.example)


def listed_by_both(
    baseline: CategoryHistogram, current: CategoryHistogram
) -> tuple[CategoryHistogram, CategoryHistogram]:
    """Return both histograms with only the categories that both list."""
    both = baseline.counts.keys() & current.counts.keys()
    return baseline.listing(both), current.listing(both)


def one_by_one(baseline: CategoryHistogram, current: CategoryHistogram) -> tuple[Floats, Floats] | None:
    """Return the counts of every value on both sides; None if they are unknown or there are more than 512."""
    if not (baseline.complete and current.complete):
        return None
    sides = baseline.by_hash(), current.by_hash()
    values = sorted(sides[0].keys() | sides[1].keys())
    if len(values) > MOST_CATEGORIES:
        return None
    one, other = (np.array([side.get(value, 0) for value in values], dtype=np.float64) for side in sides)
    return one, other


def frequent_ones(baseline: CategoryHistogram) -> list[str]:
    """
    Return the listed categories that are compared one by one if the others are compared by hash.

    If the list contains only the most frequent values of a larger set, the counts of its rare values are
    overestimated, so that a test would detect drift where there is none. In this case, only values with at
    least 1 % of the baseline's rows, and at least 50 rows, are compared one by one.
    """
    if len(baseline.counts) < MOST_LISTED or not baseline.unlisted:
        return sorted(baseline.counts)
    least = max(_FREQUENT_ROWS, _FREQUENT * baseline.samples)
    return sorted(text for text, count in baseline.counts.items() if count >= least)


def hashed(
    baseline: CategoryHistogram, current: CategoryHistogram, categories: list[str]
) -> tuple[Floats, Floats]:
    """
    Return the counts of the given categories, followed by the counts of all other values in bins by hash.

    A bin contains the same values on both sides, regardless of their frequency. The number of bins, 16 to
    256, depends on the number of current values.

    :param categories: Categories to count one by one, listed on both sides.
    """
    number = bins_for(current.samples, len(categories))
    one, other = (_hashed(side, categories, number) for side in (baseline, current))
    return one, other


def bins_for(samples: int, categories: int) -> int:
    """
    Return the number of hash bins: a power of two from 16 to 256.

    :param samples: Number of current values.
    :param categories: Number of categories that are counted one by one.
    """
    room = max(1, samples // Minimum().per_bin - categories)
    return min(_MOST_BINS, max(_LEAST_BINS, 1 << (room.bit_length() - 1)))


def _hashed(side: CategoryHistogram, categories: list[str], number: int) -> Floats:
    listed_histogram = side.listing(categories)
    counts: NDArray[np.int64] = np.array(
        [listed_histogram.counts[text] for text in categories], dtype=np.int64
    )
    return np.concatenate([counts, listed_histogram.tail.bins(number)]).astype(np.float64)
