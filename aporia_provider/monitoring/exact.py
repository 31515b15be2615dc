"""Sums of floats without rounding."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MANTISSA = 52
_CHUNK = 1 << 14  # Slices of this length stay in the processor's cache.
_BITS = _MANTISSA - 1 - (_CHUNK - 1).bit_length()
_UNIT = 1074  # Every float is a multiple of 2**-1074.
_NOTHING = Fraction()
_FEW = 32  # So few values are summed one by one in less time.


def exact_sum(values: NDArray[np.float64]) -> Fraction:
    """
    Sum finite floats exactly, so that the order and the grouping do not matter.

    The values are cut into slices that are multiples of a power of two and short enough for their float sum
    to be exact (Rump, Ogita and Oishi, *Accurate floating-point summation*, SIAM J. Sci. Comput. 31, 2008).

    :param values: Any number of finite values.
    """
    if not len(values):
        return _NOTHING
    total = sum(_sum_of_chunk(values[start : start + _CHUNK]) for start in range(0, len(values), _CHUNK))
    zeros = min((total & -total).bit_length() - 1, _UNIT) if total else _UNIT
    return Fraction(total >> zeros, 1 << (_UNIT - zeros))


def _sum_of_chunk(rest: NDArray[np.float64]) -> int:
    """Sum in units."""
    if len(rest) <= _FEW:
        return sum(map(_in_units, rest.tolist()))
    total = 0
    while greatest := max(float(rest.max()), -float(rest.min())):
        exponent = math.frexp(greatest)[1]
        if exponent > 1023 - _MANTISSA + _BITS - 1:
            # Nothing can be added to the greatest floats there are without an overflow.
            return sum(map(_in_units, rest.tolist()), total)
        anchor = math.ldexp(1.5, exponent + _MANTISSA - _BITS)
        slices = rest + anchor
        slices -= anchor
        total += _in_units(float(slices.sum()))
        rest = rest - slices
    return total


def _in_units(value: float) -> int:
    numerator, denominator = value.as_integer_ratio()
    return numerator << (_UNIT + 1 - denominator.bit_length())
