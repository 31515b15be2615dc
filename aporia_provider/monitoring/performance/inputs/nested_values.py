"""Flattening of arrays, dicts and vectors in Arrow arrays to entries with row numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds
from numpy.typing import NDArray

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.arrow import is_dict, is_list, plain
from aporia_provider.monitoring.performance.inputs.column_values import Numbers, classes, given_rows

__all__ = ["Elements", "Named", "elements", "is_dict", "is_list", "named"]


@dataclass(frozen=True)
class Elements:
    """
    Elements of the arrays of all rows, in order.

    :param rows: Row of each element.
    :param values: The elements, an Arrow array.
    :param given: For each row, False if it is null.
    """

    rows: NDArray[np.int64]
    values: Any
    given: NDArray[np.bool_]


@dataclass(frozen=True)
class Named:
    """
    Entries of the dicts of all rows, in order.

    :param rows: Row of each entry.
    :param codes: Index of each entry's name in ``names``.
    :param names: The distinct names.
    :param values: Values of the entries.
    :param given: For each row, False if it is null.
    """

    rows: NDArray[np.int64]
    codes: NDArray[np.int64]
    names: list[str]
    values: Numbers
    given: NDArray[np.bool_]


def elements(array: Any) -> Elements:
    """
    Return the elements of arrays.

    :raises aporia_provider.errors.ValidationError: if the type is not an array.
    """
    array = plain(array)
    if kinds.is_null(array.type):
        array = array.cast(pa.list_(pa.null()))
    if not is_list(array.type):
        raise ValidationError(f"The column must contain arrays, not {array.type}")
    rows = pc.list_parent_indices(array).to_numpy(zero_copy_only=False).astype(np.int64)
    return Elements(rows, plain(pc.list_flatten(array)), given_rows(array))


def named(array: Any, read: Callable[[Any], Numbers]) -> Named:
    """
    Return the entries of dicts.

    :param array: Maps or structs.
    :param read: Function that converts the values.
    """
    array = plain(array)
    return _of_structs(array, read) if kinds.is_struct(array.type) else _of_maps(array, read)


def _of_maps(array: Any, read: Callable[[Any], Numbers]) -> Named:
    not_null = given_rows(array)
    offsets = array.offsets.to_numpy()
    start, stop = int(offsets[0]), int(offsets[-1])
    rows = np.repeat(np.arange(len(array)), np.diff(offsets))
    keys, values = classes(array.keys[start:stop]), read(array.items[start:stop])
    # A null row may have arbitrary entries.
    usable = not_null[rows] & keys.usable
    values = Numbers(values.values[usable], values.given[usable])
    return Named(rows[usable], keys.codes[usable], keys.names, values, not_null)


def _of_structs(array: Any, read: Callable[[Any], Numbers]) -> Named:
    not_null = given_rows(array)
    names = [field.name for field in array.type]
    columns = [read(plain(column).filter(pa.array(not_null))) for column in array.flatten()]
    count = int(not_null.sum())
    values = np.array([column.values for column in columns]).reshape(len(names), count).T.ravel()
    present = np.array([column.given for column in columns], dtype=np.bool_).reshape(len(names), count)
    rows = np.repeat(np.flatnonzero(not_null), len(names))
    return Named(
        rows, np.tile(np.arange(len(names)), count), names, Numbers(values, present.T.ravel()), not_null
    )
