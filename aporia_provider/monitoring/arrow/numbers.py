"""Numbers of every physical type as doubles."""

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
    Convert an array to doubles, so that equal numbers become equal doubles whatever their physical type.

    A double is itself, a float of 16 or 32 bits the double nearest to its shortest decimal (see
    :func:`~aporia_provider.monitoring.arrow.floats.shortest_doubles`), a decimal or an integer the nearest
    double. A boolean is 0 or 1, a date or a time its microseconds since 1970, UTC.

    :param array: Numbers, booleans, dates or times, as :func:`~aporia_provider.monitoring.arrow.types.plain`
        returns them. Nulls become NaN.
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
    Convert the values of an array that are not null to doubles, see :func:`doubles`.

    :param array: Numbers, booleans, dates or times.
    :return: The doubles, and how many values are null.
    """
    return doubles(array.drop_null() if array.null_count else array), array.null_count
