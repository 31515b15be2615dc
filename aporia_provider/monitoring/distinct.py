"""Counts of distinct values in bounded space."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from aporia_provider.monitoring.hashing import text_hashes
from aporia_provider.monitoring.states import TALLY, Rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

ID_CAPACITY = 1024
VALUE_CAPACITY = 2048
KEPT_VALUES = 256


@dataclass(frozen=True)
class IdSample:
    """
    How often ids occur: all of them up to a capacity, then those whose hash ends in ``level`` zero bits.

    The level is the least at which the ids fit, so it does not depend on the order in which they came
    (Gibbons, *Distinct sampling for highly-accurate answers*, VLDB 2001). Counts of ids in the sample are
    exact.

    :param level: How many times the space of hashes was halved.
    :param hashes: Of the ids in the sample, ascending.
    :param counts: How often each occurs.
    """

    level: int = 0
    hashes: Sequence[int] = ()
    counts: Sequence[int] = ()

    @classmethod
    def of(cls, hashes: NDArray[np.int64]) -> IdSample:
        """Make it from the hashes of ids, one for each row."""
        # If no id is twice, about two capacities of them are left.
        level = max(0, (len(hashes) // ID_CAPACITY).bit_length() - 2)
        known, counts = np.unique(hashes[_kept(hashes, level)], return_counts=True)
        if level and len(known) <= ID_CAPACITY:
            level, (known, counts) = 0, np.unique(hashes, return_counts=True)
        return _fitted(level, known, counts)

    def __add__(self, other: IdSample) -> IdSample:
        level = max(self.level, other.level)
        hashes = np.array([*self.hashes, *other.hashes], dtype=np.int64)
        counts = np.array([*self.counts, *other.counts], dtype=np.int64)
        kept = _kept(hashes, level)
        known, places = np.unique(hashes[kept], return_inverse=True)
        added = np.zeros(len(known), dtype=np.int64)
        np.add.at(added, places, counts[kept])
        return _fitted(level, known, added)

    @property
    def duplicates(self) -> int:
        """Rows whose id occurred already: exact at level 0, otherwise an estimate."""
        return (sum(self.counts) - len(self.counts)) << self.level


def _fitted(level: int, hashes: NDArray[np.int64], counts: NDArray[np.int64]) -> IdSample:
    while len(hashes) > ID_CAPACITY:
        level += 1
        kept = _kept(hashes, level)
        hashes, counts = hashes[kept], counts[kept]
    return IdSample(level, tuple(hashes.tolist()), tuple(counts.tolist()))


def _kept(hashes: NDArray[np.int64], level: int) -> NDArray[np.bool_]:
    kept: NDArray[np.bool_] = (hashes & ((1 << level) - 1)) == 0
    return kept


@dataclass(frozen=True)
class ValueSample:
    """
    How often texts occur: all of them up to a capacity, then a sample as :class:`IdSample` takes it. What the
    database keeps is smaller, see :meth:`settled`.

    :param level: How many times the space of hashes was halved.
    :param counts: Text to how often it occurs, exact.
    """

    level: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> ValueSample:
        """Make it from counts by text."""
        return cls()._fitted(counts, True, VALUE_CAPACITY)

    def __add__(self, other: ValueSample) -> ValueSample:
        added = TALLY.add(dict(self.counts), dict(other.counts))
        higher = ValueSample(max(self.level, other.level))
        return higher._fitted(added, self.level == other.level, VALUE_CAPACITY)

    def settled(self) -> ValueSample:
        """The sample of a whole bucket, of no more texts than are kept."""
        return self._fitted(self.counts, True, KEPT_VALUES)

    @property
    def distinct(self) -> int:
        """How many distinct texts there are: exact at level 0, otherwise an estimate."""
        return len(self.counts) << self.level

    def to_json(self) -> dict[str, Any]:
        """What the database keeps."""
        return {"level": self.level, "counts": dict(sorted(self.counts.items()))}

    def _fitted(self, counts: Mapping[str, int], of_this_level: bool, capacity: int) -> ValueSample:
        """A sample of this level at least, of texts all of which may be known to belong to it."""
        texts, level = list(counts), self.level
        if not of_this_level or len(texts) > capacity:
            kept, hashes = np.arange(len(texts)), text_hashes(texts)
            kept = kept[_kept(hashes, level)]
            while len(kept) > capacity:
                level += 1
                kept = kept[_kept(hashes[kept], level)]
            texts = [texts[place] for place in kept.tolist()]
        return ValueSample(level, {text: counts[text] for text in texts})


def _dump_ids(sample: IdSample) -> dict[str, Any]:
    return {"level": sample.level, "hashes": list(sample.hashes), "counts": list(sample.counts)}


def _read_ids(stored: Mapping[str, Any]) -> IdSample:
    return IdSample(stored["level"], tuple(stored["hashes"]), tuple(stored["counts"]))


SAMPLE: Rule[ValueSample] = Rule(
    ValueSample, operator.add, ValueSample.to_json, lambda stored: ValueSample(**stored)
)
"""A sample of texts."""
IDS: Rule[IdSample] = Rule(IdSample, operator.add, _dump_ids, _read_ids)
"""A sample of ids; it is not kept longer than a sync takes."""
