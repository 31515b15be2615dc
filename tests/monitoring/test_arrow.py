"""Numbers of every physical type are read as the doubles and the texts that Python makes of them."""

from __future__ import annotations

import decimal
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.monitoring.arrow import as_texts, doubles, items, plain, text_counts, vectors
from aporia_provider.monitoring.drift.distance_result import Minimum
from aporia_provider.monitoring.drift.field_drift import ComparedState, drift
from aporia_provider.monitoring.performance import STATES
from aporia_provider.monitoring.profiles.plan import FieldPlan
from tests.monitoring.columns import KEY, bins_by_key, states_of
from tests.sizes import sized

_WIDTHS: Sequence[tuple[Callable[[int, int], pa.DataType], int]] = (
    (pa.decimal32, 9),
    (pa.decimal64, 18),
    (pa.decimal128, 38),
    (pa.decimal256, 76),
)
# 2**24 and more have gaps above 1; the shortest decimals of powers of two lie outside of the usual distance.
_SINGLES = (
    st.floats(width=32)
    | st.integers(0, 2**32 - 1).map(lambda bits_: float(np.uint32(bits_).view(np.float32)))
    | st.integers(-149, 127).map(lambda exponent: 2.0**exponent)
    | st.integers(2**23, 2**50).map(lambda number: float(np.float32(number)))
    | st.decimals(-1000, 1000, places=2).map(lambda number: float(np.float32(number)))
)


def read_by_python(values: Any) -> list[float]:
    return [float(str(value)) for value in values]


class TestFloats:
    @pytest.mark.slow
    @settings(max_examples=sized(30, 120))
    @given(st.lists(_SINGLES, max_size=20))
    def test_floats_of_32_bits_are_their_shortest_decimals(self, values: list[float]) -> None:
        singles = np.array(values, dtype=np.float32)
        found, expected = doubles(pa.array(singles)), np.array(read_by_python(singles), dtype=np.float64)
        assert np.array_equal(found, expected, equal_nan=True)
        signed = ~np.isnan(found)
        assert np.array_equal(np.signbit(found[signed]), np.signbit(expected[signed]))

    @pytest.mark.slow
    def test_random_floats_of_32_bits(self) -> None:
        rng = np.random.default_rng(0)
        patterns = rng.integers(0, 2**32, 20_000, dtype=np.uint32).view(np.float32)
        scores, amounts = rng.random(20_000), np.round(rng.random(20_000) * 1000, 2)
        for values in (patterns, scores.astype(np.float32), amounts.astype(np.float32)):
            found, expected = doubles(pa.array(values)), np.array(read_by_python(values))
            assert np.array_equal(found, expected, equal_nan=True)

    def test_all_floats_of_16_bits(self) -> None:
        values = np.arange(2**16, dtype=np.uint16).view(np.float16)
        expected = np.array(read_by_python(values))
        assert np.array_equal(doubles(pa.array(values)), expected, equal_nan=True)

    def test_amounts_are_the_doubles_that_they_were(self) -> None:
        amounts = np.arange(100_000) / 100
        assert np.array_equal(doubles(pa.array(amounts.astype(np.float32))), amounts)

    def test_nulls_and_slices(self) -> None:
        for type_ in (pa.float16(), pa.float32(), pa.float64(), pa.decimal128(5, 1), pa.int8(), pa.bool_()):
            array = pa.array([1, None, 0, 1], pa.int8()).cast(type_)
            assert np.array_equal(doubles(array[1:]), [math.nan, 0.0, 1.0], equal_nan=True)


@st.composite
def _decimals(draw: st.DrawFn) -> tuple[list[Decimal], pa.DataType]:
    make, most = draw(st.sampled_from(_WIDTHS))
    precision = draw(st.integers(1, most))
    places = draw(st.integers(0, precision))
    digits = st.integers(1, precision).flatmap(lambda size: st.integers(-(10**size) + 1, 10**size - 1))
    rounded = st.tuples(digits, st.integers(0, precision)).map(
        lambda pair: pair[0] // 10 ** pair[1] * 10 ** pair[1]
    )
    context = decimal.Context(prec=80)
    unscaled = draw(
        st.lists((digits | rounded).filter(lambda number: abs(number) < 10**precision), max_size=8)
    )
    return [Decimal(number).scaleb(-places, context) for number in unscaled], make(precision, places)


