"""The state of values that are told apart by their text: categories, booleans, strings, items of arrays."""

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
    from aporia_provider.monitoring.grids.grid import CategoryGrid

_LONGEST = 200
_FREQUENT = 64


@dataclass(frozen=True)
class ValueState(State):
    """
    What is kept of texts.

    :param rows: Rows, whatever is in them.
    :param nulls: Rows without a value.
    :param misfits: Rows of a boolean field with an integer other than 0 and 1, which are part of nothing
        below.
    :param known: Counts of the categories of the grid.
    :param others: Counts of all other texts, sampled if there are many.
    :param frequent: Counts of the most frequent texts of the samples of buckets that had many. In a bucket of
        more than 2048 texts, the sample and so the most frequent ones are not all of them.
    :param other_count: How often those occur.
    :param tail: Counts of those by hash, for comparisons.
    :param length: Sum of the lengths, in characters.
    :param shortest: Least length.
    :param longest: Greatest length.
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
        cls, counts: Mapping[str, int], rows: int, nulls: int, grid: CategoryGrid | None, misfits: int = 0
    ) -> ValueState:
        """
        Make it from counts by text.

        :param counts: Text to how often it occurs, none of them 0.
        :param rows: How many rows there are.
        :param nulls: How many of them have no value.
        :param grid: The categories to count for certain, if they are known yet.
        :param misfits: How many of the rows have a value that the type of the field does not have.
        """
        lengths = [len(text) for text in counts]
        length = sum(map(operator.mul, lengths, counts.values()))
        shortest, longest = min(lengths, default=None), max(lengths, default=None)
        if longest is not None and longest > _LONGEST:
            counts = {shortened(text): count for text, count in counts.items()}
        categories = frozenset(grid.values) if grid else frozenset()
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
        The state of a whole bucket, which keeps fewer of the texts, and the most frequent ones beside them.

        Those are taken from the sample that there is: in a bucket of more than 2048 texts that are not in the
        grid, a frequent text may be lost. What it adds to :attr:`tail` remains.
        """
        counts = self.others.counts
        if len(counts) <= KEPT_VALUES:
            return self
        most = heapq.nsmallest(_FREQUENT, counts.items(), key=lambda item: (-item[1], item[0]))
        return replace(self, others=self.others.settled(), frequent=dict(most))

    @property
    def counts(self) -> dict[str, int]:
        """
        How often texts occur at least, of those that are counted one by one.

        See :func:`~.value_counts.counts_of` for how often they can occur.
        """
        return {**self.frequent, **self.known, **self.others.counts}

    @property
    def count(self) -> int:
        """How many values there are; an array brings several in a row."""
        return sum(self.known.values()) + self.other_count

    @property
    def distinct(self) -> int:
        """The number of distinct texts: an estimate if the level of the tail's sample is not 0."""
        return len(self.known) + self.tail.sample.distinct


def shortened(text: str) -> str:
    """The text, or the beginning of a long one with a hash of all of it."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… {hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"
