"""The bins of a binary model's scores, made from those of the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_EVEN = 200  # Parts of the scores that are equally large.
_SMALLEST = 0.25  # The outermost part, in rows of the sample.
_UPPER, _LOWER = 1.03, 1.1  # Growth of the parts from each end; precision takes finer parts above.
_MOST_DISTINCT = 500
_ROUND = 1000  # Round thresholds in a range, at most.
_DECADES = (4, 5, 6)  # Negative exponents of further thresholds with one digit.
_GREATEST = 2.0**1022  # The difference of two edges is a finite number.
_DIGITS = 5
_NARROWEST = 1e-290  # The powers of ten that cut a range are finite.


@dataclass(frozen=True)
class ScoreGrid:
    """
    The edges of the bins that scores are counted in.

    They are the union of round numbers, at which thresholds are exact, and of quantiles of the scores. The
    quantiles are at even levels, and at levels that become finer geometrically towards both ends, so that
    a class of few rows is resolved wherever its scores are. A score that makes up several of the parts has a
    bin of its own.

    :param edges: Strictly increasing finite numbers, three or more.
    """

    edges: tuple[float, ...]

    @classmethod
    def of(cls, scores: Floats) -> Self | None:
        """
        The bins for a baseline, or a sample of it; ``None`` if it has no finite score.

        :param scores: The scores, in any order. Scores that are not finite are ignored.
        """
        scores = np.asarray(scores, dtype=np.float64)
        scores = np.sort(np.clip(scores[np.isfinite(scores)], -_GREATEST, _GREATEST) + 0.0)
        if not scores.size:
            return None
        edges = np.unique(np.concatenate([*_following(scores), _round_numbers(scores[0], scores[-1])]))
        if edges[-1] == np.nextafter(scores[-1], np.inf):
            edges = edges[:-1]  # The last edge has a bin of its own in any case.
        while len(edges) < 3:
            edges = np.append(edges, np.nextafter(edges[-1], np.inf))
        return cls(tuple(edges.tolist()))

    def to_json(self) -> dict[str, Any]:
        """What the database keeps."""
        return {"edges": list(self.edges)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote."""
        return cls(tuple(map(float, stored["edges"])))


def _following(scores: Floats) -> tuple[Floats, Floats]:
    """Edges at sorted scores, and those that close the bins of single scores."""
    distinct = np.unique(scores)
    if len(distinct) <= _MOST_DISTINCT:
        return distinct, np.nextafter(distinct, np.inf)
    # Interpolation rounds: it may step outside the scores, or back, by a last digit.
    quantiles = np.sort(np.clip(np.quantile(scores, _levels(len(scores))), scores[0], scores[-1]))
    repeated = np.unique(quantiles[1:][quantiles[1:] == quantiles[:-1]])
    others = _shortened(np.setdiff1d(quantiles, repeated))
    return np.union1d(others, repeated), np.nextafter(repeated, np.inf)


def _shortened(edges: Floats) -> Floats:
    """Rising edges with fewer digits, where that moves them by little: states are stored with their edges."""
    if len(edges) < 3:
        return edges
    short = np.array([float(f"{edge:.{_DIGITS}g}") for edge in edges.tolist()])
    gaps = np.diff(edges)
    least = np.minimum(np.append(gaps, gaps[-1]), np.append(gaps[0], gaps))
    kept: Floats = np.where(np.abs(short - edges) < least / 8, short, edges)
    # The outermost edges are scores of the baseline.
    kept[[0, -1]] = edges[[0, -1]]
    return kept


def _levels(count: int) -> Floats:
    even = np.arange(_EVEN + 1) / _EVEN
    upper, lower = (_tail(_SMALLEST / count, growth) for growth in (_UPPER, _LOWER))
    return np.unique(np.concatenate([even, 1 - upper, lower]))


def _tail(smallest: float, growth: float) -> Floats:
    """Levels from one end to the middle, each so many times the one before, but no nearer than the first."""
    levels = [smallest]
    while levels[-1] < 0.5:
        levels.append(max(levels[-1] * growth, levels[-1] + smallest))
    return np.array(levels[:-1])


def _round_numbers(low: float, high: float) -> Floats:
    """From 0 to 1, all numbers of three decimals and the smallest of one digit; in other ranges likewise."""
    if low >= 0 and high <= 1:
        small = [np.arange(1, 10) / 10.0**places for places in _DECADES]
        return np.concatenate([np.arange(_ROUND + 1) / _ROUND, *small])
    if not high - low > _NARROWEST:
        return np.array([low])
    step, places = _step((high - low) / _ROUND)
    first, last = (bound / step / 10.0**-places for bound in (low, high))
    if max(abs(first), abs(last)) > 2.0**52:
        return np.array([low])  # The range is too far from zero for its size.
    whole = np.arange(math.ceil(first), math.floor(last) + 1, dtype=np.float64) * step
    numbers = whole / 10.0**places if places >= 0 else whole * 10.0**-places
    return numbers[(numbers >= low) & (numbers <= high)]


def _step(least: float) -> tuple[int, int]:
    """The least of 1, 2 and 5, times a power of ten, that is not below a number; and minus its exponent."""
    exponent = math.floor(math.log10(least))
    for digit in (1, 2, 5):
        if digit * 10.0**exponent >= least:
            return digit, -exponent
    return 1, -exponent - 1
