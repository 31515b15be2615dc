"""Quantiles of numbers that were counted in bins."""

from __future__ import annotations

import math
from typing import NamedTuple

from aporia_provider.monitoring.grids.grid import NumericGrid
from aporia_provider.monitoring.result import Answer, undefined
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.statistics.rounding_bounds import rounding_of


def quantile(state: NumericState, grid: NumericGrid | None, share: float) -> Answer:
    """
    A quantile as numpy defines it by default: with ``n`` values, of which ``x[0]`` is the least, it lies at
    ``(n - 1) * share`` on the straight lines from each ``x[i]`` to ``x[i + 1]``.

    The least and the greatest value are known, and so is every value whose bin has room for one value only.
    The others are taken to be spread evenly in their bins; the bound covers wherever in them they can be, and
    how far integers beyond 2**53 can be from the doubles that they were counted as.

    :param state: State of the values.
    :param grid: The grid of the state, if it has one.
    :param share: From 0 to 1.
    """
    if not state.finite or state.least is None or state.greatest is None:
        return undefined("there are no values")
    grid = grid if state.counts else None
    place = (state.finite - 1) * share
    before = math.floor(place)
    after = min(before + 1, state.finite - 1)
    if grid is None and not {before, after if place > before else before} <= {0, state.finite - 1}:
        return undefined("the field has no bins yet", state.finite)
    one = _ordered(state, grid, before)
    other = _ordered(state, grid, after) if place > before else one
    found = _between(one, other, place - before) if place > before else one
    if math.isinf(found.high - found.low):
        return undefined("the bin of the quantile is wider than the largest float", state.finite)
    rounding = 4 * rounding_of(max(one.size, other.size)) if place > before else rounding_of(one.size)
    return Answer(found.value, samples=state.finite, bound=found.bound + rounding)


class _Estimate(NamedTuple):
    """A number, the least and the greatest that it can be."""

    value: float
    low: float
    high: float

    @property
    def size(self) -> float:
        """The greatest magnitude that it can have."""
        return max(abs(self.low), abs(self.high))

    @property
    def bound(self) -> float:
        if self.low == self.high:
            return 0.0
        # The ends were rounded as the value was.
        rounding = 2 * math.ulp(self.size)
        return max(self.value - self.low, self.high - self.value) + rounding


def _ordered(state: NumericState, grid: NumericGrid | None, place: int) -> _Estimate:
    """The value that has so many others before it."""
    assert state.least is not None  # noqa: S101
    assert state.greatest is not None  # noqa: S101
    if grid is None or place in (0, state.finite - 1):
        known = state.greatest if place else state.least
        return _Estimate(known, known, known)
    ends = [state.least, *grid.edges, math.nextafter(state.greatest, math.inf)]
    passed = 0
    for number, count in enumerate(state.counts):
        if place < passed + count:
            # The upper end does not belong to the bin.
            low, high = max(ends[number], state.least), math.nextafter(ends[number + 1], -math.inf)
            high = max(low, min(high, state.greatest))
            return _Estimate(_on_line(low, high, (place - passed + 0.5) / count), low, high)
        passed += count
    raise ValueError(f"The bins hold {passed} values, so none has {place} before it")


def _between(one: _Estimate, other: _Estimate, part: float) -> _Estimate:
    return _Estimate(*(_on_line(a, b, part) for a, b in zip(one, other, strict=True)))


def _on_line(low: float, high: float, part: float) -> float:
    """Some part of the way from one number to another, rounded as numpy rounds it."""
    way = high - low
    if math.isinf(way):
        return low * (1 - part) + high * part
    return low + way * part if part < 0.5 else high - way * (1 - part)
