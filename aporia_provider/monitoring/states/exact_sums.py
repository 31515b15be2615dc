"""Exact sums of floats."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FRACTION = 52  # Number of fraction bits of a float.
_LONGEST = 1 << (64 - _FRACTION - 1)  # Number of significands whose sum fits into 64 bits.
_UNIT = 1074  # Every float is a multiple of 2**-1074.


def exact_sum(values: Floats) -> Fraction:
    """
    Return the exact sum of finite floats, which is independent of order and grouping.

    :param values: Finite values.
    """
    ordered = np.sort(values)
    negative, positive = ordered.searchsorted(0.0, "left"), ordered.searchsorted(0.0, "right")
    return ordered_sum(ordered[positive:]) - ordered_sum(-ordered[:negative][::-1])


def ordered_sum(*parts: Floats) -> Fraction:
    """
    Return the exact sum of finite floats in ascending order, which takes less time.

    :param parts: Arrays of values that are not negative, each in ascending order.
    """
    return fraction_of_units(sum(map(_in_units, parts)))


def fraction_of_units(total: int) -> Fraction:
    """
    Return a sum of floats.

    :param total: The sum in units of 2**-1074.
    """
    zeros = min((total & -total).bit_length() - 1, _UNIT) if total else _UNIT
    return Fraction(total >> zeros, 1 << (_UNIT - zeros))


def _in_units(magnitudes: Floats) -> int:
    """
    Return the sum in units of 2**-1074.

    Values with the same exponent are adjacent, and their bits as integers differ from their significands by a
    constant. The sum of the significands fits into 64 bits, so overflow of the sum of the integers cancels.
    """
    if not len(magnitudes):
        return 0
    bits = magnitudes.view(np.uint64)
    first, last = int(bits[0]) >> _FRACTION, int(bits[-1]) >> _FRACTION
    exponents = np.arange(first + 1, last + 1, dtype=np.uint64) << _FRACTION
    starts = np.concatenate([np.arange(0, len(bits), _LONGEST), bits.searchsorted(exponents)])
    starts.sort()
    counts = np.append(starts[1:], len(bits)).astype(np.uint64) - starts.astype(np.uint64)
    shifts = np.maximum(bits[starts] >> _FRACTION, 1) - 1
    # For an empty slice, reduceat returns the element at its start instead of 0.
    sums = np.where(counts, np.add.reduceat(bits, starts), 0)
    significands = sums - counts * (shifts << _FRACTION)
    return sum(map(int.__lshift__, significands.tolist(), shifts.tolist()))
