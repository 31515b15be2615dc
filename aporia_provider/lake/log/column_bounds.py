"""
Bounds of the values of a column, corrected for the rounding of the bounds in a Delta log.

Writers round bounds: timestamps to milliseconds, decimals to doubles, and decimals that do not fit into 64
bits to the largest or smallest integer that does. Strings are truncated so that their order is preserved.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_DECIMAL_DIGITS = 76
_EXACT_BELOW = 10**15
"""Decimals of fewer digits are converted to double and back without loss."""
_UNCHANGED_BITS = 50
"""Bits of a double that are unchanged after a writer and a reader round once or twice each."""
_INT64_LIMITS = (2**63 - 1, 2**63, -(2**63))
_TRUNCATED_MICROSECONDS = 1_000
_TRUNCATED_LENGTH = 32
"""Number of characters from which on writers truncate strings."""
_TOLERANCE = 1e-15


def lower_bounds(bounds: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return valid lower bounds of all values from the lower bounds in a log; null if unknown."""
    return _widened(bounds, -1)


def upper_bounds(bounds: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return valid upper bounds of all values from the upper bounds in a log; null if unknown."""
    return _widened(bounds, 1)


def seem_equal(low: pa.ChunkedArray, high: pa.ChunkedArray) -> pa.ChunkedArray:
    """
    Return whether a reader may treat the bounds of a file as its only value although it may have others.

    Bounds of integers, booleans and dates are exact, and no reader treats bounds of timestamps as values.
    Doubles are treated as equal if a reader that rounds them may find them equal.

    :param low: Lower bound of each file.
    :param high: Upper bound of each file.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    type_ = low.type
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        is_long = pc.greater_equal(pc.utf8_length(low), _TRUNCATED_LENGTH)
        return pc.fill_null(pc.and_(pc.equal(low, high), is_long), False)
    if pa.types.is_floating(type_):
        return pc.fill_null(_are_close(low.cast(pa.float64()), high.cast(pa.float64())), False)
    if pa.types.is_decimal(type_):
        # deltalake returns null for bounds such as 1e-7; another reader may not.
        return pc.fill_null(_are_close(low.cast(pa.float64()), high.cast(pa.float64())), True)
    return pa.chunked_array([pa.repeat(pa.scalar(False), len(low))])


def _are_close(low: pa.ChunkedArray, high: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    magnitude = pc.max_element_wise(pc.abs(low), pc.abs(high))
    return pc.or_(
        pc.equal(low, high), pc.less_equal(pc.subtract(high, low), pc.multiply(magnitude, _TOLERANCE))
    )


def _widened(bounds: pa.ChunkedArray, direction: int) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_decimal(bounds.type):
        return _map_decimals(bounds, lambda value: _widened_decimal(value, bounds.type.scale, direction))
    if pa.types.is_timestamp(bounds.type) and direction > 0:
        micros = bounds.cast(pa.timestamp("us", bounds.type.tz)).cast(pa.int64())
        may_be_truncated = pc.equal(
            pc.multiply(pc.divide(micros, _TRUNCATED_MICROSECONDS), _TRUNCATED_MICROSECONDS), micros
        )
        upper = pc.if_else(may_be_truncated, pc.add(micros, _TRUNCATED_MICROSECONDS - 1), micros)
        return upper.cast(pa.timestamp("us", bounds.type.tz))
    return bounds


def _map_decimals(bounds: pa.ChunkedArray, function: Callable[[Decimal], Decimal | None]) -> pa.ChunkedArray:
    import pyarrow as pa

    type_ = pa.decimal256(_DECIMAL_DIGITS, bounds.type.scale)
    with localcontext(Context(prec=2 * _DECIMAL_DIGITS)):
        values = [None if value is None else function(value) for value in bounds.to_pylist()]
    return pa.chunked_array([pa.array(values, type_)])


def _widened_decimal(value: Decimal, scale: int, direction: int) -> Decimal | None:
    """Move a bound by the maximum rounding error of a double. Bounds with few digits are exact."""
    if int(value) in _INT64_LIMITS:
        return None
    unscaled = int(value.scaleb(scale))
    margin = 0 if abs(unscaled) < _EXACT_BELOW else (abs(unscaled) >> _UNCHANGED_BITS) + 1
    return Decimal(unscaled + direction * margin).scaleb(-scale)
