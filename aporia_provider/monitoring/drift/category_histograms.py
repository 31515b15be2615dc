"""Histograms of a categorical field, brought to the same bins."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.drift.distance_result import Minimum
from aporia_provider.monitoring.drift.rebinning import Floats
from aporia_provider.monitoring.states.text_hashes import text_hashes
from aporia_provider.monitoring.states.value_tail import Tail

_MOST_CATEGORIES = 512
MOST_LISTED = 256
_FREQUENT = 0.01
_FREQUENT_ROWS = 50
_LEAST_BINS, _MOST_BINS = 16, 256


@dataclass(frozen=True)
class CategoryHistogram:
    """
    What a categorical field's state says about the distribution of its values.

    :param counts: How often each category occurs that is counted by itself, be it 0.
    :param tail: The counts of all other values.
    :param example: A value, to be shown.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    tail: Tail = field(default_factory=Tail)
    example: str | None = None

    @property
    def samples(self) -> int:
        """How many values there are."""
        return sum(self.counts.values()) + self.unlisted

    @property
    def unlisted(self) -> int:
        """How many values have a category that is not counted by itself."""
        return self.tail.rows

    @property
    def distinct(self) -> int:
        """The number of distinct values: an estimate unless all are known."""
        return sum(count > 0 for count in self.counts.values()) + self.tail.sample.distinct

    @property
    def complete(self) -> bool:
        """Whether the count of every value is known."""
        return not self.tail.sample.level

    def by_hash(self) -> dict[int, int]:
        """The counts of the values that occur, by hash, as far as they are known."""
        counts = {text: count for text, count in self.counts.items() if count}
        known = dict(zip(text_hashes(list(counts)).tolist(), counts.values(), strict=True))
        sample = self.tail.sample
        return known | dict(zip(sample.hashes, sample.counts, strict=True))

    def listing(self, texts: Collection[str]) -> CategoryHistogram:
        """The same values, of which only some are counted by themselves."""
        others = {text: count for text, count in self.counts.items() if text not in texts and count}
        if not others and len(texts) == len(self.counts):
            return self
        moved = Tail.of(text_hashes(list(others)), np.fromiter(others.values(), np.int64, len(others)))
        counts = {text: self.counts[text] for text in self.counts if text in texts}
        return CategoryHistogram(counts, self.tail + moved, self.example)


def listed_by_both(
    baseline: CategoryHistogram, current: CategoryHistogram
) -> tuple[CategoryHistogram, CategoryHistogram]:
    """Both sides with only the categories that both count by themselves."""
    both = baseline.counts.keys() & current.counts.keys()
    return baseline.listing(both), current.listing(both)


def one_by_one(baseline: CategoryHistogram, current: CategoryHistogram) -> tuple[Floats, Floats] | None:
    """The counts of every value, if all are known and there are at most 512; None otherwise."""
    if not (baseline.complete and current.complete):
        return None
    sides = baseline.by_hash(), current.by_hash()
    values = sorted(sides[0].keys() | sides[1].keys())
    if len(values) > _MOST_CATEGORIES:
        return None
    one, other = (np.array([side.get(value, 0) for value in values], dtype=np.float64) for side in sides)
    return one, other


def frequent_ones(baseline: CategoryHistogram) -> list[str]:
    """
    The listed categories that have a bin of their own beside bins by hash.

    If the list holds only the most frequent values of a larger set, rare values in it are overestimated, and
    a test would find drift where there is none. Only values with at least 1 % of the baseline's rows, and at
    least 50 of them, are therefore compared one by one.
    """
    if len(baseline.counts) < MOST_LISTED or not baseline.unlisted:
        return sorted(baseline.counts)
    least = max(_FREQUENT_ROWS, _FREQUENT * baseline.samples)
    return sorted(text for text, count in baseline.counts.items() if count >= least)


def hashed(baseline: CategoryHistogram, current: CategoryHistogram, own: list[str]) -> tuple[Floats, Floats]:
    """
    The counts of some categories one by one, and of all other values in bins by their hashes.

    A bin holds the same values on both sides and does not depend on how frequent they are. There are as many
    bins as current values suffice for, 16 to 256.

    :param own: The categories to count one by one; both sides list them.
    """
    number = bins_for(current.samples, len(own))
    one, other = (_hashed(side, own, number) for side in (baseline, current))
    return one, other


def bins_for(samples: int, own: int) -> int:
    """How many bins by hash a number of values suffices for beside some of their own: a power of two."""
    room = max(1, samples // Minimum().per_bin - own)
    return min(_MOST_BINS, max(_LEAST_BINS, 1 << (room.bit_length() - 1)))


def _hashed(side: CategoryHistogram, own: list[str], number: int) -> Floats:
    rest = side.listing(own)
    counts: NDArray[np.int64] = np.array([rest.counts[text] for text in own], dtype=np.int64)
    return np.concatenate([counts, rest.tail.bins(number)]).astype(np.float64)
