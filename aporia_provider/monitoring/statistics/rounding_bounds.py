"""
Bounds for the rounding of integers and decimals to doubles.

States contain the doubles nearest to the values. Up to 2**53, all integers are exact, and the error of
decimals is below the precision of the results; beyond it, the spacing of doubles is greater than one.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from fractions import Fraction

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.result import widened
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.statistics.moments import (
    squared_deviations,
    squared_distances,
    squared_sum,
    standard_deviation,
)

Bound = Callable[[NumericState, NumericBins | None], float]

_WHOLE = 2.0**53
_GREATEST = 1e76  # No decimal has more digits.
_LARGEST = sys.float_info.max
_SHARE = Fraction(1, 2**53)  # Maximum relative rounding error of a double.
_OF_SQUARES = 4 * _SHARE
"""Maximum relative error of a squared distance: distance, square and sum are rounded."""


def rounding_of(size: float) -> float:
    """
    Return the maximum difference between a value and the double in the state.

    :param size: The double, or a greater one.
    """
    return math.ulp(size) / 2 if _WHOLE <= abs(size) <= _GREATEST else 0.0


def rounded(
    result: MetricResult, state: NumericState, bins: NumericBins | None, bound: Bound
) -> MetricResult:
    """
    Add to the bound of a result the errors from rounding the values and the result to doubles.

    :param result: The result.
    :param state: State from which it was computed.
    :param bins: Bins of the state.
    :param bound: Function that returns the maximum sum of these errors.
    """
    number = result.number
    size = _size(state)
    if number is None or size > _GREATEST or not rounding_of(max(size, abs(number))):
        return result
    return widened(result, bound(state, bins))


def _size(state: NumericState) -> float:
    """Return the maximum magnitude of the values."""
    # Both are known, or neither is.
    return 0.0 if state.least is None else max(abs(state.least), abs(state.greatest or 0.0))


def of_least(state: NumericState, _: NumericBins | None) -> float:
    """Return the bound of the minimum."""
    return rounding_of(state.least or 0.0)


def of_greatest(state: NumericState, _: NumericBins | None) -> float:
    """Return the bound of the maximum."""
    return rounding_of(state.greatest or 0.0)


def of_sum(state: NumericState, _: NumericBins | None) -> float:
    """Return the bound of the sum."""
    # Both the values and the sum are rounded.
    return _number((state.positive_sum - state.negative_sum) * 2 * _SHARE)


def of_mean(state: NumericState, bins: NumericBins | None) -> float:
    """Return the bound of the mean."""
    return of_sum(state, bins) / state.finite


def of_squared_sum(state: NumericState, bins: NumericBins | None) -> float:
    """Return the bound of the sum of squares."""
    return _number((squared_sum(state, bins) + squared_distances(state, bins)) * _OF_SQUARES)


def of_squared_deviations(state: NumericState, bins: NumericBins | None) -> float:
    """
    Return the bound of the sum of squared deviations.

    The square root of the sum is a vector length; each component has at most the maximum rounding error.
    """
    squares = _number(squared_distances(state, bins) * _OF_SQUARES)
    length = math.sqrt(_number(squared_deviations(state, bins) or Fraction(0)) + squares)
    error = rounding_of(_size(state)) * math.sqrt(state.finite)
    return min(2 * length * error + error**2 + squares, _LARGEST)


def of_variance(state: NumericState, bins: NumericBins | None) -> float:
    """Return the bound of the sample variance, whose divisor is the number of values minus one."""
    return of_squared_deviations(state, bins) / (state.finite - 1)


def of_deviation(state: NumericState, bins: NumericBins | None) -> float:
    """Return the bound of the population standard deviation."""
    error = _number(squared_distances(state, bins) * _OF_SQUARES / state.finite)
    deviation = standard_deviation(state, bins)
    of_root = min(math.sqrt(error), error / deviation) if deviation else math.sqrt(error)
    return rounding_of(_size(state)) + of_root


def _number(bound: Fraction) -> float:
    return float(min(bound, Fraction(_LARGEST)))
