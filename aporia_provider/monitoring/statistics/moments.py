"""Variances and sums of squares, computed from numeric states."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.states.number_state import NumericState

# The squared distances from the mean are at least those from the centre of the bins, divided by two to this
# power. If they are less, rounding errors dominate the variance, since squares are rounded to 53 bits.
_LEAST_PART_BITS = 40


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
    if state.finite - less < 1:
        return None
    deviations = _Deviations.of(state, bins)
    return Fraction(deviations.from_mean, deviations.divisor * (state.finite - less))


class _Deviations(NamedTuple):
    """
    Sums of squared distances as integers, since arithmetic of fractions takes several times as long.

    The integers are not divided by their common factors.

    :param from_mean: Sum of squared distances from the mean, times the divisor.
    :param from_centre: Sum of squared distances from the centre of the bins, times the divisor.
    :param divisor: A positive integer.
    """

    from_mean: int
    from_centre: int
    divisor: int

    @classmethod
    def of(cls, state: NumericState, bins: NumericBins | None) -> _Deviations:
        """Return the sums for a state of at least one value."""
        n, (total, total_divisor), (squares, squared_divisor) = (
            state.finite,
            state.total_ratio,
            state.ratio("squares"),
        )
        centre, centre_divisor = bins.centre.as_integer_ratio() if bins else (0, 1)
        unit, unit_divisor = bins.unit.as_integer_ratio() if bins else (1, 1)
        shifted = total * centre_divisor - n * centre * total_divisor
        shifted_divisor = n * (total_divisor * centre_divisor) ** 2
        squares_divisor = squared_divisor * unit_divisor**2
        from_centre = squares * unit**2 * shifted_divisor
        from_mean = max(0, from_centre - shifted * shifted * squares_divisor)
        return cls(from_mean, from_centre, squares_divisor * shifted_divisor)

    @property
    def are_rounding_errors(self) -> bool:
        """Whether rounding errors dominate the sum of squared distances from the mean."""
        return self.from_mean << _LEAST_PART_BITS < self.from_centre


def accurate_variance(state: NumericState, bins: NumericBins | None, *, less: int = 0) -> Fraction | None:
    """
    Return the variance of the values if the deviation is accurate to at least three digits.

    It is not if a squared distance from the centre overflows, or the values are so much closer to each other
    than to the centre that rounding errors dominate. For the parameters see :func:`variance`.

    :return: None if there are too few values, or the deviation is not accurate.
    """
    ratio = accurate_variance_ratio(state, bins, less=less)
    return None if ratio is None else Fraction(*ratio)


def accurate_variance_ratio(
    state: NumericState, bins: NumericBins | None, *, less: int = 0
) -> tuple[int, int] | None:
    """
    Return numerator and denominator of the variance, not in lowest terms; see :func:`accurate_variance`.
    """
    if state.finite - less < 1:
        return None
    deviations = _Deviations.of(state, bins)
    if state.least != state.greatest and (is_cut(state, bins) or deviations.are_rounding_errors):
        return None
    return deviations.from_mean, deviations.divisor * (state.finite - less)


def known_deviation(state: NumericState, bins: NumericBins | None) -> float | None:
    """
    Return the population standard deviation, if it is accurate to at least three digits.

    :param state: State of the values.
    :param bins: Bins of the state.
    :return: None if there are no values or the deviation is not accurate, see :func:`accurate_variance`.
    """
    if accurate_variance(state, bins) is None:
        return None
    return 0.0 if state.least == state.greatest else standard_deviation(state, bins)


def is_cut(state: NumericState, bins: NumericBins | None) -> bool:
    """Return whether a squared value overflowed and was replaced by the largest float."""
    centre, unit = (bins.centre, bins.unit) if bins else (0.0, 1.0)
    # The squares of the minimum and the maximum are the greatest, computed here as in the state.
    return _is_square_cut(state.least, centre, unit) or _is_square_cut(state.greatest, centre, unit)


def _is_square_cut(end: float | None, centre: float, unit: float) -> bool:
    if end is None:
        return False
    distance = (end - centre) / unit
    return math.isinf(distance * distance)


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
