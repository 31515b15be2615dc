"""Variances and sums of squares from the state of numbers."""

from __future__ import annotations

import math
from fractions import Fraction

from aporia_provider.monitoring.grids.grid import NumericGrid
from aporia_provider.monitoring.states.number_state import NumericState

# Of the squares that a variance is computed from; they are rounded at the 53rd bit.
_LEAST_PART = Fraction(1, 2**40)


def variance(state: NumericState, grid: NumericGrid | None, *, less: int = 0) -> Fraction | None:
    """
    Variance of the values.

    :param state: Their state.
    :param grid: The grid of the state, which knows the centre that its squares were taken from. Where no
        float holds one of them, the variance is too small.
    :param less: 0 divides by the number of values, 1 by one less (the protocol's ``variance``).
    :return: None if there are too few values.
    """
    n = state.finite
    if n - less < 1:
        return None
    shifted = state.total - n * Fraction(grid.centre if grid else 0)
    return max(Fraction(0), squared_distances(state, grid) - shifted * shifted / n) / (n - less)


def known_deviation(state: NumericState, grid: NumericGrid | None) -> float | None:
    """
    Population standard deviation of the values, where the state tells it to three digits or more.

    :param state: Their state.
    :param grid: The grid of the state.
    :return: None if there are no values, or the state does not tell: some are so far from the grid's centre
        that no float holds the square, or all are so much farther from it than from one another that nothing
        but rounding errors of the squares is left.
    """
    found = variance(state, grid)
    if found is None or state.least == state.greatest:
        return None if found is None else 0.0
    if is_cut(state, grid) or found * state.finite < _LEAST_PART * squared_distances(state, grid):
        return None
    return standard_deviation(state, grid)


def is_cut(state: NumericState, grid: NumericGrid | None) -> bool:
    """Whether the state holds a square that no float can hold as the largest float."""
    centre, unit = (grid.centre, grid.unit) if grid else (0.0, 1.0)
    # None is greater than those of the least and the greatest value, computed as the state computes them.
    ends = [(end - centre) / unit for end in (state.least, state.greatest) if end is not None]
    return any(math.isinf(end * end) for end in ends)


def squared_distances(state: NumericState, grid: NumericGrid | None) -> Fraction:
    """Sum of squared distances from the centre of the grid, in the unit of the field."""
    return state.squares * Fraction(grid.unit if grid else 1) ** 2


def squared_sum(state: NumericState, grid: NumericGrid | None) -> Fraction:
    """Sum of the squared values."""
    centre = Fraction(grid.centre if grid else 0)
    # The squares are rounded, and so the sum of squares of zeros could be a little below zero.
    found = squared_distances(state, grid) + 2 * centre * state.total - state.finite * centre * centre
    return max(Fraction(0), found)


def squared_deviations(state: NumericState, grid: NumericGrid | None) -> Fraction | None:
    """Sum of squared distances from the mean; None if there are no values."""
    found = variance(state, grid)
    return None if found is None else found * state.finite


def standard_deviation(state: NumericState, grid: NumericGrid | None) -> float | None:
    """Population standard deviation; None if there are no values."""
    found = variance(state, grid)
    unit = Fraction(grid.unit if grid else 1)
    return None if found is None else math.sqrt(found / unit**2) * float(unit)
