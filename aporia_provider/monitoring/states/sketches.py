"""Counts of distinct values in bounded space."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aporia_provider.monitoring.states.packed_integers import packed, unpacked
from aporia_provider.monitoring.states.state import TALLY, Rule
from aporia_provider.monitoring.states.text_hashes import text_hashes

if TYPE_CHECKING:
    from numpy.typing import NDArray

CAPACITY = 2048
KEPT_VALUES = 256


@dataclass(frozen=True)
class HashSample:
    """
    Counts of distinct values by hash: of all of them up to a capacity, then of those whose hash ends in
    ``level`` zero bits.

    The level is the least at which the values fit, so it does not depend on the order in which they came,
    and the samples of two sets hold the same values (Gibbons, *Distinct sampling for highly-accurate answers
    to distinct values queries and event reports*, VLDB 2001). Counts of values in the sample are exact.

    :param level: How many times the space of hashes was halved.
    :param hashes: 64-bit hashes of the values in the sample, ascending.
    :param counts: How often each occurs.
    """

    level: int = 0
    hashes: Sequence[int] = ()
    counts: Sequence[int] = ()

    @classmethod
    def of(cls, hashes: NDArray[np.int64], counts: NDArray[np.int64] | None = None) -> HashSample:
        """
        Make a sample.

        :param hashes: Hashes of values; the same hash may be given several times.
        :param counts: How often the value of each hash occurs; by default once.
        """
        # If no hash is given twice, about two capacities of them are left.
        level = max(0, (len(hashes) // CAPACITY).bit_length() - 2)
        kept = _kept(hashes, level)
        known, added = _added(hashes[kept], None if counts is None else counts[kept])
        if level and len(known) <= CAPACITY:
            level, (known, added) = 0, _added(hashes, counts)
        return _fitted(level, known, added)

    def __add__(self, other: HashSample) -> HashSample:
        for one, another in ((self, other), (other, self)):
            if not one.hashes and one.level <= another.level:
                return another
        level = max(self.level, other.level)
        hashes = np.array([*self.hashes, *other.hashes], dtype=np.int64)
        counts = np.array([*self.counts, *other.counts], dtype=np.int64)
        kept = _kept(hashes, level)
        return _fitted(level, *_added(hashes[kept], counts[kept]))

    def at(self, level: int) -> HashSample:
        """The sample at a level that is at least its own."""
        return self + HashSample(level)

    def of_distinct(self, capacity: int) -> HashSample:
        """The sample of the distinct values, each of which counts once, at most ``capacity`` of them."""
        hashes = np.array(self.hashes, dtype=np.int64)
        return _fitted(self.level, hashes, np.ones(len(hashes), dtype=np.int64), capacity)

    def covers(self, hashes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For each hash, whether a value that has it is in the sample wherever it occurs."""
        return _kept(hashes, self.level)

    @property
    def distinct(self) -> int:
        """The number of distinct values: exact at level 0, otherwise an estimate."""
        return len(self.hashes) << self.level

    @property
    def distinct_error(self) -> float:
        """
        The standard error of :attr:`distinct`, 0 at level 0.

        A value is in the sample with probability ``f = 2**-level``. The number ``n`` of values in it is
        binomial, so the variance of ``n / f`` is ``N (1 - f) / f`` for ``N`` values, estimated with
        ``N = n / f``.
        """
        return math.sqrt(len(self.hashes) * (1 - 0.5**self.level)) * 2.0**self.level

    @property
    def duplicates(self) -> int:
        """Occurrences of a value beyond its first: exact at level 0, otherwise an estimate."""
        return (sum(self.counts) - len(self.counts)) << self.level

    @property
    def duplicates_variance(self) -> int:
        """
        The variance of :attr:`duplicates`, 0 at level 0.

        The estimate is that of Horvitz and Thompson with inclusion probabilities ``f = 2**-level``. Its
        variance is estimated by the sum over the sample of ``(1 - f) / f**2`` times the squared number of
        duplicates of a value.
        """
        return sum((count - 1) ** 2 for count in self.counts) * ((1 << self.level) - 1) << self.level


