"""Conversion of numbers of every physical type to doubles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.types as kinds

from aporia_provider.monitoring.arrow.decimals import doubles_of_decimals
from aporia_provider.monitoring.arrow.floats import shortest_doubles
from aporia_provider.monitoring.arrow.times import as_microseconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]


def doubles(array: pa.Array) -> Doubles:
    """
    Convert an array to doubles, such that equal numbers of different physical types become equal doubles.

    Doubles are unchanged. Floats of 16 or 32 bits become the double nearest to their shortest decimal (see
    :func:`~aporia_provider.monitoring.arrow.floats.shortest_doubles`), decimals and integers the nearest
    double, booleans 0 or 1, and dates and timestamps microseconds since 1970, UTC.

    :param array: Numbers, booleans, dates or timestamps, see
        :func:`~aporia_provider.monitoring.arrow.types.plain`. Nulls become NaN.
    """
    if kinds.is_floating(array.type):
        return shortest_doubles(array.to_numpy(zero_copy_only=False))
    if kinds.is_decimal(array.type):
        return doubles_of_decimals(array)
    if kinds.is_date(array.type) or kinds.is_timestamp(array.type):
        array = as_microseconds(array)
    elif kinds.is_boolean(array.type):
        array = array.cast(pa.uint8())
    numbers: Doubles = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def as_floats(array: pa.Array) -> tuple[Doubles, int]:
    """
    Convert the non-null values of an array to doubles, see :func:`doubles`.

    :param array: Numbers, booleans, dates or timestamps.
    :return: The doubles, and the number of nulls.
    """
    return doubles(array.drop_null() if array.null_count else array), array.null_count
