"""Bins and categories of a baseline, used for all later states."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aporia_provider.monitoring.arrow import (
    as_floats,
    entries,
    items,
    plain,
    readable,
    text_counts,
    vectors,
)
from aporia_provider.monitoring.grids.grid import CategoryGrid, NumericGrid
from aporia_provider.monitoring.grids.score_grid import ScoreGrid
from aporia_provider.monitoring.profiles.field_states import NUMERIC, VALUES, VECTORS, vector_grid
from aporia_provider.monitoring.profiles.plan import FieldPlan, Grid
from aporia_provider.monitoring.states.value_state import shortened
from aporia_provider.monitoring.states.vector_state import VectorGrid, norms


class Made(NamedTuple):
    """
    Bins, and the number of values they were computed from.

    Nulls, values that are not numbers, and vectors of another dimension are not counted.
    """

    grid: Grid
    values: int


def make_grids(rows: pa.Table, fields: Iterable[FieldPlan]) -> dict[str, Made]:
    """
    Return the bins of fields, by key.

    :param rows: Rows of the baseline or a sample of it, in any order.
    :param fields: The fields. Fields without values have no bins in the result.
    """
    grids: dict[str, Made] = {}
    for field in fields:
        column = rows.column(field.column)
        array = readable(plain(pa.concat_arrays(column.chunks or [pa.array([], column.type)])), field.type)
        grids |= {key: made for key, made in _grids(field, array.drop_null()) if made is not None}
    return grids


def _grids(field: FieldPlan, array: pa.Array) -> Iterator[tuple[str, Made | None]]:
    if field.type in NUMERIC:
        yield field.key, _numeric(pc.utf8_length(array) if field.type == "text" else array)
        if field.scored:
            yield field.scores_key, _scores(array)
    elif field.type in VALUES:
        yield field.key, _categories(items(array)[0] if field.type == "array" else array)
    elif field.type in VECTORS:
        yield field.key, _vectors(field, array)
    else:
        yield from _dicts(field.key, dict(entries(array)))


def _dicts(key: str, found: Mapping[str, pa.Array]) -> Iterator[tuple[str, Made | None]]:
    short = {shortened(name): values for name, values in found.items()}
    if short:
        counts = {name: len(values) for name, values in short.items()}
        categories = CategoryGrid.of(counts)
        yield key, Made(categories, sum(counts.values()))
        yield from ((f"{key}[{name}]", _numeric(short[name])) for name in categories.values)


def _numeric(array: pa.Array) -> Made | None:
    numbers = as_floats(array)[0]
    grid = NumericGrid.of(numbers)
    return None if grid is None else Made(grid, int(np.isfinite(numbers).sum()))


def _scores(array: pa.Array) -> Made | None:
    numbers = as_floats(array)[0]
    grid = ScoreGrid.of(numbers)
    return None if grid is None else Made(grid, int(np.isfinite(numbers).sum()))


def _categories(array: pa.Array) -> Made | None:
    counts = {shortened(text): count for text, count in text_counts(array).items()}
    return Made(CategoryGrid.of(counts), sum(counts.values())) if counts else None


def _vectors(field: FieldPlan, array: pa.Array) -> Made | None:
    numbers, lengths = vectors(array, field.dimensions)
    grid = vector_grid(field, None)
    if not lengths.any():
        return None if grid is None else Made(grid, 0)
    # The most frequent dimension; of equally frequent ones, the smallest.
    common = min(Counter(lengths[lengths > 0].tolist()).items(), key=lambda item: (-item[1], item[0]))[0]
    dimension = grid.dimension if grid else common
    right = numbers[np.repeat(lengths == dimension, lengths)].reshape(-1, dimension)
    return Made(VectorGrid(dimension, NumericGrid.of(norms(right))), len(right))