def _added(
    hashes: NDArray[np.int64], counts: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The distinct hashes, ascending, and the sums of their counts, each of which is 1 by default."""
    if counts is None:
        known, numbers = np.unique(hashes, return_counts=True)
        return known, numbers.astype(np.int64)
    known, places = np.unique(hashes, return_inverse=True)
    added = np.zeros(len(known), dtype=np.int64)
    np.add.at(added, places, counts)
    return known, added


def _fitted(
    level: int, hashes: NDArray[np.int64], counts: NDArray[np.int64], capacity: int = CAPACITY
) -> HashSample:
    while len(hashes) > capacity:
        level += 1
        kept = _kept(hashes, level)
        hashes, counts = hashes[kept], counts[kept]
    return HashSample(level, tuple(hashes.tolist()), tuple(counts.tolist()))


def _kept(hashes: NDArray[np.int64], level: int) -> NDArray[np.bool_]:
    kept: NDArray[np.bool_] = (hashes & ((1 << level) - 1)) == 0
    return kept


@dataclass(frozen=True)
class ValueSample:
    """
    How often texts occur: all of them up to a capacity, then a sample as :class:`HashSample` takes it. What
    the database keeps is smaller, see :meth:`settled`.

    :param level: How many times the space of hashes was halved.
    :param counts: Text to how often it occurs, exact.
    """

    level: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, counts: Mapping[str, int], hashes: NDArray[np.int64] | None = None) -> ValueSample:
        """
        Make it from counts by text.

        :param hashes: The hashes of the texts in their order, if they are known.
        """
        return cls()._fitted(counts, True, CAPACITY, hashes)

    def __add__(self, other: ValueSample) -> ValueSample:
        added = TALLY.add(dict(self.counts), dict(other.counts))
        higher = ValueSample(max(self.level, other.level))
        return higher._fitted(added, self.level == other.level, CAPACITY)

    def settled(self) -> ValueSample:
        """The sample of a whole bucket, of no more texts than are kept."""
        return self._fitted(self.counts, True, KEPT_VALUES)

    def to_json(self) -> dict[str, Any]:
        """What the database keeps."""
        return {"level": self.level, "counts": dict(sorted(self.counts.items()))}

    def _fitted(
        self,
        counts: Mapping[str, int],
        of_this_level: bool,
        capacity: int,
        hashes: NDArray[np.int64] | None = None,
    ) -> ValueSample:
        """A sample of this level at least, of texts all of which may be known to belong to it."""
        texts, level = list(counts), self.level
        if not of_this_level or len(texts) > capacity:
            kept, hashes = np.arange(len(texts)), text_hashes(texts) if hashes is None else hashes
            kept = kept[_kept(hashes, level)]
            while len(kept) > capacity:
                level += 1
                kept = kept[_kept(hashes[kept], level)]
            texts = [texts[place] for place in kept.tolist()]
        return ValueSample(level, {text: counts[text] for text in texts})


def dump_hashes(sample: HashSample) -> dict[str, Any]:
    """A sample as JSON has it."""
    return {"level": sample.level, "hashes": packed(sample.hashes), "counts": packed(sample.counts)}


def read_hashes(stored: Mapping[str, Any]) -> HashSample:
    """Read what :func:`dump_hashes` wrote."""
    return HashSample(stored["level"], unpacked(stored["hashes"]), unpacked(stored["counts"]))


SAMPLE: Rule[ValueSample] = Rule(
    ValueSample, operator.add, ValueSample.to_json, lambda stored: ValueSample(**stored)
)
"""A sample of texts."""
HASHES: Rule[HashSample] = Rule(HashSample, operator.add, dump_hashes, read_hashes)
"""A sample of hashes."""
