"""Conversion of values of every physical type to the text of categories."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from aporia_provider.monitoring.arrow.decimals import text_of_decimal
from aporia_provider.monitoring.arrow.floats import shortest_doubles
from aporia_provider.monitoring.arrow.times import as_utc

_INTEGERS = 2.0**63  # Doubles with integral values below this magnitude fit into 64-bit integers.
_UNSIGNED = 2.0**64
_PLAIN = (1e-6, 1e10)  # Arrow writes doubles in this range without an exponent.


def text_counts(array: pa.Array) -> dict[str, int]:
    """
    Return the number of occurrences of each value, by the text of the value (see :func:`as_texts`).

    :param array: Values; nulls and NaN are not counted.
    """
    counted = pc.value_counts(array.drop_null() if array.null_count else array)
    if kinds.is_floating(array.type):
        counted = counted.filter(pc.invert(pc.is_nan(counted.field("values"))))
    texts = as_texts(counted.field("values")).to_pylist()
    numbers = counted.field("counts").to_pylist()
    counts: dict[str, int] = dict(zip(texts, numbers, strict=True))
    if len(counts) < len(texts):
        # Different values may have equal text, such as 0.0 and -0.0.
        counts = dict.fromkeys(texts, 0)
        for text, number in zip(texts, numbers, strict=True):
            counts[text] += number
    return counts


def as_texts(array: pa.Array) -> pa.Array:
    """
    Convert values to text, such that equal numbers of different physical types have equal text.

    Booleans become ``true`` or ``false``. Numbers from 0.000001 to 10**76 in magnitude are written without an
    exponent or superfluous zeros: 3.0, 3.00 and 3 become ``3``, the 32-bit 0.1 becomes ``0.1``. A double with
    the value of a 64-bit integer keeps all its digits; others have the digits of their shortest decimal.

    :param array: Values. Only integers and booleans may be null.
    """
    if kinds.is_floating(array.type):
        return _texts_of_doubles(shortest_doubles(array.to_numpy(zero_copy_only=False)))
    if kinds.is_decimal(array.type):
        return pa.array([text_of_decimal(number) for number in array.to_pylist()], pa.string())
    if kinds.is_timestamp(array.type):
        array = as_utc(array)
    return array.cast(pa.string())


def _texts_of_doubles(numbers: Any) -> pa.Array:
    size = np.abs(numbers)
    whole = (size < _INTEGERS) & (numbers == np.trunc(numbers))
    integers = pa.array(np.where(whole, numbers, 0).astype(np.int64)).cast(pa.string())
    texts = pc.if_else(pa.array(whole), integers, pa.array(numbers).cast(pa.string()))
    others = ~whole & np.isfinite(numbers) & ((size < _PLAIN[0]) | (size >= _PLAIN[1]))
    if not others.any():
        return texts
    return pc.replace_with_mask(texts, pa.array(others), pa.array(list(map(_text, numbers[others].tolist()))))


def _text(number: float) -> str:
    if abs(number) < _UNSIGNED and number.is_integer():
        return str(int(number))
    return text_of_decimal(Decimal(repr(number)))
