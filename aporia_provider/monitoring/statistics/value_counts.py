"""Bounds of the numbers of occurrences of individual values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.states.text_hashes import text_hashes
from aporia_provider.monitoring.states.value_state import ValueState
from aporia_provider.monitoring.states.value_tail import CELLS, cell

Counts = NDArray[np.int64]


class Count(NamedTuple):
    """Lower and upper bound of the number of occurrences of a value."""

    least: int
    most: int

    @property
    def spread(self) -> int:
        """Maximum difference between the exact number and the lower bound."""
        return self.most - self.least


def counts_of(state: ValueState, texts: Iterable[str]) -> dict[str, Count]:
    """
    Return bounds of the numbers of occurrences of values.

    The counts of categories with a bin, of values in either sample, and of all values in a state without
    sampling are exact. For other values, the lower bound comes from the buckets in which the value was
    frequent, and the upper bound from the remaining count of the cell of its hash.

    :param state: The state.
    :param texts: The values, as text.
    :return: Bounds by value.
    """
    exact = {**state.known, **state.others.counts}
    if not state.others.level:
        return {text: _known(exact.get(text, 0)) for text in texts}
    counts = {text: _known(exact[text]) if text in exact else None for text in texts}
    unsure = _of_hashes(state, [text for text, count in counts.items() if count is None])
    return {text: count or unsure[text] for text, count in counts.items()}


def most_of_others(state: ValueState, listed: Mapping[str, Count]) -> int:
    """
    Return the maximum number of occurrences of a value that is not listed.

    :param state: The state.
    :param listed: The listed values.
    """
    if not state.tail.sample.level and not state.others.level:
        return 0
    counts = {text: count.least for text, count in listed.items() if text not in state.known}
    return int((state.tail.bins(CELLS) - _by_cell(counts)).max(initial=0))


def _known(count: int) -> Count:
    return Count(count, count)


def _of_hashes(state: ValueState, texts: list[str]) -> dict[str, Count]:
    """Return the bounds for values that the state does not count by text."""
    sample, hashes = state.tail.sample, text_hashes(texts)
    sampled = dict(zip(sample.hashes, sample.counts, strict=True))
    unsampled, counts = _unsampled(state), {}
    rows = zip(texts, hashes.tolist(), cell(hashes).tolist(), sample.covers(hashes).tolist(), strict=True)
    for text, number, cell_number, covered in rows:
        least = state.frequent.get(text, 0)
        counts[text] = (
            _known(sampled.get(number, 0)) if covered else Count(least, least + int(unsampled[cell_number]))
        )
    return counts


def _unsampled(state: ValueState) -> Counts:
    """Return, by cell, the number of occurrences of values neither sampled nor known to be frequent."""
    sample = state.tail.sample
    hashes, counts = np.array(sample.hashes, np.int64), np.array(sample.counts, np.int64)
    remaining = state.tail.bins(CELLS)
    np.subtract.at(remaining, cell(hashes), counts)
    frequent = [text for text in state.frequent if text not in state.known]
    outside = (~sample.covers(text_hashes(frequent))).tolist()
    counts_of_frequent = {
        text: state.frequent[text] for text, out in zip(frequent, outside, strict=True) if out
    }
    unsampled: Counts = remaining - _by_cell(counts_of_frequent)
    return unsampled


def _by_cell(counts: Mapping[str, int]) -> Counts:
    cells = np.zeros(CELLS, dtype=np.int64)
    np.add.at(cells, cell(text_hashes(list(counts))), np.fromiter(counts.values(), np.int64, len(counts)))
    return cells