def array_of_decimals(values: Sequence[Decimal], type_: pa.DataType) -> pa.Array:
    """The array, as a slice whose first value is left out."""
    return plain(pa.array([None, *values], type_)[1:])


class TestDecimals:
    @pytest.mark.slow
    @settings(max_examples=sized(30, 120))
    @given(_decimals())
    def test_decimals_are_the_nearest_doubles(self, drawn: tuple[list[Decimal], pa.DataType]) -> None:
        values, type_ = drawn
        found = doubles(array_of_decimals(values, type_))
        assert found.tolist() == [float(Fraction(value)) for value in values]

    @pytest.mark.parametrize("places", [2, 9, 18, 30])
    def test_amounts_of_any_number_of_places(self, places: int) -> None:
        cents = range(-5_000, 50_000, 7)
        array = pa.array([Decimal(number).scaleb(-2) for number in cents], pa.decimal128(38, places))
        assert doubles(array).tolist() == [number / 100 for number in cents]

    @pytest.mark.parametrize(
        ("bits", "places"), [(53, 9), (54, 9), (56, 17), (63, 22), (30, 23), (40, 28), (53, 38)]
    )
    def test_at_the_limits_of_exact_quotients(self, bits: int, places: int) -> None:
        rng = np.random.default_rng(bits)
        integers = [int(number) for number in rng.integers(2 ** (bits - 1), 2**bits, 300)]
        integers += [2**53 - 1, 2**53, -(2**53), 2**53 + 1, -(2**53) - 1]
        array = pa.array([Decimal(number).scaleb(-places) for number in integers], pa.decimal128(38, places))
        assert doubles(array).tolist() == [float(Fraction(number, 10**places)) for number in integers]

    @pytest.mark.slow
    @settings(max_examples=sized(20, 80))
    @given(_decimals())
    def test_texts_have_all_digits(self, drawn: tuple[list[Decimal], pa.DataType]) -> None:
        values, type_ = drawn
        texts = as_texts(array_of_decimals(values, type_)).to_pylist()
        assert [Decimal(text) for text in texts] == values
        assert not any("." in text and text.partition("e")[0].endswith("0") for text in texts)
        assert len(set(texts)) == len(set(values))

    def test_more_than_28_digits_are_told_apart(self) -> None:
        numbers = [Decimal(f"1{'0' * 40}{last}.5") for last in range(3)]
        (state,) = states_of(pa.array(numbers, pa.decimal256(76, 10)), "categorical").values()
        assert getattr(state, "distinct") == 3  # noqa: B009


@st.composite
def _alike(draw: st.DrawFn) -> list[pa.Array]:
    """The same numbers of up to six digits, which every type holds, with the same nulls, in several types."""
    places = draw(st.integers(0, 4))
    whole = st.integers(-999_999, 999_999) | st.integers(-3, 3)
    drawn = draw(st.lists(st.none() | whole, min_size=1, max_size=25))
    exact = [None if number is None else Decimal(number).scaleb(-places) for number in drawn]
    floats = [None if number is None else float(number) for number in exact]
    arrays = [pa.array(floats, pa.float64()), pa.array(floats, pa.float32())]
    arrays += [pa.array(exact, make(most, places)) for make, most in _WIDTHS]
    arrays += [pa.array(exact, pa.decimal128(38, 18)), pa.array(floats).dictionary_encode()]
    if not places:
        arrays += [pa.array(drawn, type_) for type_ in (pa.int32(), pa.int64())]
    return arrays


@pytest.mark.slow
@settings(max_examples=sized(8, 30))
@given(_alike())
def test_equal_numbers_have_equal_states_and_no_drift(arrays: list[pa.Array]) -> None:
    for type_ in ("numeric", "categorical"):
        field = FieldPlan(KEY, type_, "c")
        bins, states = bins_by_key(arrays[0], field), states_of(arrays[0], field)
        before = ComparedState(states[KEY], bins.get(KEY))
        for array in arrays[1:]:
            assert (array.type, bins_by_key(array, field)) == (array.type, bins)
            found = states_of(array, field)
            assert (array.type, found) == (array.type, states)
            answer = drift(
                "drift_score", before, ComparedState(found[KEY], bins.get(KEY)), minimum=Minimum(1, 0, 1)
            )
            assert not answer.value


