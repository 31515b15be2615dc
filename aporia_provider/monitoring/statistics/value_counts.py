"""How often single values occur, as far as a state of many values tells."""

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
    """The least and the greatest number of times that a value can occur."""

    least: int
    most: int

    @property
    def spread(self) -> int:
        """How far the exact number can be from the least."""
        return self.most - self.least


def counts_of(state: ValueState, texts: Iterable[str]) -> dict[str, Count]:
    """
    How often values occur.

    The categories of the grid, the values of the two samples, and all values of a state that has no more of
    them are known. Of another value, the buckets where it was frequent are known; and it occurs no more often
    than what else was counted in the cell of its hash.

    :param state: The state.
    :param texts: The values, as the state spells them.
    :return: By value.
    """
    exact = {**state.known, **state.others.counts}
    if not state.others.level:
        return {text: _known(exact.get(text, 0)) for text in texts}
    found = {text: _known(exact[text]) if text in exact else None for text in texts}
    unsure = _of_hashes(state, [text for text, count in found.items() if count is None])
    return {text: count or unsure[text] for text, count in found.items()}


def most_of_others(state: ValueState, listed: Mapping[str, Count]) -> int:
    """
    How often a value that is not listed can occur.

    :param state: The state.
    :param listed: The values that are.
    """
    if not state.tail.sample.level and not state.others.level:
        return 0
    counts = {text: count.least for text, count in listed.items() if text not in state.known}
    return int((state.tail.bins(CELLS) - _by_cell(counts)).max(initial=0))


def _known(count: int) -> Count:
    return Count(count, count)


def _of_hashes(state: ValueState, texts: list[str]) -> dict[str, Count]:
    """The counts of values that are not counted by text."""
    sample, hashes = state.tail.sample, text_hashes(texts)
    sampled = dict(zip(sample.hashes, sample.counts, strict=True))
    rest, found = _unsampled(state), {}
    rows = zip(texts, hashes.tolist(), cell(hashes).tolist(), sample.covers(hashes).tolist(), strict=True)
    for text, number, place, covered in rows:
        least = state.frequent.get(text, 0)
        found[text] = _known(sampled.get(number, 0)) if covered else Count(least, least + int(rest[place]))
    return found


def _unsampled(state: ValueState) -> Counts:
    """By cell, how often values occur that are neither in the sample nor known to be frequent."""
    sample = state.tail.sample
    hashes, counts = np.array(sample.hashes, np.int64), np.array(sample.counts, np.int64)
    rest = state.tail.bins(CELLS)
    np.subtract.at(rest, cell(hashes), counts)
    frequent = [text for text in state.frequent if text not in state.known]
    outside = (~sample.covers(text_hashes(frequent))).tolist()
    kept = {text: state.frequent[text] for text, out in zip(frequent, outside, strict=True) if out}
    unsampled: Counts = rest - _by_cell(kept)
    return unsampled


def _by_cell(counts: Mapping[str, int]) -> Counts:
    found = np.zeros(CELLS, dtype=np.int64)
    np.add.at(found, cell(text_hashes(list(counts))), np.fromiter(counts.values(), np.int64, len(counts)))
    return found
