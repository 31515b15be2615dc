"""Conversion of the values of a field to states."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aporia_provider.monitoring.arrow import as_floats, entries, items, readable, text_counts, vectors
from aporia_provider.monitoring.grids.grid import CategoryGrid, NumericGrid
from aporia_provider.monitoring.profiles.plan import FieldPlan, Grid
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState, shortened
from aporia_provider.monitoring.states.vector_state import VectorGrid, VectorState

NUMERIC = ("numeric", "datetime", "text")
VALUES = ("categorical", "string", "boolean", "array")
VECTORS = ("vector", "tensor")


def field_states(field: FieldPlan, array: pa.Array, grids: Mapping[str, Grid]) -> Iterator[tuple[str, State]]:
    """
    Yield the states of a field for some rows of a bucket.

    :param field: The field.
    :param array: Values of the field, one for each row.
    :param grids: Bins by key.
    :return: Pairs of a key and a state; a dict field has one for each category of its bins as well.
    """
    grid, given = grids.get(field.key), array
    array = readable(given, field.type)
    if field.type in NUMERIC:
        numbers, nulls = as_floats(pc.utf8_length(array) if field.type == "text" else array)
        yield field.key, NumericState.of(numbers, nulls, cast("NumericGrid | None", grid))
    elif field.type in VALUES:
        misfits = array.null_count - given.null_count if field.type == "boolean" else 0
        yield field.key, _values(field.type, array, misfits, cast("CategoryGrid | None", grid))
    elif field.type in VECTORS:
        yield field.key, _vectors(field, array, vector_grid(field, grid))
    else:
        yield from _dicts(field.key, array, grids)


def vector_grid(field: FieldPlan, grid: Grid | None) -> VectorGrid | None:
    """
    Return the bins of a vector field. The dimension of a tensor is that of its schema, even without a
    baseline.
    """
    if field.dimensions:
        norm = grid.norm if isinstance(grid, VectorGrid) else None
        return VectorGrid(math.prod(field.dimensions), norm)
    return cast("VectorGrid | None", grid)


def _values(type_: str, array: pa.Array, misfits: int, grid: CategoryGrid | None) -> ValueState:
    """Return the state of values, where misfits have been replaced by null."""
    present, nulls = array.drop_null(), array.null_count - misfits
    held = items(present)[0] if type_ == "array" else present
    return ValueState.of(text_counts(held), len(array), nulls, grid, misfits)


def _vectors(field: FieldPlan, array: pa.Array, grid: VectorGrid | None) -> VectorState:
    return VectorState.of(*vectors(array.drop_null(), field.dimensions), array.null_count, grid)


def _dicts(key: str, array: pa.Array, grids: Mapping[str, Grid]) -> Iterator[tuple[str, State]]:
    found = dict(entries(array.drop_null()))
    counts = {name: len(values) for name, values in found.items()}
    grid = cast("CategoryGrid | None", grids.get(key))
    yield key, ValueState.of(counts, len(array), array.null_count, grid)
    short = {shortened(name): values for name, values in found.items()}
    for name in grid.values if grid else ():
        numbers, nulls = as_floats(short[name]) if name in short else (np.empty(0), 0)
        absent = len(array) - nulls - len(numbers)
        place = f"{key}[{name}]"
        yield place, NumericState.of(numbers, nulls + absent, cast("Any", grids.get(place)))
