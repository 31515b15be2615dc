"""Decimals as doubles and as texts, without an error in between."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]

_WHOLE = 2**53  # Doubles hold all integers up to this size,
_POWER = 22  # and all powers of ten up to this one.
_SHORT = (2, 6, 10)
_MOST_ZEROS = 19  # 10**19 is less than 2**64.
_HIGH = 2**40
_LEAST = Decimal("1e-6")
_GREATEST = Decimal("1e76")


def doubles_of_decimals(array: pa.Array) -> Doubles:
    """
    Convert decimals to the nearest doubles; nulls to NaN.

    Arrow's cast is not used: it multiplies by a rounded power of ten, and gives 19.990000000000002 for 19.99.
    A quotient of two integers that doubles hold exactly is rounded correctly (IEEE 754). Decimals that are no
    such quotient are converted as text.

    :param array: Decimals of 128 or 256 bits.
    """
    words, places = _words(array), array.type.scale
    numbers, left = _quotients(words, places)
    if array.null_count:
        numbers[array.is_null().to_numpy(zero_copy_only=False)] = np.nan
        left = left[~np.isnan(numbers[left])]
    for fewer in _SHORT if words.shape[1] == 2 else ():
        if len(left) and 0 < places - fewer <= _MOST_ZEROS:
            found, exact = _shortened(words[left], places - fewer)
            numbers[left] = found / 10.0**fewer
            left = left[~exact]
    if len(left):
        numbers[left] = array.take(pa.array(left)).cast(pa.string()).cast(pa.float64()).to_numpy()
    return numbers


def _words(array: pa.Array) -> NDArray[np.int64]:
    """The unscaled integers as they are stored, in words of 64 bits, the lowest first."""
    count = array.type.byte_width // 8
    stored = np.frombuffer(array.buffers()[1] or b"", dtype="<i8")
    return stored.reshape(-1, count)[array.offset : array.offset + len(array)]


def _quotients(words: NDArray[np.int64], places: int) -> tuple[Doubles, NDArray[np.intp]]:
    """The integers divided by a power of ten, and the rows where the quotient may be wrong."""
    low, power = words[:, 0], 10.0 ** min(abs(places), _POWER)
    good = (low <= _WHOLE) & (low >= -_WHOLE) & (abs(places) <= _POWER)
    good &= (words[:, 1:] == (low >> 63)[:, None]).all(axis=1)
    numbers: Doubles = np.divide(low, power) if places >= 0 else np.multiply(low, power)
    return numbers, np.flatnonzero(~good)


def _shortened(words: NDArray[np.int64], zeros: int) -> tuple[Doubles, NDArray[np.bool_]]:
    """
    Integers of 128 bits without zeros at their end, and which of them have as many.

    The product of a rough quotient and the power differs from the integer by less than 2**64, so it is the
    integer if the lowest 64 bits are the same.
    """
    low, high = words[:, 0].astype(np.uint64), words[:, 1]
    rough = np.rint((high * 2.0**64 + low) / 10.0**zeros)
    exact = (np.abs(high) < _HIGH) & (np.abs(rough) <= _WHOLE)
    product = np.where(exact, rough, 0).astype(np.int64).astype(np.uint64) * np.uint64(10**zeros)
    return rough, exact & (product == low)


def text_of_decimal(number: Decimal) -> str:
    """
    All digits of a number and no zeros after the last, such as ``3`` for 3.00.

    Numbers below 0.000001 or from 10**76 on in size are written with an exponent, such as ``1e-7``. No other
    rounding context than an exact one is involved, so numbers of any length keep their digits.

    :param number: A finite number.
    """
    if not number:
        return "0"
    if _LEAST <= abs(number) < _GREATEST:
        text = f"{number:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    digits, _, exponent = f"{number:e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}e{exponent}"
