"""Shifts of numeric values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from aporia_provider.monitoring.states.number_state import NumericState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aporia_provider.monitoring.bins.field_bins import NumericBins

    Floats = NDArray[np.float64]


def shifted(state: NumericState, bins: NumericBins | None, distance: float) -> NumericState:
    """
    Return the state of values that are greater by a distance.

    Minimum, maximum, sum and sum of squares are exact. Within each bin, the values are assumed to be
    uniformly distributed, so the number of values below an edge is wrong by at most the number of values in
    the bin in which the edge lies after it was shifted back. In the two outer bins, the range of the values
    is chosen such that its middle is their mean. The number of zeros is not known: it is 0.

    :param state: State of the values.
    :param bins: Its bins, if there are any.
    :param distance: The distance, finite.
    """
    if not distance or not state.finite or state.least is None or state.greatest is None:
        return state
    values, step = _Distribution.of(state, bins), Fraction(distance)
    total = state.total + step * state.finite
    negative = _negative_part(state, values, distance, total)
    return replace(
        state,
        zeros=0,
        least=state.least + distance,
        greatest=state.greatest + distance,
        negative_sum=negative,
        positive_sum=total - negative,
        squares=_squares(state, bins, step),
        **({} if bins is None else _binned(values, np.asarray(bins.edges), distance)),
    )


@dataclass(frozen=True)
class _Distribution:
    """
    Numbers of values below points, with uniform distributions between them.

    :param points: The points, strictly increasing.
    :param below: Number of values below each; for the last point, the number of all values.
    """

    points: Floats
    below: Floats

    @classmethod
    def of(cls, state: NumericState, bins: NumericBins | None) -> _Distribution:
        assert state.least is not None  # noqa: S101
        assert state.greatest is not None  # noqa: S101
        least, end = state.least, math.nextafter(state.greatest, math.inf)
        edges = np.asarray(bins.edges if bins is not None and state.counts else (), np.float64)
        inside = (edges > least) & (edges <= state.greatest)
        sums = np.cumsum(np.asarray(state.counts, np.float64))[: len(edges)]
        points, below = [least, *edges[inside], end], [0.0, *sums[inside], float(state.finite)]
        if len(edges):
            for low, high, before, after in _outer_bins(state, edges, end):
                points += [low, high]
                below += [before, after]
        order = np.lexsort((below, points))
        ordered = np.asarray(points, np.float64)[order]
        # Of equal points, the last one has all values below it.
        is_last = np.diff(ordered, append=np.inf) > 0
        return cls(ordered[is_last], np.asarray(below, np.float64)[order][is_last])

    def at(self, points: Floats) -> Floats:
        """Return the number of values below points."""
        return np.interp(points, self.points, self.below)

    def area(self, end: float) -> float:
        """Return the integral of the number of values below, up to a point: the sum of their distances."""
        inside = self.points[self.points < end]
        points = np.append(inside, end)
        return float(np.trapezoid(self.at(points), points)) if len(inside) else 0.0


def _outer_bins(
    state: NumericState, edges: Floats, end: float
) -> Iterator[tuple[float, float, float, float]]:
    """
    Yield the ranges of the values in the two outer bins, and the numbers of values below their ends.

    The middle of a range is the mean of the values.
    """
    assert state.least is not None  # noqa: S101
    first, last = state.counts[0], state.counts[-1]
    if first:
        top = min(float(edges[0]), end)
        yield *_centred_range(state.least, top, float(edges[0] - state.below / first)), 0.0, float(first)
    if last:
        bottom, mean = max(float(edges[-1]), state.least), float(edges[-1] + state.above / last)
        yield *_centred_range(bottom, end, mean), float(state.finite - last), float(state.finite)


def _centred_range(low: float, high: float, middle: float) -> tuple[float, float]:
    """Return the longest range with a middle that is within another."""
    half = max(min(middle - low, high - middle), 0.0)
    middle = min(max(middle, low), high)
    return middle - half, max(middle + half, math.nextafter(middle, math.inf))


def _negative_part(state: NumericState, values: _Distribution, distance: float, total: Fraction) -> Fraction:
    """Return the sum of the values that are negative afterwards."""
    assert state.least is not None  # noqa: S101
    assert state.greatest is not None  # noqa: S101
    if state.least + distance >= 0:
        return Fraction(0)
    if state.greatest + distance <= 0:
        return total
    return min(Fraction(-values.area(-distance)), total, Fraction(0))


def _squares(state: NumericState, bins: NumericBins | None, step: Fraction) -> Fraction:
    centre, unit = (Fraction(bins.centre), Fraction(bins.unit)) if bins else (Fraction(0), Fraction(1))
    from_centre = state.total - centre * state.finite
    return state.squares + (2 * step * from_centre + step**2 * state.finite) / unit**2


def _binned(values: _Distribution, edges: Floats, distance: float) -> dict[str, Any]:
    every = values.below[-1]
    below = np.rint(values.at(edges - distance)).astype(np.int64)
    counts = np.diff(below, prepend=0, append=int(every))
    first, last = float(edges[0]) - distance, float(edges[-1]) - distance
    end = max(float(values.points[-1]), last)
    beyond = every * (end - last) - (values.area(end) - values.area(last))
    return {
        "counts": tuple(counts.tolist()),
        "below": Fraction(values.area(first)),
        "above": Fraction(max(beyond, 0.0)),
    }
