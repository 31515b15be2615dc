"""Random vocabularies: how often each of many values occurs, the states of that, and what is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.bins.field_bins import CategoryBins
from aporia_provider.monitoring.drift.field_drift import ComparedState
from aporia_provider.monitoring.states.text_hashes import text_hashes
from aporia_provider.monitoring.states.value_state import ValueState

Counts = Mapping[str, int]


def zipf(distinct: int, power: float) -> NDArray[np.float64]:
    shares = np.arange(1, distinct + 1.0) ** -power
    return shares / shares.sum()


def draw(rng: np.random.Generator, shares: NDArray[np.float64], rows: int, names: list[str]) -> Counts:
    found = rng.multinomial(rows, shares)
    return {names[place]: int(found[place]) for place in np.flatnonzero(found).tolist()}


@dataclass(frozen=True)
class Pair:
    """A baseline and current values, of which some share of the vocabulary was replaced."""

    baseline: Counts
    current: Counts

    @classmethod
    def of(cls, seed: int, distinct: int, power: float, rows: tuple[int, int], replaced: float = 0.0) -> Pair:
        rng = np.random.default_rng(seed)
        shares = zipf(distinct, power)
        names = [f"{seed}-{place}" for place in rng.permutation(distinct).tolist()]
        gone = rng.random(distinct) < replaced
        others = [f"new {name}" if moved else name for name, moved in zip(names, gone, strict=True)]
        return cls(draw(rng, shares, rows[0], names), draw(rng, shares, rows[1], others))

    @property
    def bins(self) -> CategoryBins:
        return CategoryBins.of(self.baseline)

    @property
    def sides(self) -> tuple[ComparedState, ComparedState]:
        """Both sides as a sync of three buckets has them."""
        bins = self.bins
        return ComparedState(state_of(self.baseline, bins), bins), ComparedState(
            state_of(self.current, bins), bins
        )


def state_of(counts: Counts, bins: CategoryBins | None, buckets: int = 3) -> ValueState:
    rng, left = np.random.default_rng(0), np.array(list(counts.values()))
    parts = []
    for more in range(buckets, 0, -1):
        drawn = rng.binomial(left, 1 / more)
        left = left - drawn
        part = {text: count for text, count in zip(counts, drawn.tolist(), strict=True) if count}
        parts.append(ValueState.of(part, sum(part.values()), 0, bins).settled())
    return reduce(add, parts)


def own_of(pair: Pair) -> list[str]:
    """The values that have a bin of their own: those with 1 % of the baseline, and 50 rows."""
    rows = sum(pair.baseline.values())
    if len(pair.baseline) <= 256:
        return list(pair.baseline)
    return [text for text, count in pair.baseline.items() if count >= max(50, rows / 100)]


def by_hash(pair: Pair, bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The counts of frequent values, and of all others in bins by their hashes."""
    own = own_of(pair)

    def side(counts: Counts) -> NDArray[np.float64]:
        rest = [text for text in counts if text not in set(own)]
        places = (text_hashes(rest).view(np.uint64) // np.uint64(2**64 // bins)).astype(int)
        weights = [counts[text] for text in rest]
        return np.append([counts.get(text, 0) for text in own], np.bincount(places, weights, bins))

    return side(pair.baseline), side(pair.current)


def by_vocabulary(pair: Pair) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The counts of frequent values, of others of the baseline's vocabulary, and of the rest."""
    own = own_of(pair)
    rest = {text: count for text, count in pair.baseline.items() if text not in set(own)}
    once = sum(count == 1 for count in rest.values()) / max(1, sum(rest.values()))
    others = {text: count for text, count in pair.current.items() if text not in set(own)}
    seen = sum(count for text, count in others.items() if text in rest)
    within = min(sum(others.values()), seen / (1 - once))
    one = [*(pair.baseline[text] for text in own), sum(rest.values()), 0]
    other = [*(pair.current.get(text, 0) for text in own), within, sum(others.values()) - within]
    return np.array(one, dtype=float), np.array(other, dtype=float)
