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
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.bins.score_bins import ScoreBins
from aporia_provider.monitoring.profiles.field_states import NUMERIC, VALUES, VECTORS, vector_bins
from aporia_provider.monitoring.profiles.plan import Bins, FieldPlan
from aporia_provider.monitoring.states.value_state import shortened
from aporia_provider.monitoring.states.vector_state import VectorBins, norms


class BaselineBins(NamedTuple):
    """
    Bins, and the number of values they were computed from.

    Nulls, values that are not numbers, and vectors of another dimension are not counted.
    """

    bins: Bins
    values: int


def make_bins(rows: pa.Table, fields: Iterable[FieldPlan]) -> dict[str, BaselineBins]:
    """
    Return the bins of fields, by key.

    :param rows: Rows of the baseline or a sample of it, in any order.
    :param fields: The fields. Fields without values have no bins in the result.
    """
    bins: dict[str, BaselineBins] = {}
    for field in fields:
        column = rows.column(field.column)
        array = readable(plain(pa.concat_arrays(column.chunks or [pa.array([], column.type)])), field.type)
        bins |= {
            key: field_bins for key, field_bins in _bins(field, array.drop_null()) if field_bins is not None
        }
    return bins


def _bins(field: FieldPlan, array: pa.Array) -> Iterator[tuple[str, BaselineBins | None]]:
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


def _dicts(key: str, values_by_name: Mapping[str, pa.Array]) -> Iterator[tuple[str, BaselineBins | None]]:
    short = {shortened(name): values for name, values in values_by_name.items()}
    if short:
        counts = {name: len(values) for name, values in short.items()}
        categories = CategoryBins.of(counts)
        yield key, BaselineBins(categories, sum(counts.values()))
        yield from ((f"{key}[{name}]", _numeric(short[name])) for name in categories.values)


def _numeric(array: pa.Array) -> BaselineBins | None:
    numbers = as_floats(array)[0]
    bins = NumericBins.of(numbers)
    return None if bins is None else BaselineBins(bins, int(np.isfinite(numbers).sum()))


def _scores(array: pa.Array) -> BaselineBins | None:
    numbers = as_floats(array)[0]
    bins = ScoreBins.of(numbers)
    return None if bins is None else BaselineBins(bins, int(np.isfinite(numbers).sum()))


def _categories(array: pa.Array) -> BaselineBins | None:
    counts = {shortened(text): count for text, count in text_counts(array).items()}
    return BaselineBins(CategoryBins.of(counts), sum(counts.values())) if counts else None


def _vectors(field: FieldPlan, array: pa.Array) -> BaselineBins | None:
    numbers, lengths = vectors(array, field.dimensions)
    bins = vector_bins(field, None)
    if not lengths.any():
        return None if bins is None else BaselineBins(bins, 0)
    # The most frequent dimension; of equally frequent ones, the smallest.
    common = min(Counter(lengths[lengths > 0].tolist()).items(), key=lambda item: (-item[1], item[0]))[0]
    dimension = bins.dimension if bins else common
    right = numbers[np.repeat(lengths == dimension, lengths)].reshape(-1, dimension)
    return BaselineBins(VectorBins(dimension, NumericBins.of(norms(right))), len(right))
