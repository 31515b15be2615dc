"""Variances and sums of squares, computed from numeric states."""

from __future__ import annotations

import math
from fractions import Fraction

from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.states.number_state import NumericState

# Minimum ratio of the squared distances from the mean to those from the centre of the bins. If it is less,
# rounding errors dominate the variance, since squares are rounded to 53 bits.
_LEAST_PART = Fraction(1, 2**40)


def variance(state: NumericState, bins: NumericBins | None, *, less: int = 0) -> Fraction | None:
    """
    Return the variance of the values.

    :param state: State of the values.
    :param bins: Bins of the state, with the centre of its squares. If a square overflows, the variance is too
        small.
    :param less: Number by which the divisor is less than the number of values: 0, or 1 (the protocol's
        ``variance``).
    :return: None if there are too few values.
    """
    n = state.finite
    if n - less < 1:
        return None
    shifted = state.total - n * Fraction(bins.centre if bins else 0)
    return max(Fraction(0), squared_distances(state, bins) - shifted * shifted / n) / (n - less)


def known_deviation(state: NumericState, bins: NumericBins | None) -> float | None:
    """
    Return the population standard deviation, if it is accurate to at least three digits.

    :param state: State of the values.
    :param bins: Bins of the state.
    :return: None if there are no values or the deviation is not accurate: a squared distance from the centre
        overflows, or the values are so much closer to each other than to the centre that rounding errors
        dominate.
    """
    variance_ = variance(state, bins)
    if variance_ is None or state.least == state.greatest:
        return None if variance_ is None else 0.0
    if is_cut(state, bins) or variance_ * state.finite < _LEAST_PART * squared_distances(state, bins):
        return None
    return standard_deviation(state, bins)


def is_cut(state: NumericState, bins: NumericBins | None) -> bool:
    """Return whether a squared value overflowed and was replaced by the largest float."""
    centre, unit = (bins.centre, bins.unit) if bins else (0.0, 1.0)
    # The squares of the minimum and the maximum are the greatest, computed here as in the state.
    ends = [(end - centre) / unit for end in (state.least, state.greatest) if end is not None]
    return any(math.isinf(end * end) for end in ends)


def squared_distances(state: NumericState, bins: NumericBins | None) -> Fraction:
    """Return the sum of squared distances of values from the bins' centre, in squared units of the field."""
    return state.squares * Fraction(bins.unit if bins else 1) ** 2


def squared_sum(state: NumericState, bins: NumericBins | None) -> Fraction:
    """Return the sum of the squared values."""
    centre = Fraction(bins.centre if bins else 0)
    # Because of rounding of the squares, the result may be slightly negative.
    total = squared_distances(state, bins) + 2 * centre * state.total - state.finite * centre * centre
    return max(Fraction(0), total)


def squared_deviations(state: NumericState, bins: NumericBins | None) -> Fraction | None:
    """Return the sum of squared distances from the mean; None if there are no values."""
    variance_ = variance(state, bins)
    return None if variance_ is None else variance_ * state.finite


def standard_deviation(state: NumericState, bins: NumericBins | None) -> float | None:
    """Return the population standard deviation; None if there are no values."""
    variance_ = variance(state, bins)
    unit = Fraction(bins.unit if bins else 1)
    return None if variance_ is None else math.sqrt(variance_ / unit**2) * float(unit)
