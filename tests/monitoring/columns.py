"""Columns of every field type, in every physical type that an engine may hand over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from aporia_provider.monitoring.profiles.baseline_bins import make_bins
from aporia_provider.monitoring.profiles.plan import Bins, FieldPlan, ProfilePlan
from aporia_provider.monitoring.profiles.profile import Profile, profile
from aporia_provider.monitoring.states.state import State

KEY = "features.x"
DAY = 86_400_000_000
TEXT_MAP = pa.map_(pa.string(), pa.float64())
STRUCT = pa.struct([("a", pa.float64()), ("b", pa.int32())])


@dataclass(frozen=True)
class Kind:
    """
    A kind of column.

    :param field: The field type that it brings.
    :param type: Its physical type.
    :param values: What may be in it, besides nulls.
    """

    field: str
    type: pa.DataType
    values: st.SearchStrategy[Any]
    dimensions: tuple[int, ...] = ()

    @property
    def plan(self) -> FieldPlan:
        return FieldPlan(KEY, self.field, "c", self.dimensions)


def _floats(width: int) -> st.SearchStrategy[float]:
    odd = [0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1.0, 1.5]
    return st.sampled_from(odd) | st.floats(width=width)  # type: ignore[arg-type]


_texts = st.sampled_from(["a", "b", "", "é", "x" * 201, "x" * 300, "x" * 299 + "y"]) | st.text(max_size=3)
_integers = st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2)
_decimals = st.integers(-(10**20), 10**20).map(lambda n: Decimal(n).scaleb(-3))
_micros = st.integers(-3 * DAY, 3 * DAY)
_dates = st.dates(dt.date(1969, 12, 29), dt.date(1970, 1, 3))
_few_floats = st.sampled_from([0.0, 1.0, -2.5, 1e300, 0.1, float("nan"), None])


def _lists(of: st.SearchStrategy[Any], size: int = 3) -> st.SearchStrategy[Any]:
    return st.lists(of, max_size=size)


def _naive(micros: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=micros)  # noqa: DTZ001


def _zoned(micros: int) -> dt.datetime:
    return _naive(micros).replace(tzinfo=dt.UTC)


def _pairs(key: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(key, _few_floats, max_size=3).map(lambda found: list(found.items()))


_structs = st.fixed_dictionaries({"a": _few_floats, "b": st.none() | st.integers(-3, 3)})
_keys = st.sampled_from(["a", "b", "c[d]", "", "k" * 250])
_square = st.lists(st.lists(_few_floats, min_size=2, max_size=2), min_size=2, max_size=2)
_ragged = _lists(st.none() | _lists(_few_floats))

KINDS: Mapping[str, Kind] = {
    "double": Kind("numeric", pa.float64(), _floats(64)),
    "float": Kind("numeric", pa.float32(), _floats(32)),
    "long": Kind("numeric", pa.int64(), _integers),
    "unsigned": Kind("numeric", pa.uint64(), st.integers(0, 2**64 - 1)),
    "byte": Kind("numeric", pa.int8(), st.integers(-128, 127)),
    "decimal": Kind("numeric", pa.decimal128(30, 3), _decimals),
    "truths": Kind("numeric", pa.bool_(), st.booleans()),
    "boolean": Kind("boolean", pa.bool_(), st.booleans()),
    "boolean of integers": Kind("boolean", pa.int32(), st.integers(-1, 2)),
    "texts": Kind("categorical", pa.string(), _texts),
    "large texts": Kind("string", pa.large_string(), _texts),
    "views": Kind("string", pa.string_view(), _texts),
    "dictionary": Kind("categorical", pa.dictionary(pa.int32(), pa.string()), _texts),
    "category of doubles": Kind("categorical", pa.float64(), _floats(64)),
    "category of longs": Kind("categorical", pa.int64(), _integers),
    "category of decimals": Kind("categorical", pa.decimal128(30, 3), _decimals),
    "category of truths": Kind("categorical", pa.bool_(), st.booleans()),
    "category of dates": Kind("categorical", pa.date32(), _dates),
    "category of times": Kind("categorical", pa.timestamp("us", "UTC"), _micros.map(_zoned)),
    "text": Kind("text", pa.string(), _texts),
    "text views": Kind("text", pa.string_view(), _texts),
    "date": Kind("datetime", pa.date32(), _dates),
    "zoned": Kind("datetime", pa.timestamp("us", "UTC"), _micros.map(_zoned)),
    "naive": Kind("datetime", pa.timestamp("us"), _micros.map(_naive)),
    "times as text": Kind("datetime", pa.string(), _micros.map(lambda n: str(_zoned(n))) | _texts),
    "vector": Kind("vector", pa.list_(pa.float64()), _lists(_few_floats)),
    "vector of floats": Kind("vector", pa.large_list(pa.float32()), _lists(_floats(32))),
    "vector of a size": Kind(
        "vector", pa.list_(pa.float64(), 2), st.tuples(_few_floats, _few_floats).map(list)
    ),
    "tensor": Kind("tensor", pa.list_(pa.list_(pa.float64())), _square | _ragged, (2, 2)),
    "flat tensor": Kind("tensor", pa.list_(pa.float64()), _lists(_few_floats, 5), (2, 2)),
    "array": Kind("array", pa.list_(pa.string()), _lists(st.none() | _texts)),
    "array of numbers": Kind("array", pa.list_(pa.float64()), _lists(_few_floats)),
    "array of arrays": Kind("array", pa.list_(pa.list_(pa.string())), _lists(st.none() | _lists(_texts))),
    "struct": Kind("dict", STRUCT, _structs),
    "map": Kind("dict", TEXT_MAP, _pairs(_keys)),
    "map of integers": Kind("dict", pa.map_(pa.int64(), pa.float64()), _pairs(st.integers(0, 3))),
    "nothing": Kind("dict", pa.null(), st.none()),
}


def array_of(values: Iterable[Any], type_: pa.DataType) -> pa.Array:
    values = list(values)
    if pa.types.is_dictionary(type_):
        return pa.array(values, type_.value_type).dictionary_encode()
    return pa.array(values, type_)


def table_of(
    array: pa.Array, times: Sequence[int | None] | None = None, ids: Sequence[int | None] | None = None
) -> pa.RecordBatch:
    """A batch as a profile reads it; without times and ids, all of one moment and each another id."""
    columns = {
        "id": pa.array(range(len(array)) if ids is None else ids, pa.int64()),
        "time": pa.array([0] * len(array) if times is None else times, pa.int64()).cast(
            pa.timestamp("us", "UTC")
        ),
        "c": array,
    }
    return pa.RecordBatch.from_pydict(columns)


def bins_by_key(array: pa.Array, field: FieldPlan) -> dict[str, Bins]:
    made = make_bins(pa.Table.from_batches([table_of(array)]), [field])
    return {key: item.bins for key, item in made.items()}


def states_of(
    array: pa.Array, field: FieldPlan | str, bins: Mapping[str, Bins] | None = None
) -> dict[str, State]:
    """States of a field whose values are all in one bucket, on bins of its own if there are none."""
    field = FieldPlan(KEY, field, "c") if isinstance(field, str) else field
    bins = bins_by_key(array, field) if bins is None else bins
    found = profile([table_of(array)], ProfilePlan("daily", (field,), (), bins))
    return {key: state for (_, key), state in found.items() if key != "rows"}


def profiled(batches: Iterable[pa.RecordBatch], kind: Kind, period: str, bins: Mapping[str, Bins]) -> Profile:
    return profile(batches, ProfilePlan(period, (kind.plan,), (), bins))


def nulled(mask: Sequence[bool], values: Sequence[Any]) -> list[Any]:
    return [None if gone else value for gone, value in zip(mask, values, strict=True)]


def bits(array: Any) -> list[bytes]:
    """Floats as they are in memory, so that NaN equals NaN and -0.0 does not equal 0.0."""
    return [np.float64(value).tobytes() for value in array]
