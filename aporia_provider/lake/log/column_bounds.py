"""
Bounds of a column in a Delta log, and the values that they stand for.

Writers round bounds: timestamps to milliseconds, decimals to doubles, and decimals that do not fit into 64
bits to the greatest or least integer that does. Strings are cut in a way that keeps their order.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_DIGITS = 76
_EXACT = 10**15
"""Every decimal of fewer digits is written and read as a double without a change."""
_ROUNDED = 50
"""Bits of a double that a writer and a reader leave as they are, if each rounds once or twice."""
_SATURATED = (2**63 - 1, 2**63, -(2**63))
_CUT = 1_000
_SHORT = 32
"""Writers cut strings of this many characters, or of more."""
_CLOSE = 1e-15


def least(bounds: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lower bounds that no value is below, of the lower bounds of files in a log; null if there is none."""
    return _widened(bounds, -1)


def greatest(bounds: pa.ChunkedArray) -> pa.ChunkedArray:
    """Upper bounds that no value is above, of the upper bounds of files in a log; null if there is none."""
    return _widened(bounds, 1)


def seem_equal(low: pa.ChunkedArray, high: pa.ChunkedArray) -> pa.ChunkedArray:
    """
    Whether a reader may take the bounds of a file for its only value, and that is not certain to be right.

    Bounds of integers, booleans and dates are values, and no reader takes those of times for values. Doubles
    count as equal if they are so close that a reader which rounds them may find them equal.

    :param low: Lower bound of each file.
    :param high: Upper bound of each file.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    type_ = low.type
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        long = pc.greater_equal(pc.utf8_length(low), _SHORT)
        return pc.fill_null(pc.and_(pc.equal(low, high), long), False)
    if pa.types.is_floating(type_):
        return pc.fill_null(_close(low.cast(pa.float64()), high.cast(pa.float64())), False)
    if pa.types.is_decimal(type_):
        # This reader makes nothing of bounds such as 1e-7; another one may.
        return pc.fill_null(_close(low.cast(pa.float64()), high.cast(pa.float64())), True)
    return pa.chunked_array([pa.repeat(pa.scalar(False), len(low))])


def _close(low: pa.ChunkedArray, high: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    size = pc.max_element_wise(pc.abs(low), pc.abs(high))
    return pc.or_(pc.equal(low, high), pc.less_equal(pc.subtract(high, low), pc.multiply(size, _CLOSE)))


def _widened(bounds: pa.ChunkedArray, direction: int) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_decimal(bounds.type):
        return _mapped(bounds, lambda value: _wider(value, bounds.type.scale, direction))
    if pa.types.is_timestamp(bounds.type) and direction > 0:
        micros = bounds.cast(pa.timestamp("us", bounds.type.tz)).cast(pa.int64())
        whole = pc.equal(pc.multiply(pc.divide(micros, _CUT), _CUT), micros)
        last = pc.if_else(whole, pc.add(micros, _CUT - 1), micros)
        return last.cast(pa.timestamp("us", bounds.type.tz))
    return bounds


def _mapped(bounds: pa.ChunkedArray, function: Callable[[Decimal], Decimal | None]) -> pa.ChunkedArray:
    import pyarrow as pa

    type_ = pa.decimal256(_DIGITS, bounds.type.scale)
    with localcontext(Context(prec=2 * _DIGITS)):
        values = [None if value is None else function(value) for value in bounds.to_pylist()]
    return pa.chunked_array([pa.array(values, type_)])


def _wider(value: Decimal, scale: int, direction: int) -> Decimal | None:
    """A bound moved by what a double may be away from it, in the unit of the last digit."""
    if int(value) in _SATURATED:
        return None
    unscaled = int(value.scaleb(scale))
    moved = 0 if abs(unscaled) < _EXACT else (abs(unscaled) >> _ROUNDED) + 1
    return Decimal(unscaled + direction * moved).scaleb(-scale)
