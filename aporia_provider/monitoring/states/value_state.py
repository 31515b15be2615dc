"""State of values that are identified by their text: categories, booleans, strings, array elements."""

from __future__ import annotations

import hashlib
import heapq
import operator
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from aporia_provider.monitoring.states.sketches import KEPT_VALUES, SAMPLE, ValueSample
from aporia_provider.monitoring.states.state import GREATEST, LEAST, TALLY, TOTAL, State, part
from aporia_provider.monitoring.states.text_hashes import text_hashes
from aporia_provider.monitoring.states.value_tail import TAIL, Tail

if TYPE_CHECKING:
    from aporia_provider.monitoring.bins.field_bins import CategoryBins

_LONGEST = 200
_FREQUENT = 64


@dataclass(frozen=True)
class ValueState(State):
    """
    State of values that are identified by their text.

    :param rows: Number of rows, including those without a value.
    :param nulls: Number of nulls.
    :param misfits: Number of rows of a boolean field with an integer other than 0 and 1. The attributes below
        exclude them.
    :param known: Counts of the categories that have a bin.
    :param others: Counts of all other values, or of a sample if there are many.
    :param frequent: Counts of the most frequent values in the samples of buckets with many values. They may
        be incomplete in a bucket with more than 2048 values.
    :param other_count: Number of occurrences of all other values.
    :param tail: Counts of all other values by hash, for comparisons.
    :param length: Sum of the lengths, in characters.
    :param shortest: Minimum length.
    :param longest: Maximum length.
    """

    kind: ClassVar[str] = "values"

    rows: int = part(TOTAL)
    nulls: int = part(TOTAL)
    misfits: int = part(TOTAL)
    known: dict[str, int] = part(TALLY)
    others: ValueSample = part(SAMPLE)
    frequent: dict[str, int] = part(TALLY)
    other_count: int = part(TOTAL)
    tail: Tail = part(TAIL)
    length: int = part(TOTAL)
    shortest: int | None = part(LEAST)
    longest: int | None = part(GREATEST)

    @classmethod
    def of(
        cls, counts: Mapping[str, int], rows: int, nulls: int, bins: CategoryBins | None, misfits: int = 0
    ) -> ValueState:
        """
        Return the state of counts by text.

        :param counts: Text of the values to positive numbers of occurrences.
        :param rows: Number of rows.
        :param nulls: Number of nulls.
        :param bins: Categories to count exactly, if known.
        :param misfits: Number of rows with a value that the type of the field does not allow.
        """
        lengths = [len(text) for text in counts]
        length = sum(map(operator.mul, lengths, counts.values()))
        shortest, longest = min(lengths, default=None), max(lengths, default=None)
        if longest is not None and longest > _LONGEST:
            counts = {shortened(text): count for text, count in counts.items()}
        categories = frozenset(bins.values) if bins else frozenset()
        others = {text: count for text, count in counts.items() if text not in categories}
        hashes = text_hashes(list(others))
        return cls(
            rows=rows,
            nulls=nulls,
            misfits=misfits,
            known={text: count for text, count in counts.items() if text in categories},
            others=ValueSample.of(others, hashes),
            other_count=sum(others.values()),
            tail=Tail.of(hashes, np.fromiter(others.values(), np.int64, len(others))),
            length=length,
            shortest=shortest,
            longest=longest,
        )

    def settled(self) -> ValueState:
        """
        Return the state of a whole bucket, with fewer values and the most frequent ones separately.

        The most frequent values are taken from the sample: in a bucket with more than 2048 values without a
        bin, a frequent value may be lost. Its count remains in :attr:`tail`.
        """
        counts = self.others.counts
        if len(counts) <= KEPT_VALUES:
            return self
        most = heapq.nsmallest(_FREQUENT, counts.items(), key=lambda item: (-item[1], item[0]))
        return replace(self, others=self.others.settled(), frequent=dict(most))

    @property
    def counts(self) -> dict[str, int]:
        """
        Lower bounds of the numbers of occurrences of individually counted values.

        See :func:`~.value_counts.counts_of` for upper bounds.
        """
        return {**self.frequent, **self.known, **self.others.counts}

    @property
    def count(self) -> int:
        """Number of values; an array has several in one row."""
        return sum(self.known.values()) + self.other_count

    @property
    def distinct(self) -> int:
        """Number of distinct values: an estimate if the level of the tail's sample is not 0."""
        return len(self.known) + self.tail.sample.distinct


def shortened(text: str) -> str:
    """Return a string unchanged, or the beginning of a long one followed by its hash."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… {hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"
