"""Quantiles of numbers that were counted in bins."""

from __future__ import annotations

import math

from aporia_provider.monitoring.answers import Answer, undefined
from aporia_provider.monitoring.grid import NumericGrid
from aporia_provider.monitoring.numbers import NumericState


def quantile(state: NumericState, grid: NumericGrid | None, share: float) -> Answer:
    """
    A quantile, by linear interpolation inside of a bin; exact at both ends.

    :param state: State of the values.
    :param grid: The grid of the state, if it has one.
    :param share: From 0 to 1.
    """
    if not state.finite or state.least is None or state.greatest is None:
        return undefined("there are no values")
    if share in (0, 1):
        return Answer(state.greatest if share else state.least, samples=state.finite)
    if grid is None:
        return undefined("the field has no bins yet", state.finite)
    low, high, inside = _bin_at(state, grid, share)
    if math.isinf(high - low):
        return undefined("the bin of the quantile is wider than the largest float", state.finite)
    value = low + (high - low) * inside
    return Answer(value, samples=state.finite, bound=max(value - low, high - value))


def _bin_at(state: NumericState, grid: NumericGrid, share: float) -> tuple[float, float, float]:
    """Ends of the bin that holds a quantile, and how far inside it is."""
    assert state.least is not None  # noqa: S101
    assert state.greatest is not None  # noqa: S101
    ends = [state.least, *grid.edges, state.greatest]
    wanted, passed = share * state.finite, 0
    for place, count in enumerate(state.counts):
        if count and passed + count >= wanted:
            low, high = max(ends[place], state.least), min(ends[place + 1], state.greatest)
            return low, max(low, high), (wanted - passed) / count
        passed += count
    return state.greatest, state.greatest, 0.0