@pytest.mark.slow
@settings(max_examples=sized(6, 25))
@given(st.lists(st.tuples(st.none() | st.integers(0, 1000), st.booleans()), max_size=25))
def test_equal_scores_have_equal_performance(rows: list[tuple[int | None, bool]]) -> None:
    exact = [None if score is None else Decimal(score).scaleb(-3) for score, _ in rows]
    floats = [None if score is None else float(score) for score in exact]
    labels, numbers = pa.array([label for _, label in rows]), pa.array([int(label) for _, label in rows])
    arrays = [pa.array(floats, pa.float64()), pa.array(floats, pa.float32())]
    arrays += [pa.array(exact, make(most, 3)) for make, most in _WIDTHS]
    for name in ("binary", "regression", "multiclass"):
        expected = STATES[name].of(arrays[0], numbers)
        assert all(STATES[name].of(array, numbers) == expected for array in arrays)
    assert all(
        STATES["binary"].of(array, labels) == STATES["binary"].of(arrays[0], labels) for array in arrays
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("0", "0"),
        ("3", "3"),
        ("-0.5", "-0.5"),
        ("12345678901.5", "12345678901.5"),
        ("0.000001", "0.000001"),
        ("0.0000001", "1e-7"),
        ("-0.0000002", "-2e-7"),
        ("10000000000000000000", "10000000000000000000"),
        ("1000000000000000000000000000000", "1000000000000000000000000000000"),
    ],
)
def test_a_number_has_one_text(number: str, text: str) -> None:
    arrays = [pa.array([float(number)]), pa.array([Decimal(number)], pa.decimal128(38, 7))]
    if "." not in number and int(number) < 2**63:
        arrays.append(pa.array([int(number)]))
    if len(number) < 9:
        arrays.append(pa.array([float(number)], pa.float32()))
    for array in arrays:
        assert (array.type, as_texts(array).to_pylist()) == (array.type, [text])


def test_integers_are_the_nearest_doubles() -> None:
    numbers = [2**53 + 1, 2**63 - 1, -(2**63), 2**62 + 2**9 + 1, 0]
    assert doubles(pa.array(numbers, pa.int64())).tolist() == [float(number) for number in numbers]
    assert doubles(pa.array([2**64 - 1, 2**63 + 1025], pa.uint64())).tolist() == [
        2.0**64,
        float(2**63 + 1025),
    ]


def test_plain_arrays_have_no_encodings() -> None:
    encoded = pa.array(["a", None, "b"], pa.string_view())
    chunks = pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array([2, 0, 1]), encoded)])
    assert plain(chunks).equals(pa.array(["b", "a", None], pa.large_string()))
    lists = pa.array([["a"], None], pa.list_(pa.dictionary(pa.int8(), pa.string())))
    assert plain(lists).equals(pa.array([["a"], None], pa.large_list(pa.string())))


@pytest.mark.parametrize("make", [pa.list_, pa.large_list, pa.list_view, pa.large_list_view])
def test_encodings_inside_of_lists(make: Callable[[pa.DataType], pa.DataType]) -> None:
    numbers = [[Decimal("19.99")], None, [Decimal("4.35"), None]]
    for type_ in (pa.decimal32(5, 2), pa.decimal64(5, 2), pa.decimal128(5, 2)):
        found, lengths = vectors(plain(pa.array(numbers, make(type_))).drop_null())
        assert np.array_equal(found, [19.99, 4.35, math.nan], equal_nan=True)
        assert lengths.tolist() == [1, 2]
    for type_ in (pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        found, lengths = items(plain(pa.array([["a"], None, ["b", "a"]], make(type_))))
        assert (text_counts(found), lengths.tolist()) == ({"a": 2, "b": 1}, [1, 0, 2])
