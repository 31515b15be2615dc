"""Arrow arrays as texts that can be counted, and dicts as values by the texts that are their keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

_UTC = pa.timestamp("us", "UTC")
_WHOLE = 2.0**63  # Smaller whole numbers are 64-bit integers.


def text_counts(array: pa.Array) -> dict[str, int]:
    """How often each text occurs; numbers and booleans count by what they look like. Nulls do not count."""
    counted = pc.value_counts(array.drop_null() if array.null_count else array)
    texts = as_texts(counted.field("values")).to_pylist()
    numbers = counted.field("counts").to_pylist()
    counts: dict[str, int] = dict(zip(texts, numbers, strict=True))
    if len(counts) < len(texts):
        # Values that differ may look alike, such as 0.0 and -0.0.
        counts = dict.fromkeys(texts, 0)
        for text, number in zip(texts, numbers, strict=True):
            counts[text] += number
    return counts


def as_texts(array: pa.Array) -> pa.Array:
    """
    Values as text: ``true`` for a boolean, ``3`` for 3 and for 3.0: a number's type is no matter.

    :param array: Values, none of them null.
    """
    if kinds.is_floating(array.type):
        return _texts_of_floats(array)
    if kinds.is_decimal(array.type):
        return pa.array([f"{number.normalize() + 0:f}" for number in array.to_pylist()], pa.string())
    if kinds.is_timestamp(array.type):
        # Without a zone it is UTC.
        array = array.cast(pa.timestamp("us", array.type.tz), safe=False).cast(pa.int64()).cast(_UTC)
    return array.cast(pa.string())


def doubles(array: pa.Array) -> pa.Array:
    """
    Floats as the doubles that look like them: 0.1 for the 32-bit 0.1, which is 0.10000000149011612.

    :param array: Floats of any width, none of them null.
    """
    if kinds.is_float64(array.type):
        return array
    # As text they have the fewest digits that tell them from their neighbours; of half ones Arrow writes all.
    half = kinds.is_float16(array.type)
    texts = pa.array(array.to_numpy(zero_copy_only=False).astype(str)) if half else array.cast(pa.string())
    return texts.cast(pa.float64())


def _texts_of_floats(array: pa.Array) -> pa.Array:
    floats = doubles(array)
    numbers = floats.to_numpy()
    whole = (np.abs(numbers) < _WHOLE) & (numbers == np.trunc(numbers))
    integers = np.where(whole, numbers, 0).astype(np.int64)
    return pc.if_else(pa.array(whole), pa.array(integers).cast(pa.string()), floats.cast(pa.string()))


def entries(array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """
    Values by key of an array of maps or structs, none of them null, at most one for each row and key.

    A null field of a struct is no entry; a null value of a map is. Of a key that is twice in a map the last
    one counts.
    """
    if kinds.is_map(array.type):
        yield from _entries_of_maps(array)
        return
    for place in range(array.type.num_fields):
        present = pc.struct_field(array, [place]).drop_null()
        if len(present):
            yield array.type.field(place).name, present


def _entries_of_maps(array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    offsets = array.offsets.to_numpy()
    start, end = int(offsets[0]), int(offsets[-1])
    keys = as_texts(array.keys[start:end]).dictionary_encode()
    codes, rows = keys.indices.to_numpy(), np.repeat(np.arange(len(array)), np.diff(offsets))
    order = np.argsort(codes, kind="stable")
    codes, rows = codes[order], rows[order]
    last = np.append((codes[1:] != codes[:-1]) | (rows[1:] != rows[:-1]), True)[: len(codes)]
    values = array.items[start:end].take(pa.array(order[last]))
    bounds: list[Any] = np.searchsorted(codes[last], np.arange(len(keys.dictionary) + 1)).tolist()
    for place, name in enumerate(keys.dictionary.to_pylist()):
        yield name, values[bounds[place] : bounds[place + 1]]
