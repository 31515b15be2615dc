"""Bins of the scores of a binary model, determined by the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_EVEN = 200  # Number of parts with an equal number of scores.
_SMALLEST = 0.25  # Size of the outermost part, in rows of the sample.
# Factors by which the levels grow from each end. The upper ones are finer, as the metric precision needs.
_UPPER, _LOWER = 1.03, 1.1
_MOST_DISTINCT = 500
_ROUND = 1000  # Maximum number of round thresholds in a range.
_DECADES = (4, 5, 6)  # Additional thresholds for probabilities are 1 to 9, divided by ten to these powers.
_GREATEST = 2.0**1022  # Maximum magnitude of an edge, so that the difference of two edges is finite.
_DIGITS = 5
_NARROWEST = 1e-290  # Minimum width of a range with round numbers, so that their powers of ten are finite.


@dataclass(frozen=True)
class ScoreBins:
    """
    Bins of scores.

    The edges are the union of round numbers, at which thresholds are exact, and of quantiles of the scores.
    The levels of the quantiles are evenly spaced, and geometrically finer towards both ends, so that a class
    with few rows is resolved at either end. A score that is equal to several quantiles has its own bin.

    :param edges: Strictly increasing finite numbers, at least three.
    """

    edges: tuple[float, ...]

    @classmethod
    def of(cls, scores: Floats) -> Self | None:
        """
        Return the bins for a baseline or a sample of it; None if it has no finite score.

        :param scores: The scores, in any order. Scores that are not finite are ignored.
        """
        scores = np.asarray(scores, dtype=np.float64)
        scores = np.sort(np.clip(scores[np.isfinite(scores)], -_GREATEST, _GREATEST) + 0.0)
        if not scores.size:
            return None
        edges = np.unique(np.concatenate([*_following(scores), _round_numbers(scores[0], scores[-1])]))
        if edges[-1] == np.nextafter(scores[-1], np.inf):
            edges = edges[:-1]  # The last edge always has its own bin.
        while len(edges) < 3:
            edges = np.append(edges, np.nextafter(edges[-1], np.inf))
        return cls(tuple(edges.tolist()))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form for the database."""
        return {"edges": list(self.edges)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the bins from the result of :meth:`to_json`."""
        return cls(tuple(map(float, stored["edges"])))


def _following(scores: Floats) -> tuple[Floats, Floats]:
    """
    Return edges at quantiles of the sorted scores, and edges that end the bins of single scores.

    With few distinct scores, the edges are at all of them instead of at quantiles.
    """
    distinct = np.unique(scores)
    if len(distinct) <= _MOST_DISTINCT:
        return distinct, np.nextafter(distinct, np.inf)
    # Interpolation may return results outside of the scores, or out of order, by rounding.
    quantiles = np.sort(np.clip(np.quantile(scores, _levels(len(scores))), scores[0], scores[-1]))
    repeated = np.unique(quantiles[1:][quantiles[1:] == quantiles[:-1]])
    others = _shortened(np.setdiff1d(quantiles, repeated))
    return np.union1d(others, repeated), np.nextafter(repeated, np.inf)


def _shortened(edges: Floats) -> Floats:
    """Round edges to fewer digits if that changes them little, since states are stored with their edges."""
    if len(edges) < 3:
        return edges
    short = np.array([float(f"{edge:.{_DIGITS}g}") for edge in edges.tolist()])
    gaps = np.diff(edges)
    least = np.minimum(np.append(gaps, gaps[-1]), np.append(gaps[0], gaps))
    kept_edges: Floats = np.where(np.abs(short - edges) < least / 8, short, edges)
    # The outermost edges are scores of the baseline.
    kept_edges[[0, -1]] = edges[[0, -1]]
    return kept_edges


def _levels(count: int) -> Floats:
    even = np.arange(_EVEN + 1) / _EVEN
    upper, lower = (_tail(_SMALLEST / count, growth) for growth in (_UPPER, _LOWER))
    return np.unique(np.concatenate([even, 1 - upper, lower]))


def _tail(smallest: float, growth: float) -> Floats:
    """Return levels below one half that grow geometrically, and by at least the first level in each step."""
    levels = [smallest]
    while levels[-1] < 0.5:
        levels.append(max(levels[-1] * growth, levels[-1] + smallest))
    return np.array(levels[:-1])


def _round_numbers(low: float, high: float) -> Floats:
    """
    Return the round numbers in a range.

    For probabilities, these are the multiples of 0.001, and the numbers of one digit from 0.000001 to 0.0009.
    In other ranges, they are at most about 1000 multiples of 1, 2 or 5 times a power of ten.
    """
    if low >= 0 and high <= 1:
        small = [np.arange(1, 10) / 10.0**places for places in _DECADES]
        return np.concatenate([np.arange(_ROUND + 1) / _ROUND, *small])
    if not high - low > _NARROWEST:
        return np.array([low])
    step, places = _step((high - low) / _ROUND)
    first, last = (bound / step / 10.0**-places for bound in (low, high))
    if max(abs(first), abs(last)) > 2.0**52:
        return np.array([low])  # The range is too narrow for its distance from zero.
    whole = np.arange(math.ceil(first), math.floor(last) + 1, dtype=np.float64) * step
    numbers = whole / 10.0**places if places >= 0 else whole * 10.0**-places
    return numbers[(numbers >= low) & (numbers <= high)]


def _step(least: float) -> tuple[int, int]:
    """Return the smallest ``d * 10**e`` not below a number, d in (1, 2, 5), as ``d`` and ``-e``."""
    exponent = math.floor(math.log10(least))
    for digit in (1, 2, 5):
        if digit * 10.0**exponent >= least:
            return digit, -exponent
    return 1, -exponent - 1
