"""Conversion of the values of a field to states."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aporia_provider.monitoring.arrow import as_floats, entries, items, readable, text_counts, vectors
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.profiles.plan import Bins, FieldPlan
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState, shortened
from aporia_provider.monitoring.states.vector_state import VectorBins, VectorState

NUMERIC = ("numeric", "datetime", "text")
VALUES = ("categorical", "string", "boolean", "array")
VECTORS = ("vector", "tensor")


def field_states(field: FieldPlan, array: pa.Array, bins: Mapping[str, Bins]) -> Iterator[tuple[str, State]]:
    """
    Yield the states of a field for some rows of a bucket.

    :param field: The field.
    :param array: Values of the field, one for each row.
    :param bins: Bins by key.
    :return: Pairs of a key and a state; a dict field has one for each category of its bins as well.
    """
    field_bins, original = bins.get(field.key), array
    array = readable(original, field.type)
    if field.type in NUMERIC:
        numbers, nulls = as_floats(pc.utf8_length(array) if field.type == "text" else array)
        yield field.key, NumericState.of(numbers, nulls, cast("NumericBins | None", field_bins))
    elif field.type in VALUES:
        misfits = array.null_count - original.null_count if field.type == "boolean" else 0
        yield field.key, _values(field.type, array, misfits, cast("CategoryBins | None", field_bins))
    elif field.type in VECTORS:
        yield field.key, _vectors(field, array, vector_bins(field, field_bins))
    else:
        yield from _dicts(field.key, array, bins)


def vector_bins(field: FieldPlan, bins: Bins | None) -> VectorBins | None:
    """
    Return the bins of a vector field. The dimension of a tensor is taken from its schema, even without a
    baseline.
    """
    if field.dimensions:
        norm = bins.norm if isinstance(bins, VectorBins) else None
        return VectorBins(math.prod(field.dimensions), norm)
    return cast("VectorBins | None", bins)


def _values(type_: str, array: pa.Array, misfits: int, bins: CategoryBins | None) -> ValueState:
    """Return the state of values, where misfits have been replaced by null."""
    present, nulls = array.drop_null(), array.null_count - misfits
    values = items(present)[0] if type_ == "array" else present
    return ValueState.of(text_counts(values), len(array), nulls, bins, misfits)


def _vectors(field: FieldPlan, array: pa.Array, bins: VectorBins | None) -> VectorState:
    return VectorState.of(*vectors(array.drop_null(), field.dimensions), array.null_count, bins)


def _dicts(key: str, array: pa.Array, bins: Mapping[str, Bins]) -> Iterator[tuple[str, State]]:
    values_by_name = dict(entries(array.drop_null()))
    counts = {name: len(values) for name, values in values_by_name.items()}
    field_bins = cast("CategoryBins | None", bins.get(key))
    yield key, ValueState.of(counts, len(array), array.null_count, field_bins)
    short = {shortened(name): values for name, values in values_by_name.items()}
    for name in field_bins.values if field_bins else ():
        numbers, nulls = as_floats(short[name]) if name in short else (np.empty(0), 0)
        absent = len(array) - nulls - len(numbers)
        key_of_name = f"{key}[{name}]"
        yield key_of_name, NumericState.of(numbers, nulls + absent, cast("Any", bins.get(key_of_name)))
