"""Exact conversion of decimals to doubles and to text."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

_WHOLE = 2**53  # Doubles represent all integers up to this magnitude exactly.
_POWER = 22  # Doubles represent all powers of ten up to this exponent exactly.
_SHORT = (2, 6, 10)
_MOST_ZEROS = 19  # Exponent of the greatest power of ten that fits into 64 bits.
_HIGH = 2**40
_LEAST = Decimal("1e-6")
_GREATEST = Decimal("1e76")


def doubles_of_decimals(array: pa.Array) -> Doubles:
    """
    Return the doubles nearest to decimals; NaN for nulls.

    Arrow's cast multiplies by a rounded power of ten, and converts 19.99 to 19.990000000000002. The quotient
    of two integers that doubles represent exactly is rounded correctly (IEEE 754). Decimals that are not such
    a quotient are converted through text.

    :param array: Decimals of 128 or 256 bits.
    """
    words, places = _words(array), array.type.scale
    numbers, remaining = _quotients(words, places)
    if array.null_count:
        numbers[array.is_null().to_numpy(zero_copy_only=False)] = np.nan
        remaining = remaining[~np.isnan(numbers[remaining])]
    for fewer in _SHORT if words.shape[1] == 2 else ():
        if len(remaining) and 0 < places - fewer <= _MOST_ZEROS:
            quotients, exact = _shortened(words[remaining], places - fewer)
            numbers[remaining] = quotients / 10.0**fewer
            remaining = remaining[~exact]
    if len(remaining):
        numbers[remaining] = array.take(pa.array(remaining)).cast(pa.string()).cast(pa.float64()).to_numpy()
    return numbers


def _words(array: pa.Array) -> NDArray[np.int64]:
    """Return the stored unscaled integers as 64-bit words, the least significant first."""
    count = array.type.byte_width // 8
    stored = np.frombuffer(array.buffers()[1] or b"", dtype="<i8")
    return stored.reshape(-1, count)[array.offset : array.offset + len(array)]


def _quotients(words: NDArray[np.int64], places: int) -> tuple[Doubles, NDArray[np.intp]]:
    """Return the integers divided by ``10**places``, and the rows whose quotient may be rounded wrongly."""
    low, power = words[:, 0], 10.0 ** min(abs(places), _POWER)
    good = (low <= _WHOLE) & (low >= -_WHOLE) & (abs(places) <= _POWER)
    good &= (words[:, 1:] == (low >> 63)[:, None]).all(axis=1)
    numbers: Doubles = np.divide(low, power) if places >= 0 else np.multiply(low, power)
    return numbers, np.flatnonzero(~good)


def _shortened(words: NDArray[np.int64], zeros: int) -> tuple[Doubles, NDArray[np.bool_]]:
    """
    Return 128-bit integers divided by ``10**zeros``, and which quotients are exact.

    The product of the rounded quotient and the power differs from the integer by less than 2**64, so the two
    are equal if their lowest 64 bits are equal.
    """
    low, high = words[:, 0].astype(np.uint64), words[:, 1]
    rough = np.rint((high * 2.0**64 + low) / 10.0**zeros)
    exact = (np.abs(high) < _HIGH) & (np.abs(rough) <= _WHOLE)
    product = np.where(exact, rough, 0).astype(np.int64).astype(np.uint64) * np.uint64(10**zeros)
    return rough, exact & (product == low)


def text_of_decimal(number: Decimal) -> str:
    """
    Return a number as text with all its digits and no trailing zeros, such as ``3`` for 3.00.

    Numbers below 0.000001 or from 10**76 on in magnitude are written with an exponent, such as ``1e-7``. The
    current decimal context is not used, so no digits are lost.

    :param number: A finite number.
    """
    if not number:
        return "0"
    if _LEAST <= abs(number) < _GREATEST:
        text = f"{number:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    digits, _, exponent = f"{number:e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}e{exponent}"
