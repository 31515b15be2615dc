"""Flattening of lists, maps and structs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from aporia_provider.monitoring.arrow.numbers import doubles
from aporia_provider.monitoring.arrow.texts import as_texts
from aporia_provider.monitoring.arrow.types import is_list, plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Doubles = NDArray[np.float64]


def items(array: pa.Array) -> tuple[pa.Array, NDArray[np.int64]]:
    """
    Return the innermost values of lists.

    :param array: Lists, or lists of lists. A null counts as an empty list.
    :return: The values of all lists, and the number of values in each list.
    """
    # Arrow cannot cast the values of list views, so the lists are flattened before the values are converted.
    lengths, values = _lengths(array), plain(pc.list_flatten(array))
    if not is_list(values.type):
        return values, lengths
    inner, counts = items(values)
    return inner, np.diff(_bounds(counts)[_bounds(lengths)])


def vectors(array: pa.Array, dimensions: Sequence[int] = ()) -> tuple[Doubles, NDArray[np.int64]]:
    """
    Return the innermost numbers of lists, or of lists of lists, and how many of them each row has.

    :param array: The lists, none of them null.
    :param dimensions: Required length of the lists on each level of nesting. A row with other lengths counts
        as an empty list. Not checked unless ``array`` has nested lists with this number of levels.
    :return: The numbers of all rows, with NaN for nulls, and the count of the numbers in each row.
    """
    values, lengths = items(array)
    numbers = doubles(values)
    if 1 < _depth(array.type) == len(dimensions):
        shaped = _shaped(array, dimensions)
        numbers, lengths = numbers[np.repeat(shaped, lengths)], np.where(shaped, lengths, 0)
    return numbers, lengths


def _shaped(array: pa.Array, dimensions: Sequence[int]) -> NDArray[np.bool_]:
    lengths = _lengths(array)
    shaped: NDArray[np.bool_] = lengths == dimensions[0]
    if len(dimensions) > 1:
        wrong = _bounds(~_shaped(pc.list_flatten(array), dimensions[1:]))
        shaped &= np.diff(wrong[_bounds(lengths)]) == 0
    return shaped


def _lengths(array: pa.Array) -> NDArray[np.int64]:
    lengths: NDArray[np.int64] = pc.list_value_length(array).fill_null(0).cast(pa.int64()).to_numpy()
    return lengths


def _bounds(counts: NDArray[Any]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)])


def _depth(type_: Any) -> int:
    return 1 + _depth(type_.value_type) if is_list(type_) else 0


def entries(array: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    """
    Yield each key of maps or structs with its values, at most one for each row.

    A null field of a struct is not an entry; a null value of a map is. If a map contains a key twice, the
    last value is used.

    :param array: Maps or structs, none of them null.
    """
    if kinds.is_map(array.type):
        yield from _entries_of_maps(array)
        return
    for position in range(array.type.num_fields):
        present = pc.struct_field(array, [position]).drop_null()
        if len(present):
            yield array.type.field(position).name, present


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
    for code, name in enumerate(keys.dictionary.to_pylist()):
        yield name, values[bounds[code] : bounds[code + 1]]
