"""
Histograms of a numeric field on edges other than their own.

Two model versions have two baselines, hence two grids. How many values lie below an edge is known exactly at
a histogram's own edges; at others it is interpolated, and known to lie between two numbers, which are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.grids.grid import NumericGrid

Floats = NDArray[np.float64]

_GREATEST = 2.0**1020  # What no tail is longer than, so that sums of lengths are finite.
_STEP = 1e-9
_LOOKS = 8
_ROUNDING = 1e-15  # Relative, of sums and differences of floats.


@dataclass(frozen=True)
class NumericHistogram:
    """
    What a numeric field's state says about the distribution of its values.

    :param grid: The bins.
    :param counts: One for each bin, or none at all if nothing was counted.
    :param below_sum: The distances of the values in the first bin from the first edge, added up.
    :param above_sum: The distances of the values in the last bin from the last edge, added up.
    :param least: The least value, if known.
    :param greatest: The greatest value, if known.
    """

    grid: NumericGrid
    counts: tuple[int, ...]
    below_sum: float | Fraction
    above_sum: float | Fraction
    least: float | None = None
    greatest: float | None = None

    @property
    def samples(self) -> int:
        """How many values were counted."""
        return sum(self.counts)


@dataclass(frozen=True, eq=False)
class Bounded:
    """
    Numbers known to lie between two others.

    :param value: The best estimate.
    :param low: The least they can be.
    :param high: The greatest they can be.
    """

    value: Floats
    low: Floats
    high: Floats

    @classmethod
    def exactly(cls, value: Sequence[float] | Floats) -> Self:
        """Numbers that are known."""
        known = np.asarray(value, dtype=np.float64)
        return cls(known, known, known)

    @property
    def exact(self) -> bool:
        """Whether there is nothing between the least and the greatest."""
        return self.low is self.high or np.array_equal(self.low, self.high)

    def map(self, rising: Callable[[Floats], Floats]) -> Self:
        """
        What these numbers become.

        :param rising: What each becomes; of two numbers the greater stays the greater, or they become equal.
        """
        return type(self)(rising(self.value), rising(self.low), rising(self.high))


def common_edges(one: NumericHistogram, other: NumericHistogram) -> Floats:
    """The edges of both, in order."""
    if one.grid.edges == other.grid.edges:
        return np.array(one.grid.edges)
    return np.union1d(np.array(one.grid.edges), np.array(other.grid.edges))


def tail_areas(histogram: NumericHistogram, first: float, last: float) -> tuple[Bounded, Bounded]:
    """
    The integral of the distribution function below an edge, and of one minus it above another.

    :param histogram: At least one value.
    :param first: The histogram's own first edge, or one farther out.
    :param last: Its own last edge, or one farther out.
    """
    own, samples = histogram.grid.edges, histogram.samples
    below, above = _mean(histogram.below_sum, samples), _mean(histogram.above_sum, samples)
    return (
        _beyond(below, histogram.counts[0] / samples, own[0] - first),
        _beyond(above, histogram.counts[-1] / samples, last - own[-1]),
    )


def tail_steps(histogram: NumericHistogram) -> list[float]:
    """
    Where to look at the tails: just before and just after the mean of what lies in the first bin and in the
    last, and at even distances from the edge to the farthest value, if that is known.
    """
    own, counts, samples = histogram.grid.edges, histogram.counts, histogram.samples
    steps: list[float] = []
    for edge, sign, count, total, farthest in (
        (own[0], -1, counts[0], histogram.below_sum, histogram.least),
        (own[-1], 1, counts[-1], histogram.above_sum, histogram.greatest),
    ):
        reach = sign * _mean(total, samples) * (samples / count) if count else 0.0
        steps += [edge + reach * (1 - _STEP), edge + reach * (1 + _STEP)]
        if count and farthest is not None:
            steps += [edge + (farthest - edge) * (part / _LOOKS) for part in range(1, _LOOKS)] + [farthest]
    return steps


def counts_between(histogram: NumericHistogram, boundaries: Sequence[float]) -> Bounded:
    """
    The counts of the bins which the boundaries separate; the outer ones are open.

    :param histogram: Any histogram.
    :param boundaries: Strictly increasing, one fewer than there are bins.
    """
    total = np.array([float(histogram.samples)])
    below = counts_below(histogram, np.array(boundaries, dtype=np.float64))
    value, low, high = (
        np.concatenate([[0.0], cumulative, total]) for cumulative in (below.value, below.low, below.high)
    )
    return Bounded(np.diff(value), np.maximum(low[1:] - high[:-1], 0.0), high[1:] - low[:-1])


def counts_below(histogram: NumericHistogram, edges: Floats) -> Bounded:
    """
    How many values lie below each edge.

    Inside a bin the values are taken to be spread evenly, outside all bins to lie at their mean.

    :param histogram: Any histogram.
    :param edges: Any edges.
    """
    if not histogram.samples:
        return Bounded.exactly(np.zeros(len(edges)))
    own = np.array(histogram.grid.edges)
    counts = np.array(histogram.counts, dtype=np.float64)
    places = np.minimum(own.searchsorted(edges), len(own) - 1)
    if np.array_equal(own[places], edges):
        return Bounded.exactly(np.cumsum(counts)[places])
    low, high = _surrounding(own, counts, edges)
    inside = np.interp(edges, own, np.cumsum(counts)[:-1])
    below, above = (
        _tail(distance, count, histogram.samples * _mean(total, histogram.samples), reach)
        for distance, count, total, reach in (
            (own[0] - edges, counts[0], histogram.below_sum, _reach(own[0], histogram.least)),
            (edges - own[-1], counts[-1], histogram.above_sum, _reach(own[-1], histogram.greatest)),
        )
    )
    first, last = edges < own[0], edges > own[-1]
    low = np.select([first, last], [below.low, counts.sum() - above.high], low)
    high = np.select([first, last], [below.high, counts.sum() - above.low], high)
    value = np.select([first, last], [below.value, counts.sum() - above.value], inside)
    # In a bin of a few of the smallest floats the interpolation overflows.
    return Bounded(np.clip(value, low, high), low, high)


def _surrounding(own: Floats, counts: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """The counts below the next own edges down and up."""
    cumulative = np.concatenate([[0.0], np.cumsum(counts)])
    return cumulative[np.searchsorted(own, edges, "right")], cumulative[np.searchsorted(own, edges) + 1]


def _reach(edge: float, farthest: float | None) -> float:
    return math.inf if farthest is None else abs(farthest - edge)


def _tail(distance: Floats, count: float, total: float, reach: float) -> Bounded:
    """
    How many of the values in a tail are farther out than ``distance``.

    Estimated, all are at their mean. At most, Markov's inequality holds, and none is farther out than
    ``reach``; at least, the others are at ``distance`` and these at ``reach``.
    """
    distance = np.maximum(distance, np.nextafter(0.0, 1.0))
    with np.errstate(over="ignore", invalid="ignore"):
        most = np.where(distance > reach, 0.0, np.minimum(count, total / distance))
        beyond = total * (1 - _ROUNDING) - count * distance * (1 + _ROUNDING)
        least = np.clip(beyond / (reach * (1 + _ROUNDING) - distance), 0.0, most)
        known = (distance < reach) & (beyond > 0) & math.isfinite(total) & math.isfinite(reach)
        return Bounded(np.where(total > distance * count, count, 0.0), np.where(known, least, 0.0), most)


def _beyond(mean: float, share: float, moved: float) -> Bounded:
    """What is left of a tail's integral if its edge is moved outwards (at least that much: Jensen)."""
    left = max(0.0, mean - share * moved)
    return Bounded(np.array(left), np.array(left), np.array(mean if moved else left))


def _mean(total: float | Fraction, samples: int) -> float:
    try:
        return min(float(Fraction(total) / samples), _GREATEST)
    except OverflowError:
        return _GREATEST
