"""Sketches: counts of distinct values in bounded space."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aporia_provider.monitoring.states.packed_integers import packed, unpacked
from aporia_provider.monitoring.states.packed_numbers import (
    pack_hashes,
    pack_integers,
    unpack_hashes,
    unpack_integers,
)
from aporia_provider.monitoring.states.state import TALLY, Rule
from aporia_provider.monitoring.states.text_hashes import text_hashes

if TYPE_CHECKING:
    from numpy.typing import NDArray

CAPACITY = 2048
KEPT_VALUES = 256


@dataclass(frozen=True)
class HashSample:
    """
    Counts of distinct values by hash.

    All values are included up to a capacity; beyond it, those whose hash ends in ``level`` zero bits. The
    level is the smallest at which the values fit, so it is independent of their order, and samples of two
    sets contain the same values (Gibbons, *Distinct sampling for highly-accurate answers to distinct values
    queries and event reports*, VLDB 2001). Counts of values in the sample are exact.

    :param level: Number of times the hash space was halved.
    :param hashes: 64-bit hashes of the values in the sample, in ascending order.
    :param counts: Number of occurrences of each.
    """

    level: int = 0
    hashes: Sequence[int] = ()
    counts: Sequence[int] = ()

    @classmethod
    def of(cls, hashes: NDArray[np.int64], counts: NDArray[np.int64] | None = None) -> HashSample:
        """
        Return the sample of values.

        :param hashes: Hashes of the values, which may repeat.
        :param counts: Number of occurrences for each hash. Default: 1.
        """
        # If no hash repeats, this leaves about twice the capacity.
        level = max(0, (len(hashes) // CAPACITY).bit_length() - 2)
        in_sample = _is_in_sample(hashes, level)
        distinct, sums = _added(hashes[in_sample], None if counts is None else counts[in_sample])
        if level and len(distinct) <= CAPACITY:
            level, (distinct, sums) = 0, _added(hashes, counts)
        return _fitted(level, distinct, sums)

    def __add__(self, other: HashSample) -> HashSample:
        for one, another in ((self, other), (other, self)):
            if not one.hashes and one.level <= another.level:
                return another
        level = max(self.level, other.level)
        hashes = np.array([*self.hashes, *other.hashes], dtype=np.int64)
        counts = np.array([*self.counts, *other.counts], dtype=np.int64)
        in_sample = _is_in_sample(hashes, level)
        return _fitted(level, *_added(hashes[in_sample], counts[in_sample]))

    def at(self, level: int) -> HashSample:
        """Return the sample at a level that is at least its own."""
        return self + HashSample(level)

    def of_distinct(self, capacity: int) -> HashSample:
        """Return a sample of at most ``capacity`` of the distinct values, each with count 1."""
        hashes = np.array(self.hashes, dtype=np.int64)
        return _fitted(self.level, hashes, np.ones(len(hashes), dtype=np.int64), capacity)

    def covers(self, hashes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return, for each hash, whether its value is in the sample if it occurs."""
        return _is_in_sample(hashes, self.level)

    @property
    def distinct(self) -> int:
        """Number of distinct values: exact at level 0, otherwise an estimate."""
        return len(self.hashes) << self.level

    @property
    def distinct_error(self) -> float:
        """
        Standard error of :attr:`distinct`, 0 at level 0.

        A value is in the sample with probability ``f = 2**-level``. The number ``n`` of values in it is
        binomial, so the variance of ``n / f`` is ``N (1 - f) / f`` for ``N`` values, estimated with ``N = n /
        f``.
        """
        return math.sqrt(len(self.hashes) * (1 - 0.5**self.level)) * 2.0**self.level

    @property
    def duplicates(self) -> int:
        """Number of occurrences of values beyond the first: exact at level 0, otherwise an estimate."""
        return (sum(self.counts) - len(self.counts)) << self.level

    @property
    def duplicates_variance(self) -> int:
        """
        Variance of :attr:`duplicates`, 0 at level 0.

        The estimator is the Horvitz-Thompson estimator with inclusion probabilities ``f = 2**-level``. Its
        variance is estimated by the sum over the sample of ``(1 - f) / f**2`` times the squared number of
        duplicates of a value.
        """
        return sum((count - 1) ** 2 for count in self.counts) * ((1 << self.level) - 1) << self.level


