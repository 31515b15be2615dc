"""
Counts of numeric histograms between edges other than their own.

Two model versions have different baselines, and so different bins. The number of values below an edge is
exact at the histogram's own edges; at other edges it is interpolated, with a lower and an upper bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

import numpy as np
from numpy.typing import NDArray

from aporia_provider.monitoring.bins.field_bins import NumericBins

Floats = NDArray[np.float64]

_GREATEST = 2.0**1020  # Maximum length of a tail, so that sums of lengths are finite.
_STEP = 1e-9
_LOOKS = 8
_ROUNDING = 1e-15  # Relative rounding error of sums and differences of floats.


@dataclass(frozen=True)
class NumericHistogram:
    """
    Histogram of a numeric field.

    :param bins: The bins.
    :param counts: Count of each bin; empty if nothing was counted.
    :param below_sum: Sum of the distances of the values in the first bin from the first edge.
    :param above_sum: Sum of the distances of the values in the last bin from the last edge.
    :param least: Minimum of the values, if known.
    :param greatest: Maximum of the values, if known.
    """

    bins: NumericBins
    counts: tuple[int, ...]
    below_sum: float | Fraction
    above_sum: float | Fraction
    least: float | None = None
    greatest: float | None = None

    @property
    def samples(self) -> int:
        """Number of values."""
        return sum(self.counts)


@dataclass(frozen=True, eq=False)
class Bounded:
    """
    Numbers with lower and upper bounds.

    :param value: Estimates.
    :param low: Lower bounds.
    :param high: Upper bounds.
    """

    value: Floats
    low: Floats
    high: Floats

    @classmethod
    def exactly(cls, value: Sequence[float] | Floats) -> Self:
        """Return numbers that are exact."""
        numbers = np.asarray(value, dtype=np.float64)
        return cls(numbers, numbers, numbers)

    @property
    def exact(self) -> bool:
        """Whether lower and upper bounds are equal."""
        return self.low is self.high or np.array_equal(self.low, self.high)

    def map(self, rising: Callable[[Floats], Floats]) -> Self:
        """
        Apply a function to the numbers and their bounds.

        :param rising: A monotonically increasing function.
        """
        return type(self)(rising(self.value), rising(self.low), rising(self.high))


def common_edges(one: NumericHistogram, other: NumericHistogram) -> Floats:
    """Return the sorted union of the edges of two histograms."""
    if one.bins.edges == other.bins.edges:
        return np.array(one.bins.edges)
    return np.union1d(np.array(one.bins.edges), np.array(other.bins.edges))


def tail_areas(histogram: NumericHistogram, first: float, last: float) -> tuple[Bounded, Bounded]:
    """
    Return the integral of the distribution function below ``first``, and of one minus it above ``last``.

    :param histogram: Histogram with at least one value.
    :param first: First edge of the histogram, or a lower value.
    :param last: Last edge of the histogram, or a greater value.
    """
    edges, samples = histogram.bins.edges, histogram.samples
    below, above = _mean(histogram.below_sum, samples), _mean(histogram.above_sum, samples)
    return (
        _beyond(below, histogram.counts[0] / samples, edges[0] - first),
        _beyond(above, histogram.counts[-1] / samples, last - edges[-1]),
    )


def tail_steps(histogram: NumericHistogram) -> list[float]:
    """
    Return points at which to evaluate the tails.

    They are just before and after the mean of the values in the first and in the last bin, and evenly spaced
    from the outer edge to the minimum or maximum, if known.
    """
    edges, counts, samples = histogram.bins.edges, histogram.counts, histogram.samples
    steps: list[float] = []
    for edge, sign, count, total, farthest in (
        (edges[0], -1, counts[0], histogram.below_sum, histogram.least),
        (edges[-1], 1, counts[-1], histogram.above_sum, histogram.greatest),
    ):
        reach = sign * _mean(total, samples) * (samples / count) if count else 0.0
        steps += [edge + reach * (1 - _STEP), edge + reach * (1 + _STEP)]
        if count and farthest is not None:
            steps += [edge + (farthest - edge) * (step / _LOOKS) for step in range(1, _LOOKS)] + [farthest]
    return steps


def counts_between(histogram: NumericHistogram, boundaries: Sequence[float]) -> Bounded:
    """
    Return the counts of bins separated by the given boundaries; the outer bins are unbounded.

    :param histogram: The histogram.
    :param boundaries: Strictly increasing, one fewer than the bins.
    """
    total = np.array([float(histogram.samples)])
    below = counts_below(histogram, np.array(boundaries, dtype=np.float64))
    value, low, high = (
        np.concatenate([[0.0], cumulative, total]) for cumulative in (below.value, below.low, below.high)
    )
    return Bounded(np.diff(value), np.maximum(low[1:] - high[:-1], 0.0), high[1:] - low[:-1])


def counts_below(histogram: NumericHistogram, edges: Floats) -> Bounded:
    """
    Return the number of values below each edge.

    Values are assumed to be evenly distributed inside a bin, and at their mean in the first and the last bin.

    :param histogram: The histogram.
    :param edges: The edges.
    """
    if not histogram.samples:
        return Bounded.exactly(np.zeros(len(edges)))
    own_edges = np.array(histogram.bins.edges)
    counts = np.array(histogram.counts, dtype=np.float64)
    indices = np.minimum(own_edges.searchsorted(edges), len(own_edges) - 1)
    if np.array_equal(own_edges[indices], edges):
        return Bounded.exactly(np.cumsum(counts)[indices])
    low, high = _surrounding(own_edges, counts, edges)
    inside = np.interp(edges, own_edges, np.cumsum(counts)[:-1])
    below, above = (
        _tail(distance, count, histogram.samples * _mean(total, histogram.samples), reach)
        for distance, count, total, reach in (
            (own_edges[0] - edges, counts[0], histogram.below_sum, _reach(own_edges[0], histogram.least)),
            (
                edges - own_edges[-1],
                counts[-1],
                histogram.above_sum,
                _reach(own_edges[-1], histogram.greatest),
            ),
        )
    )
    first, last = edges < own_edges[0], edges > own_edges[-1]
    low = np.select([first, last], [below.low, counts.sum() - above.high], low)
    high = np.select([first, last], [below.high, counts.sum() - above.low], high)
    value = np.select([first, last], [below.value, counts.sum() - above.value], inside)
    # In a bin that consists of a few of the smallest floats, the interpolation overflows.
    return Bounded(np.clip(value, low, high), low, high)


def _surrounding(own_edges: Floats, counts: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """
    Return bounds of the counts below each of the edges.

    They are the counts below the nearest edge of the histogram at or below it, and at or above it.
    """
    cumulative = np.concatenate([[0.0], np.cumsum(counts)])
    return cumulative[np.searchsorted(own_edges, edges, "right")], cumulative[
        np.searchsorted(own_edges, edges) + 1
    ]


def _reach(edge: float, farthest: float | None) -> float:
    return math.inf if farthest is None else abs(farthest - edge)


def _tail(distance: Floats, count: float, total: float, reach: float) -> Bounded:
    """
    Return the number of values in a tail whose distance from the outer edge is greater than ``distance``.

    ``total`` is the sum of the distances of all ``count`` values, ``reach`` their maximum (infinite if it is
    unknown). The estimate assumes that all values are at their mean. The upper bound follows from Markov's
    inequality, and 0 beyond ``reach``. The lower bound assumes that the values beyond ``distance`` are all
    at ``reach``, and the others at ``distance``.
    """
    distance = np.maximum(distance, np.nextafter(0.0, 1.0))
    with np.errstate(over="ignore", invalid="ignore"):
        most = np.where(distance > reach, 0.0, np.minimum(count, total / distance))
        beyond = total * (1 - _ROUNDING) - count * distance * (1 + _ROUNDING)
        least = np.clip(beyond / (reach * (1 + _ROUNDING) - distance), 0.0, most)
        bounded = (distance < reach) & (beyond > 0) & math.isfinite(total) & math.isfinite(reach)
        return Bounded(np.where(total > distance * count, count, 0.0), np.where(bounded, least, 0.0), most)


def _beyond(mean: float, share: float, moved: float) -> Bounded:
    """Return the integral of a tail whose edge is moved outwards (lower bound: Jensen's inequality)."""
    remaining = max(0.0, mean - share * moved)
    return Bounded(np.array(remaining), np.array(remaining), np.array(mean if moved else remaining))


def _mean(total: float | Fraction, samples: int) -> float:
    try:
        return min(float(Fraction(total) / samples), _GREATEST)
    except OverflowError:
        return _GREATEST
