"""Floats of 16 and 32 bits as the doubles nearest to their shortest decimals."""

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

_AT_ONCE = 1 << 14  # Slices of this length stay in the processor's cache.
_MOST_PLACES = 12  # The product of a float and 10**12 needs 24 + 28 bits, so a double holds it.
_MOST_ZEROS = 7  # Up to here the rounding of a quotient cannot move it to or beyond a half.
_FORMATS: dict[str, tuple[type[Any], int, int]] = {
    "float16": (np.uint16, 10, 15),
    "float32": (np.uint32, 23, 127),
}
"""Unsigned integer of the same size, bits of the fraction, bias of the exponent (IEEE 754)."""


def shortest_doubles(values: NDArray[Any]) -> Doubles:
    """
    Convert floats to the doubles nearest to their shortest decimals, as ``float(str(value))`` does.

    The 32-bit 0.1 is 0.100000001490116119384765625. The shortest decimal that rounds to it is 0.1, so the
    result is the double 0.1.

    Decimals with ``n`` places are the multiples of ``10**-n``. If these are further apart than the floats,
    then at most one of them rounds to a float, and decimals with fewer places are among them. So the
    candidates are the nearest multiple for the greatest such ``n``, and if that is another float, the nearest
    one with one place more. Products are exact, and the one division that follows rounds correctly.

    :param values: Floats of 16, 32 or 64 bits. Doubles are returned as they are.
    """
    if values.dtype == np.float64:
        return values
    found = np.empty(len(values), dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, len(values), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            _convert(values[part], found[part])
    return found


def _convert(values: NDArray[Any], found: Doubles) -> None:
    (_, few), (_, more), *others = _CANDIDATES[values.dtype.name]
    wide, exponents = values.astype(np.float64), _exponents(values)
    found[:] = _to_places(wide, few.take(exponents, mode="clip"))
    wrong = found.astype(values.dtype) != values
    if not wrong.any():
        return
    np.copyto(found, _to_places(wide, more.take(exponents, mode="clip")), where=wrong)
    left = np.flatnonzero((found.astype(values.dtype) != values) & ~np.isnan(values))
    for rounding, scales in others:
        candidates = rounding(wide[left], scales[exponents[left]])
        found[left] = candidates
        left = left[candidates.astype(values.dtype) != values[left]]
    if len(left):
        found[left] = _read(values[left])


def _exponents(values: NDArray[Any]) -> NDArray[np.intp]:
    """The exponents as they are stored."""
    unsigned, fraction, bias = _FORMATS[values.dtype.name]
    stored: NDArray[Any] = values.view(unsigned) >> unsigned(fraction) & unsigned(2 * bias + 1)
    return stored.astype(np.intp)


def _read(values: NDArray[Any]) -> Doubles:
    numbers: Doubles = pa.array(values.astype(str)).cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _to_places(numbers: Doubles, powers: Doubles) -> Doubles:
    """The nearest multiples of ``1 / power``."""
    multiples: Doubles = np.rint(numbers * powers) / powers
    return multiples


def _to_zeros(numbers: Doubles, powers: Doubles) -> Doubles:
    """The nearest multiples of a power."""
    multiples: Doubles = np.rint(numbers / powers) * powers
    return multiples


def _candidates(fraction: int, bias: int) -> list[tuple[Rounding, Doubles]]:
    """How to round, and powers of ten by the exponent as it is stored; NaN where they are no use."""
    places = [_places(max(stored, 1) - bias - fraction) for stored in range(2 * bias + 1)]
    few = _powers([n - 1 if 0 < n <= _MOST_PLACES else None for n in places])
    more = _powers([n if 0 < n <= _MOST_PLACES else None for n in places])
    many = _powers([1 - n if -_MOST_ZEROS < n <= 0 else None for n in places])
    fewer = _powers([-n if -_MOST_ZEROS < n <= 0 else None for n in places])
    # Zeros and infinities are multiples of any power.
    few[[0, -1]] = np.nan_to_num(few[[0, -1]], nan=1)
    return [(_to_places, few), (_to_places, more), (_to_zeros, many), (_to_zeros, fewer)]


def _places(exponent: int) -> int:
    """The least ``n`` for which ``10**-n`` is at most ``2**exponent``."""
    gap = Fraction(2) ** exponent
    return next(n for n in range(-50, 50) if Fraction(10) ** -n <= gap)


def _powers(exponents: list[int | None]) -> Doubles:
    # The last is that of infinities and NaN.
    return np.array([np.nan if n is None else 10.0**n for n in [*exponents, None]])


_CANDIDATES = {name: _candidates(fraction, bias) for name, (_, fraction, bias) in _FORMATS.items()}