def _added(
    hashes: NDArray[np.int64], counts: NDArray[np.int64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct hashes in ascending order, and the sums of their counts (default: 1 each)."""
    if counts is None:
        distinct, numbers = np.unique(hashes, return_counts=True)
        return distinct, numbers.astype(np.int64)
    distinct, places = np.unique(hashes, return_inverse=True)
    sums = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(sums, places, counts)
    return distinct, sums


def _fitted(
    level: int, hashes: NDArray[np.int64], counts: NDArray[np.int64], capacity: int = CAPACITY
) -> HashSample:
    while len(hashes) > capacity:
        level += 1
        in_sample = _is_in_sample(hashes, level)
        hashes, counts = hashes[in_sample], counts[in_sample]
    return HashSample(level, tuple(hashes.tolist()), tuple(counts.tolist()))


def _is_in_sample(hashes: NDArray[np.int64], level: int) -> NDArray[np.bool_]:
    in_sample: NDArray[np.bool_] = (hashes & ((1 << level) - 1)) == 0
    return in_sample


@dataclass(frozen=True)
class ValueSample:
    """
    Counts of strings: of all up to a capacity, then of a sample, see :class:`HashSample`.

    The sample that is stored in the database is smaller, see :meth:`settled`.

    :param level: Number of times the hash space was halved.
    :param counts: Strings to exact numbers of occurrences.
    """

    level: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, counts: Mapping[str, int], hashes: NDArray[np.int64] | None = None) -> ValueSample:
        """
        Return the sample of counts by string.

        :param hashes: Hashes of the strings in the same order, if known.
        """
        return cls()._fitted(counts, True, CAPACITY, hashes)

    def __add__(self, other: ValueSample) -> ValueSample:
        added = TALLY.add(dict(self.counts), dict(other.counts))
        higher = ValueSample(max(self.level, other.level))
        return higher._fitted(added, self.level == other.level, CAPACITY)

    def settled(self) -> ValueSample:
        """Return the sample of a whole bucket, with at most as many strings as are stored."""
        return self._fitted(self.counts, True, KEPT_VALUES)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form for the database."""
        return {"level": self.level, "counts": dict(sorted(self.counts.items()))}

    def _fitted(
        self,
        counts: Mapping[str, int],
        of_this_level: bool,
        capacity: int,
        hashes: NDArray[np.int64] | None = None,
    ) -> ValueSample:
        """Return the sample of strings, which may already be known to belong to this level."""
        texts, level = list(counts), self.level
        if not of_this_level or len(texts) > capacity:
            indices, hashes = np.arange(len(texts)), text_hashes(texts) if hashes is None else hashes
            indices = indices[_is_in_sample(hashes, level)]
            while len(indices) > capacity:
                level += 1
                indices = indices[_is_in_sample(hashes[indices], level)]
            texts = [texts[index] for index in indices.tolist()]
        return ValueSample(level, {text: counts[text] for text in texts})


def dump_hashes(sample: HashSample) -> dict[str, Any]:
    """Return the JSON form of a sample."""
    return {"level": sample.level, "hashes": packed(sample.hashes), "counts": packed(sample.counts)}


def read_hashes(stored: Mapping[str, Any]) -> HashSample:
    """Return the sample from the result of :func:`dump_hashes`."""
    return HashSample(stored["level"], unpacked(stored["hashes"]), unpacked(stored["counts"]))


def pack_sample(sample: HashSample) -> tuple[int, bytes, Any]:
    """Return the compact form of a sample."""
    return sample.level, pack_hashes(sample.hashes), pack_integers(sample.counts)


def unpack_sample(stored: Sequence[Any]) -> HashSample:
    """Return the sample from the result of :func:`pack_sample`."""
    level, hashes, counts = stored
    return HashSample(level, unpack_hashes(hashes), unpack_integers(counts))


SAMPLE: Rule[ValueSample] = Rule(
    ValueSample, operator.add, ValueSample.to_json, lambda stored: ValueSample(**stored)
)
"""A sample of strings."""
HASHES: Rule[HashSample] = Rule(
    HashSample, operator.add, dump_hashes, read_hashes, pack_sample, unpack_sample
)
"""A sample of hashes."""
