"""Conversion of columns according to the type of their field."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from aporia_provider.monitoring.arrow.times import times_of_texts
from aporia_provider.monitoring.arrow.types import is_text

_NUMBERS = pa.list_(pa.float64())
_OF_NULLS = {
    "text": pa.string(),
    "array": pa.list_(pa.string()),
    "vector": _NUMBERS,
    "tensor": _NUMBERS,
    "dict": pa.map_(pa.string(), pa.float64()),
}
"""Physical type, by field type, that a column of only nulls is converted to. Default: boolean."""


def readable(array: pa.Array, type_: str) -> pa.Array:
    """
    Convert a column to a physical type from which values of a field type are read.

    For a boolean field, integers become booleans, and null if they are neither 0 nor 1. For a datetime field,
    text becomes microseconds. For a categorical field, NaN becomes null. All other columns are returned
    unchanged.

    :param array: Values of the column, see :func:`~aporia_provider.monitoring.arrow.types.plain`.
    :param type_: Type of the field, see :data:`~aporia_provider.schema.FIELD_TYPES`.
    """
    if kinds.is_null(array.type):
        return array.cast(_OF_NULLS.get(type_, pa.bool_()))
    if type_ == "boolean" and kinds.is_integer(array.type):
        is_bit = pc.or_(pc.equal(array, 0), pc.equal(array, 1))
        return pc.if_else(is_bit, array, None).cast(pa.bool_())
    if type_ == "datetime" and is_text(array.type):
        return times_of_texts(array)
    if type_ in ("categorical", "string") and kinds.is_floating(array.type):
        return _without_nan(array)
    return array


def _without_nan(array: pa.Array) -> pa.Array:
    nan = pc.is_nan(array)
    return pc.if_else(nan, pa.scalar(None, array.type), array) if pc.any(nan).as_py() else array
