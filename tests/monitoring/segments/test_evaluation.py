"""Conditions select the rows of which they are true, whatever the physical types of the columns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from aporia_provider.monitoring.segments import condition_faults, parse_condition, rows_of
from tests.monitoring.segments.random_conditions import TYPES, Stated, conditions, rows


def selected(text: str, type_: str, array: pa.Array) -> list[bool]:
    result: list[bool] = rows_of(parse_condition(text), {"f": array}, {"f": type_}).tolist()
    return result


@pytest.mark.slow
@given(conditions, rows())
def test_rows_for_which_a_condition_is_true(stated: Stated, made: Any) -> None:
    batch, listed = made
    condition = parse_condition(stated.text)
    assert condition_faults(condition, {f"features.{name}": type_ for name, type_ in TYPES.items()}) == []
    for parsed in (condition, parse_condition(condition.text)):
        columns = {name: batch[name] for name in parsed.fields}
        found = rows_of(parsed, columns, TYPES)
        assert found.tolist() == [stated.holds(row) is True for row in listed]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1.5, 2.0, None, 19.99], pa.float64()),
        pa.array([1.5, 2.0, None, 19.99], pa.float32()),
        pa.array([Decimal("1.5"), Decimal(2), None, Decimal("19.99")], pa.decimal128(10, 4)),
        pa.array([Decimal("1.5"), Decimal(2), None, Decimal("19.99")], pa.decimal256(50, 2)),
        pa.array([1.5, 2.0, float("nan"), 19.99]),
        pa.chunked_array([pa.array([1.5, 2.0]), pa.array([None, 19.99], pa.float64())]),
    ],
    ids=lambda array: str(array.type),
)
def test_numbers_of_any_type_are_compared_by_value(array: Any) -> None:
    assert selected("f = 19.99 or f = 1.50", "numeric", array) == [True, False, False, True]
    assert selected("f >= 2", "numeric", array) == [False, True, False, True]
    assert selected("f is null", "numeric", array) == [False, False, True, False]
    assert selected("f != 2", "numeric", array) == [True, False, False, True]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1, 2, None], pa.int8()),
        pa.array([1, 2, None], pa.uint64()),
        pa.array([1.0, 2.0, float("nan")], pa.float32()),
        pa.array([Decimal("1.00"), Decimal("2.00"), None], pa.decimal128(8, 2)),
        pa.array(["1", "2", None], pa.string_view()),
        pa.array(["1", "2", None]).dictionary_encode(),
    ],
    ids=lambda array: str(array.type),
)
def test_categories_of_any_type_are_compared_as_text(array: Any) -> None:
    assert selected("f = '1'", "categorical", array) == [True, False, False]
    assert selected("f > '1' or f is null", "categorical", array) == [False, True, True]


def test_categories_of_truths_and_times() -> None:
    assert selected("f = 'true'", "categorical", pa.array([True, False, None])) == [True, False, False]
    dates = pa.array([0, 1, None], pa.date32())
    assert selected("f = '1970-01-02'", "string", dates) == [False, True, False]


def test_texts_are_compared_by_code_point() -> None:
    texts = pa.array(["a", "Z", "é", "\U0001f600", "\uffff", None])
    assert selected("f > 'Z'", "text", texts) == [text > "Z" if text else False for text in texts.to_pylist()]
    assert selected("f < '\uffff'", "string", texts) == [True, True, True, False, False, False]


@pytest.mark.parametrize(
    "array",
    [pa.array([True, False, None]), pa.array([1, 0, 2]), pa.array([1.0, 0.0, None])],
    ids=lambda array: str(array.type),
)
def test_truth_values_of_any_type(array: Any) -> None:
    assert selected("f", "boolean", array) == [True, False, False]
    assert selected("f != true", "boolean", array) == [False, True, False]
    assert selected("f is not true", "boolean", array) == [False, True, True]
    assert selected("f is null", "boolean", array) == [False, False, True]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([0, 86_400_000_000, None], pa.timestamp("us", "America/New_York")),
        pa.array([0, 86_400_000_000_000, None], pa.timestamp("ns")),
        pa.array([0, 1, None], pa.date32()),
        pa.array(["1970-01-01T00:00:00Z", "1970-01-02 01:00:00+01:00", "soon"]),
    ],
    ids=lambda array: str(array.type),
)
def test_times_of_any_type(array: Any) -> None:
    assert selected("f >= '1970-01-02'", "datetime", array) == [False, True, False]
    assert selected("f < '1970-01-01T00:00:00.000001Z'", "datetime", array) == [True, False, False]
    assert selected("f is null", "datetime", array) == [False, False, True]


def test_lists_are_only_null_or_not() -> None:
    array = pa.array([[1.0], None, []])
    assert selected("f is not null", "vector", array) == [True, False, True]


def test_columns_without_values() -> None:
    for type_ in ("numeric", "categorical", "boolean", "datetime", "vector", "dict", "text"):
        assert selected("f is null", type_, pa.nulls(2)) == [True, True]
    assert selected("f = 'a' or f != 'a'", "categorical", pa.nulls(2)) == [False, False]
    assert selected("f > 1", "numeric", pa.nulls(2)) == [False, False]
    assert selected("f in ('a', 'b')", "string", pa.array([], pa.string())) == []


def test_a_number_is_the_double_nearest_to_it() -> None:
    array = pa.array([0.1, np.nextafter(0.1, 1), 0.1 + 0.2])
    assert selected("f = 0.1", "numeric", array) == [True, False, False]
    assert selected("f = 0.30000000000000004", "numeric", array) == [False, False, True]
