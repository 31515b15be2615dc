"""Sums of floats without rounding."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_FRACTION = 52  # Bits of a float below those of its exponent.
_LONGEST = 1 << (64 - _FRACTION - 1)  # So many significands fit 64 bits together.
_UNIT = 1074  # Every float is a multiple of 2**-1074.


def exact_sum(values: Floats) -> Fraction:
    """
    Sum finite floats exactly, so that the order and the grouping do not matter.

    :param values: Any number of finite values.
    """
    ordered = np.sort(values)
    negative, rest = ordered.searchsorted(0.0, "left"), ordered.searchsorted(0.0, "right")
    return ordered_sum(ordered[rest:]) - ordered_sum(-ordered[:negative][::-1])


def ordered_sum(*parts: Floats) -> Fraction:
    """
    Sum finite floats exactly that are in order, in less time.

    :param parts: Values that are not below zero, those of each part in ascending order.
    """
    total = sum(map(_in_units, parts))
    zeros = min((total & -total).bit_length() - 1, _UNIT) if total else _UNIT
    return Fraction(total >> zeros, 1 << (_UNIT - zeros))


def _in_units(magnitudes: Floats) -> int:
    """
    Sum in units.

    Values of one exponent are neighbours, and as integers their bits differ from their significands by a
    constant. Sums of 64-bit integers leave out multiples of 2**64, and so many significands have none.
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
    # Where there is nothing to sum, numpy has the next value instead.
    sums = np.where(counts, np.add.reduceat(bits, starts), 0)
    significands = sums - counts * (shifts << _FRACTION)
    return sum(map(int.__lshift__, significands.tolist(), shifts.tolist()))
