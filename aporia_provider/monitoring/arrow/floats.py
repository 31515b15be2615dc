"""Conversion of 16-bit and 32-bit floats to the doubles nearest to their shortest decimals."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]
    Rounding = Callable[[Doubles, Doubles], Doubles]

_AT_ONCE = 1 << 14  # Slices of this length fit into the processor's cache.
_MOST_PLACES = 12  # The product of a float and 10**12 has 24 + 28 bits, so a double represents it.
_MOST_ZEROS = 7  # Up to this exponent, the rounding error of a quotient does not change the nearest integer.
_FORMATS: dict[str, tuple[type[Any], int, int]] = {
    "float16": (np.uint16, 10, 15),
    "float32": (np.uint32, 23, 127),
}
"""Unsigned integer type of the same size, bits of the fraction, and bias of the exponent (IEEE 754)."""


def shortest_doubles(values: NDArray[Any]) -> Doubles:
    """
    Return the doubles nearest to the shortest decimals of floats, like ``float(str(value))``.

    The 32-bit 0.1 is 0.100000001490116119384765625. The shortest decimal that rounds to it is 0.1, so the
    result is the double 0.1.

    Decimals with ``n`` places are the multiples of ``10**-n``. If their spacing is greater than the spacing
    of the floats, at most one of them rounds to a given float, and decimals with fewer places are among
    them. So the candidates are the nearest multiple for the greatest such ``n`` and, if it rounds to another
    float, the nearest multiple with one more place. For positive ``n``, the product of a float and ``10**n``
    is exact, so only the division by ``10**n`` is rounded.

    :param values: Floats of 16, 32 or 64 bits. Doubles are returned unchanged.
    """
    if values.dtype == np.float64:
        return values
    converted = np.empty(len(values), dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, len(values), _AT_ONCE):
            chunk = slice(start, start + _AT_ONCE)
            _convert(values[chunk], converted[chunk])
    return converted


def _convert(values: NDArray[Any], converted: Doubles) -> None:
    (_, few_places), (_, more_places), *others = _CANDIDATES[values.dtype.name]
    wide, exponents = values.astype(np.float64), _exponents(values)
    converted[:] = _to_places(wide, few_places.take(exponents, mode="clip"))
    wrong = converted.astype(values.dtype) != values
    if not wrong.any():
        return
    np.copyto(converted, _to_places(wide, more_places.take(exponents, mode="clip")), where=wrong)
    unconverted = np.flatnonzero((converted.astype(values.dtype) != values) & ~np.isnan(values))
    for rounding, scales in others:
        candidates = rounding(wide[unconverted], scales[exponents[unconverted]])
        converted[unconverted] = candidates
        unconverted = unconverted[candidates.astype(values.dtype) != values[unconverted]]
    if len(unconverted):
        converted[unconverted] = _read(values[unconverted])


def _exponents(values: NDArray[Any]) -> NDArray[np.intp]:
    """Return the stored (biased) exponents."""
    unsigned, fraction, bias = _FORMATS[values.dtype.name]
    stored: NDArray[Any] = values.view(unsigned) >> unsigned(fraction) & unsigned(2 * bias + 1)
    return stored.astype(np.intp)


def _read(values: NDArray[Any]) -> Doubles:
    numbers: Doubles = pa.array(values.astype(str)).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _to_places(numbers: Doubles, powers: Doubles) -> Doubles:
    """Return the nearest multiples of ``1 / power``."""
    multiples: Doubles = np.rint(numbers * powers) / powers
    return multiples


def _to_zeros(numbers: Doubles, powers: Doubles) -> Doubles:
    """Return the nearest multiples of a power."""
    multiples: Doubles = np.rint(numbers / powers) * powers
    return multiples


def _candidates(fraction: int, bias: int) -> list[tuple[Rounding, Doubles]]:
    """
    Return rounding functions in the order in which they are tried, each with an array of powers of ten.

    The index of the array is the stored exponent. NaN means that the function does not apply to it.
    """
    places = [_places(max(stored, 1) - bias - fraction) for stored in range(2 * bias + 1)]
    few = _powers([n - 1 if 0 < n <= _MOST_PLACES else None for n in places])
    more = _powers([n if 0 < n <= _MOST_PLACES else None for n in places])
    many = _powers([1 - n if -_MOST_ZEROS < n <= 0 else None for n in places])
    fewer = _powers([-n if -_MOST_ZEROS < n <= 0 else None for n in places])
    # Zeros and infinities are multiples of every power of ten, so their missing powers are replaced by 1.
    few[[0, -1]] = np.nan_to_num(few[[0, -1]], nan=1)
    return [(_to_places, few), (_to_places, more), (_to_zeros, many), (_to_zeros, fewer)]


def _places(exponent: int) -> int:
    """Return the smallest ``n`` for which ``10**-n`` is at most ``2**exponent``."""
    gap = Fraction(2) ** exponent
    return next(n for n in range(-50, 50) if Fraction(10) ** -n <= gap)


def _powers(exponents: list[int | None]) -> Doubles:
    # The last element is for infinities and NaN.
    return np.array([np.nan if n is None else 10.0**n for n in [*exponents, None]])


_CANDIDATES = {name: _candidates(fraction, bias) for name, (_, fraction, bias) in _FORMATS.items()}
