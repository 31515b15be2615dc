"""
Bounds of statistics of integers and decimals that no double holds.

They are counted as the doubles nearest to them. Up to 2**53 all integers are doubles, and the error of a
decimal is below what is told; beyond it, doubles have gaps of more than one.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from aporia_provider.monitoring.grids.grid import NumericGrid
from aporia_provider.monitoring.result import Answer
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.statistics.moments import (
    squared_deviations,
    squared_distances,
    squared_sum,
    standard_deviation,
)

Bound = Callable[[NumericState, NumericGrid | None], float]

_WHOLE = 2.0**53
_GREATEST = 1e76  # No decimal has more digits.
_LARGEST = sys.float_info.max
_SHARE = Fraction(1, 2**53)  # The greatest error of a double in terms of its size.
_OF_SQUARES = 4 * _SHARE
"""The greatest error of a squared distance: the distance, the square and the sum are rounded."""


def rounding_of(size: float) -> float:
    """
    How far a value can be from the double that it was counted as.

    :param size: The double, or a greater one.
    """
    return math.ulp(size) / 2 if _WHOLE <= abs(size) <= _GREATEST else 0.0


def rounded(found: Answer, state: NumericState, grid: NumericGrid | None, bound: Bound) -> Answer:
    """
    An answer whose bound allows for values that no double holds, and for an answer that none holds.

    :param found: The answer.
    :param state: The state that it was computed from.
    :param grid: The grid of the state.
    :param bound: How far the exact answer can be from this one if there is such a number.
    """
    number = found.shown if found.value is None else found.value
    size = _size(state)
    if number is None or size > _GREATEST or not rounding_of(max(size, abs(number))):
        return found
    return replace(found, bound=found.bound + bound(state, grid))


def _size(state: NumericState) -> float:
    """The greatest magnitude of a value."""
    return max((abs(end) for end in (state.least, state.greatest) if end is not None), default=0.0)


def of_least(state: NumericState, _: NumericGrid | None) -> float:
    """The bound of the least value."""
    return rounding_of(state.least or 0.0)


def of_greatest(state: NumericState, _: NumericGrid | None) -> float:
    """The bound of the greatest value."""
    return rounding_of(state.greatest or 0.0)


def of_sum(state: NumericState, _: NumericGrid | None) -> float:
    """The bound of the sum."""
    # The sum is rounded as each of the values is.
    return _number((state.positive_sum - state.negative_sum) * 2 * _SHARE)


def of_mean(state: NumericState, grid: NumericGrid | None) -> float:
    """The bound of the mean."""
    return of_sum(state, grid) / state.finite


def of_squared_sum(state: NumericState, grid: NumericGrid | None) -> float:
    """The bound of the sum of squares."""
    return _number((squared_sum(state, grid) + squared_distances(state, grid)) * _OF_SQUARES)


def of_squared_deviations(state: NumericState, grid: NumericGrid | None) -> float:
    """
    The bound of the sum of squared deviations.

    Its root is the length of a vector, each of whose components may be wrong by the greatest error.
    """
    squares = _number(squared_distances(state, grid) * _OF_SQUARES)
    length = math.sqrt(_number(squared_deviations(state, grid) or Fraction(0)) + squares)
    error = rounding_of(_size(state)) * math.sqrt(state.finite)
    return min(2 * length * error + error**2 + squares, _LARGEST)


def of_variance(state: NumericState, grid: NumericGrid | None) -> float:
    """The bound of the variance that divides by one less than the number of values."""
    return of_squared_deviations(state, grid) / (state.finite - 1)


def of_deviation(state: NumericState, grid: NumericGrid | None) -> float:
    """The bound of the population standard deviation."""
    error = _number(squared_distances(state, grid) * _OF_SQUARES / state.finite)
    deviation = standard_deviation(state, grid)
    of_root = min(math.sqrt(error), error / deviation) if deviation else math.sqrt(error)
    return rounding_of(_size(state)) + of_root


def _number(bound: Fraction) -> float:
    return float(min(bound, Fraction(_LARGEST)))
