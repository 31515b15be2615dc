"""The same values in other physical types have the same bins and the same states."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from aporia_provider.monitoring.profiles.plan import FieldPlan
from tests.monitoring.columns import KEY, array_of, bins_by_key, states_of

_LISTS = (pa.list_, pa.large_list, pa.list_view, pa.large_list_view)
_DOUBLE, _TEXT, _VIEW = pa.float64(), pa.string(), pa.string_view()
_MOMENT = dt.datetime(1969, 12, 31, 23, 59, 59)  # noqa: DTZ001
_TEXTS: Sequence[str | None] = ["a", None, "b", "a", "", "é" * 120]
_INTEGERS = [1, None, -3, 7, 1]
_TIMES = [_MOMENT, None, _MOMENT + dt.timedelta(days=1)]
_UNITS = [
    pa.timestamp(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Asia/Tokyo")
]
_NUMBERS = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.float16(), pa.float32(), _DOUBLE),
    *(pa.decimal128(5, 0), pa.decimal128(38, 4), pa.decimal256(50, 2), pa.dictionary(pa.int8(), pa.int64())),
]
_MAPS = [pa.map_(_TEXT, _DOUBLE), pa.map_(_VIEW, pa.int8()), pa.map_(pa.large_string(), pa.decimal128(4, 1))]
_STRUCTS = [
    pa.struct([("a", first), ("b", second)])
    for first, second in ((pa.int8(), _DOUBLE), (_DOUBLE, pa.decimal128(3, 1)), (pa.float32(), pa.int64()))
]

CASES: dict[str, tuple[Sequence[str], Sequence[Any], Sequence[pa.DataType]]] = {
    "texts": (
        ("categorical", "string", "text"),
        _TEXTS,
        [_TEXT, pa.large_string(), _VIEW, pa.dictionary(pa.int32(), _TEXT)],
    ),
    "numbers": (("numeric", "categorical", "string"), _INTEGERS, _NUMBERS),
    "fractions": (
        ("categorical", "string"),
        [0.1, None, -2.5, 3.0, 0.1, 1e-3],
        [_DOUBLE, pa.float32(), pa.float16(), pa.decimal128(5, 3)],
    ),
    "booleans": (("boolean",), [1, 0, None, 1], [pa.int64(), pa.int8(), pa.bool_()]),
    "times": (("datetime", "categorical"), _TIMES, _UNITS),
    "dates": (("datetime",), [dt.date(1960, 2, 29), None], [pa.date32(), pa.date64(), pa.timestamp("us")]),
    "lists of texts": (("array",), [["a", None, "b"], None, [], ["a"]], [make(_TEXT) for make in _LISTS]),
    "pairs of texts": (
        ("array",),
        [["a", "b"], None, ["b", "c"]],
        [pa.list_(_TEXT), pa.list_(_TEXT, 2), pa.list_(_VIEW), pa.list_(pa.dictionary(pa.int8(), _TEXT))],
    ),
    "vectors": (
        ("vector",),
        [[1, 2], None, [3, None], [4], []],
        [make(of) for make in _LISTS for of in (pa.float32(), pa.int64())],
    ),
    "pairs of numbers": (
        ("vector", "array"),
        [[1.0, 2.0], None, [3.0, 0.5]],
        [pa.list_(_DOUBLE), pa.list_(pa.float32(), 2), pa.large_list(pa.decimal128(5, 1))],
    ),
    "maps": (("dict",), [[("a", 1), ("b", 2)], None, [("b", 3)]], _MAPS),
    "structs": (("dict",), [{"a": 1, "b": None}, None, {"a": 2, "b": 3}], _STRUCTS),
}


def _arrays(values: Sequence[Any], type_: pa.DataType) -> list[pa.Array]:
    array = _array(values, type_)
    # A slice that begins somewhere has offsets of its own.
    return [array, pa.concat_arrays([array, array]).slice(len(values))]


def _array(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    try:
        return array_of(values, type_)
    except pa.ArrowException:
        return pa.array(values).cast(type_)


@pytest.mark.parametrize("name", CASES)
def test_physical_types_do_not_matter(name: str) -> None:
    fields, values, types = CASES[name]
    for field in fields:
        plan = FieldPlan(KEY, field, "c")
        bins, expected = _known(_array(values, types[0]), plan)
        for type_ in types:
            for array in _arrays(values, type_):
                assert (type_, *_known(array, plan)) == (type_, bins, expected)


def _known(array: pa.Array, plan: FieldPlan) -> tuple[Any, Any]:
    states = states_of(array, plan)
    assert states[KEY].rows == len(array)
    return bins_by_key(array, plan), states


def test_a_dictionary_may_hold_a_null() -> None:
    encoded = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0]), pa.array(["a", None]))
    assert states_of(encoded, "string") == states_of(pa.array(["a", None, None, "a"]), "string")


@pytest.mark.parametrize(
    "field", ["numeric", "boolean", "categorical", "string", "text", "datetime", "vector", "array", "dict"]
)
def test_a_column_of_nothing(field: str) -> None:
    for array in (pa.nulls(3), pa.chunked_array([pa.nulls(1), pa.nulls(2)]).combine_chunks()):
        (state,) = states_of(array, field).values()
        assert state.to_json() == {"kind": state.kind, "rows": 3, "nulls": 3}
        assert bins_by_key(array, FieldPlan(KEY, field, "c")) == {}


@pytest.mark.parametrize("inner", [pa.list_(_DOUBLE), pa.list_(pa.float32(), 2), pa.large_list(pa.int16())])
def test_nested_tensors_are_read_as_flat_ones(inner: pa.DataType) -> None:
    flat = [[1.0, 2.0, 3.0, 4.0], None, [5.0, 6.0, 7.0, 8.0]]
    nested = [None if row is None else [row[:2], row[2:]] for row in flat]
    plan = FieldPlan(KEY, "tensor", "c", (2, 2))
    expected = states_of(array_of(flat, pa.list_(_DOUBLE)), plan)
    for type_ in (pa.list_(inner), pa.large_list(inner), pa.list_(inner, 2)):
        assert states_of(array_of(nested, type_), plan) == expected
