"""Compact forms of numbers that MessagePack can hold."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

_SMALLEST, _LARGEST = -(1 << 63), (1 << 64) - 1
_WIDTHS = (1, 2, 4)
_MOST_DIFFERENCE = 1 << 62

PackedInteger = int | bytes
PackedIntegers = tuple[int, int, bytes | list[PackedInteger]]


def pack_integer(number: int) -> PackedInteger:
    """Return an integer of any size: unchanged, or as signed little-endian bytes if it exceeds 64 bits."""
    return number if _SMALLEST <= number <= _LARGEST else _signed_bytes(number)


def unpack_integer(packed: PackedInteger) -> int:
    """Return the integer from the result of :func:`pack_integer`."""
    return packed if isinstance(packed, int) else int.from_bytes(packed, "little", signed=True)


def pack_fraction(number: Fraction) -> tuple[PackedInteger, PackedInteger]:
    """
    Return a fraction as its denominator and its numerator.

    The denominator of a sum of floats is a power of two, whose negative exponent is stored.
    """
    denominator = number.denominator
    exponent = denominator.bit_length() - 1
    is_power = denominator == 1 << exponent
    return -exponent if is_power else pack_integer(denominator), pack_integer(number.numerator)


def unpack_fraction(packed: Sequence[PackedInteger]) -> Fraction:
    """Return the fraction from the result of :func:`pack_fraction`."""
    return Fraction(*unpack_ratio(packed))


def unpack_ratio(packed: Sequence[PackedInteger]) -> tuple[int, int]:
    """Return numerator and denominator from the result of :func:`pack_fraction`."""
    denominator, numerator = unpack_integer(packed[0]), unpack_integer(packed[1])
    return numerator, 1 << -denominator if denominator <= 0 else denominator


def pack_fractions(numbers: Sequence[Fraction]) -> list[Any]:
    """Return fractions in order, see :func:`pack_fraction`."""
    return list(map(pack_fraction, numbers))


def unpack_fractions(packed: Sequence[Any]) -> tuple[Fraction, ...]:
    """Return the fractions from the result of :func:`pack_fractions`."""
    return tuple(map(unpack_fraction, packed))


def pack_integers(numbers: Sequence[int]) -> PackedIntegers:
    """
    Return integers as differences from their median.

    :return: The width of a difference in bytes, the median, and the differences. They are mapped to unsigned
        integers, the smallest magnitudes first, whose first bytes precede all second bytes, and so on: so
        that a compressor finds equal bytes side by side. For integers whose differences may exceed 63 bits,
        the width is 0, and the third item is a list of the integers.
    """
    if not numbers:
        return 1, 0, b""
    try:
        array = np.array(numbers, dtype=np.int64)
    except OverflowError:
        return _each(numbers)
    median = int(np.partition(array, len(array) // 2)[len(array) // 2])
    if max(median - int(array.min()), int(array.max()) - median) >= _MOST_DIFFERENCE:
        return _each(numbers)
    differences = array - median
    mapped = (differences << 1) ^ (differences >> 63)
    greatest = int(mapped.max())
    width = next((width for width in _WIDTHS if greatest < 1 << (8 * width)), 8)
    planes = mapped.astype(f"<u{width}").view(np.uint8).reshape(-1, width).T
    return width, median, planes.tobytes()


def unpack_integers(packed: PackedIntegers) -> tuple[int, ...]:
    """Return the integers from the result of :func:`pack_integers`."""
    width, median, content = packed
    if not isinstance(content, bytes):
        return tuple(map(unpack_integer, content))
    planes = np.frombuffer(content, dtype=np.uint8).reshape(width, -1)
    mapped = np.ascontiguousarray(planes.T).view(f"<u{width}").ravel().astype(np.int64)
    return tuple((((mapped >> 1) ^ -(mapped & 1)) + median).tolist())


def pack_hashes(hashes: Sequence[int]) -> bytes:
    """Return 64-bit integers as little-endian bytes, without a change that would hide equal integers."""
    return np.array(hashes, dtype="<i8").tobytes()


def unpack_hashes(packed: bytes) -> tuple[int, ...]:
    """Return the integers from the result of :func:`pack_hashes`."""
    return tuple(np.frombuffer(packed, dtype="<i8").tolist())


def _each(numbers: Sequence[int]) -> PackedIntegers:
    return 0, 0, [pack_integer(number) for number in numbers]


def _signed_bytes(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
