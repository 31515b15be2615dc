"""What statistics leave out: missing values, infinite values with their number, and roundings as a bound."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.drift.field_drift import ComparedState, drift
from aporia_provider.monitoring.profiles.plan import FieldPlan
from aporia_provider.monitoring.result_limits import MOST_LEFT_OUT
from aporia_provider.monitoring.statistics.field_statistics import StatisticParameters, statistic
from tests.monitoring.columns import KEY, bins_by_key, states_of
from tests.sizes import sized

NAN, INF = math.nan, math.inf
OF_FINITE = (
    "mean",
    "min",
    "max",
    "sum",
    "absolute_sum",
    "squared_sum",
    "variance",
    "std",
    "median",
    "histogram",
)


def metric_result(name: str, array: pa.Array, type_: str = "numeric", **more: Any) -> MetricResult:
    field = FieldPlan(KEY, type_, "c")
    bins = bins_by_key(array, field)
    return statistic(
        name, type_, states_of(array, field, bins)[KEY], StatisticParameters(bins.get(KEY), **more)
    )


@pytest.mark.slow
@settings(max_examples=sized(15, 60))
@given(
    st.lists(st.none() | st.floats(width=32) | st.sampled_from([NAN, INF, 1.0]), min_size=1, max_size=20),
    st.sampled_from([pa.float64(), pa.float32()]),
    st.sampled_from(["numeric", "categorical"]),
)
def test_nan_is_missing_as_in_pandas(values: list[float | None], type_: pa.DataType, field: str) -> None:
    array = pa.array(values, type_)
    series = pd.Series(values, dtype="float64")
    assert metric_result("missing_count", array, field).value == series.isna().sum()
    assert metric_result("missing_ratio", array, field).value == series.isna().mean()
    assert metric_result("column_count", array, field).value == series.count()
    if field == "numeric":
        assert metric_result("nan_count", array).value == sum(
            value is not None and math.isnan(value) for value in values
        )
    else:
        assert metric_result("unique_values", array, field).value == series.nunique()


def test_nan_is_no_category() -> None:
    array = pa.array([NAN, 1.0, None, NAN])
    assert metric_result("histogram", array, "categorical").value == {"counts": {"1": 1}, "unlisted": 0}
    lists = pa.array([[NAN, 1.0], [None], None])
    assert metric_result("histogram", lists, "array").value == {"counts": {"1": 1}, "unlisted": 0}


def test_texts_that_are_no_time_are_missing() -> None:
    array = pa.array(["2024-01-01", "soon", None])
    assert metric_result("missing_count", array, "datetime").value == 2
    assert metric_result("column_count", array, "datetime").value == 1


class TestInfiniteValues:
    @pytest.mark.parametrize("name", OF_FINITE)
    def test_few_are_left_out_and_told(self, name: str) -> None:
        finite = pa.array([float(number) for number in range(1, 40)])
        whole = pa.concat_arrays([finite, pa.array([INF, -INF, NAN, None])])
        expected, found = metric_result(name, finite), metric_result(name, whole)
        assert (found.value, found.status, found.samples) == (expected.value, "ok", 39)
        assert found.left_out == 2
        assert "infinite values are left out: 2" in (found.reason or "")
        assert (expected.left_out, "infinite" in (expected.reason or "")) == (0, False)

    @pytest.mark.parametrize("name", OF_FINITE)
    def test_with_many_there_is_not_enough_to_decide_by(self, name: str) -> None:
        finite = pa.array([1.0, 2.0, 3.0])
        found = metric_result(name, pa.concat_arrays([finite, pa.array([INF])]))
        assert (found.value, found.status, found.left_out) == (None, "insufficient_data", 1)
        assert found.shown == metric_result(name, finite).value

    def test_how_many_are_too_many(self) -> None:
        ones = [1.0] * round((1 - MOST_LEFT_OUT) * 100)
        infinities = [INF] * (100 - len(ones))
        assert metric_result("mean", pa.array(ones + infinities)).status == "ok"
        assert metric_result("mean", pa.array([*ones, *infinities, INF])).status == "insufficient_data"

    def test_nothing_but_infinite_values_has_no_mean(self) -> None:
        found = metric_result("mean", pa.array([INF, -INF]))
        assert (found.value, found.shown, found.status, found.left_out) == (None, None, "undefined", 2)

    @pytest.mark.parametrize("name", ["count", "missing_count", "infinite_count", "nan_count", "zero_count"])
    def test_counts_of_rows_leave_none_out(self, name: str) -> None:
        assert metric_result(name, pa.array([INF, 0.0])).left_out == 0


@pytest.mark.slow
@settings(max_examples=sized(25, 100))
@given(
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(2**53 - 3, 2**53 + 3), min_size=1, max_size=10)
)
def test_the_bound_of_least_and_greatest_integers(values: list[int]) -> None:
    array = pa.array(values, pa.int64())
    for name, exact in (("min", min(values)), ("max", max(values))):
        found = metric_result(name, array)
        assert abs(int(found.value) - exact) <= found.bound <= max(0, abs(exact) * 2.0**-52)
        assert found.bound == 0 or abs(found.value) >= 2**53


def exact_statistics(values: list[int]) -> dict[str, Fraction | float]:
    """Of whole numbers, by arithmetic without rounding."""
    count, total = len(values), Fraction(sum(values))
    deviations = sum((value - total / count) ** 2 for value in values)
    ordered = sorted(values)
    return {
        "sum": total,
        "mean": total / count,
        "absolute_sum": Fraction(sum(map(abs, values))),
        "squared_sum": Fraction(sum(value**2 for value in values)),
        "squared_deviation_sum": deviations,
        "variance": deviations / (count - 1),
        "std": (Decimal(deviations.numerator) / Decimal(deviations.denominator * count)).sqrt(),
        "median": Fraction(ordered[(count - 1) // 2] + ordered[count // 2], 2),
    }


def allowed(found: MetricResult, values: list[int]) -> float:
    """The bound; where the values that it is made of are below 2**53, the usual rounding of doubles."""
    great = max(abs(found.value), *map(abs, values)) >= 2**53
    return found.bound if great else 4 * math.ulp(found.value)


@pytest.mark.slow
@settings(max_examples=sized(20, 80))
@given(
    st.lists(st.integers(2**53 - 3, 2**53 + 3), min_size=2, max_size=8)
    | st.lists(st.integers(2**60, 2**60 + 300), min_size=2, max_size=8)
    | st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3), min_size=2, max_size=8)
)
def test_the_bound_of_statistics_of_integers(values: list[int]) -> None:
    array = pa.array(values, pa.int64())
    for name, exact in exact_statistics(values).items():
        found = metric_result(name, array)
        ordered, last = sorted(values), len(values) - 1
        of = [ordered[last // 2], ordered[(last + 1) // 2]] if name == "median" else values
        assert abs(Fraction(found.value) - Fraction(exact)) <= allowed(found, of), name
    place = Fraction(len(values) - 1, 4)
    low = sorted(values)[int(place) :][:2]
    exact = low[0] + (low[-1] - low[0]) * (place - int(place))
    found = metric_result("quantile", array, quantile=0.25)
    assert abs(Fraction(found.value) - exact) <= allowed(found, low)


def test_smaller_integers_have_no_bound() -> None:
    for name in ("median", "mean", "std", "min", "max"):
        assert metric_result(name, pa.array([3, 2**53 - 1, 5], pa.int64())).bound == 0
    for name in ("sum", "absolute_sum", "squared_sum", "squared_deviation_sum", "variance"):
        assert metric_result(name, pa.array([3, 2**25, 5], pa.int64())).bound == 0


def test_the_deviation_of_great_ids_is_known_to_the_distance_of_doubles() -> None:
    """From 2**60 on, every 256th integer is a double."""
    ids = pa.array([2**60 + number for number in range(101)], pa.int64())
    found, exact = metric_result("std", ids), np.arange(101).std()
    assert exact == pytest.approx(29.15, abs=0.01)
    assert abs(found.value - exact) <= found.bound < 300


def test_least_and_greatest_values_that_are_only_shown_have_a_bound() -> None:
    found = metric_result("max", pa.array([float(np.float64(2**60)), INF]))
    assert (found.shown, found.bound, found.status) == (2.0**60, 2.0**7, "insufficient_data")


class TestBooleans:
    """Integers of a boolean field, of which only 0 and 1 are booleans."""

    @pytest.mark.parametrize("type_", [pa.int8(), pa.uint8(), pa.int32(), pa.int64()])
    @pytest.mark.parametrize(("other", "status"), [(10, "ok"), (300, "insufficient_data")])
    def test_other_integers_are_left_out_and_told(self, type_: pa.DataType, other: int, status: str) -> None:
        array = pa.array([0] * 200 + [1] * 100 + [None] * 7 + [2] * other, type_)
        expected = {
            "histogram": {"counts": {"false": 200, "true": 100}, "unlisted": 0},
            "unique_values": 2,
            "value_count": 100,
        }
        for name, value in expected.items():
            found = metric_result(name, array, "boolean", value="true")
            assert (found.status, found.left_out) == (status, other)
            assert (found.value if status == "ok" else found.shown) == value
            assert found.reason == f"integers other than 0 and 1 in a boolean field are left out: {other}"
        assert metric_result("missing_count", array, "boolean").value == 7
        assert metric_result("column_count", array, "boolean").value == 300 + other
        assert metric_result("count", array, "boolean").value == 307 + other

    def test_minus_one_is_not_true(self) -> None:
        found = metric_result("histogram", pa.array([1, -1] * 150), "boolean")
        assert (found.value, found.status, found.left_out) == (None, "insufficient_data", 150)
        assert found.shown == {"counts": {"true": 150}, "unlisted": 0}

    @pytest.mark.parametrize("values", [[0, 1, 1], [True, False, True], [None, None]])
    def test_booleans_leave_none_out(self, values: list[Any]) -> None:
        found = metric_result("histogram", pa.array(values), "boolean")
        assert (found.left_out, found.reason) == (0, None)

    def test_distances_tell_it_of_either_side(self) -> None:
        right, wrong = pa.array([True, False] * 1_000), pa.array([1, 0] * 1_000 + [-1] * 1_500)
        for sides, place in (((right, wrong), ""), ((wrong, right), "in the baseline, ")):
            answer = compared(*sides, "boolean", "hellinger_distance")
            assert (answer.value, answer.status, answer.left_out) == (None, "insufficient_data", 1_500)
            assert answer.shown == pytest.approx(0, abs=1e-7)
            assert f"{place}integers other than 0 and 1 in a boolean field are left out: 1500" in (
                answer.reason or ""
            )


def compared(before: pa.Array, now: pa.Array, type_: str, metric: str) -> MetricResult:
    field = FieldPlan(KEY, type_, "c")
    bins = bins_by_key(before, field)
    sides = (ComparedState(states_of(array, field, bins)[KEY], bins[KEY]) for array in (before, now))
    return drift(metric, *sides)


class TestDistances:
    def test_infinite_values_are_left_out_and_told(self) -> None:
        numbers = np.random.default_rng(1).normal(size=2_000)
        before, few = pa.array(numbers), pa.array(np.where(np.arange(2_000) < 3, INF, numbers))
        answer = compared(before, few, "numeric", "ks_distance")
        assert (answer.status, answer.left_out, answer.samples) == ("ok", 3, 1_997)
        assert answer.reason == "infinite values are left out: 3"
        many = pa.array(np.where(np.arange(2_000) < 500, -INF, numbers))
        answer = compared(before, many, "numeric", "ks_distance")
        assert (answer.status, answer.value, answer.left_out) == ("insufficient_data", None, 500)
        assert answer.shown == pytest.approx(ks_2samp(numbers, numbers[500:]).statistic, abs=0.01)

    def test_vectors_of_another_dimension_are_left_out_and_told(self) -> None:
        vectors = np.random.default_rng(2).normal(size=(2_000, 3)).tolist()
        before, now = pa.array(vectors), pa.array([*vectors[:1_500], *[[1.0, 2.0]] * 50])
        answer = compared(before, now, "vector", "euclidean_distance")
        assert (answer.status, answer.left_out, answer.samples) == ("ok", 50, 1_500)
        assert answer.value == pytest.approx(
            np.linalg.norm(np.mean(vectors, axis=0) - np.mean(vectors[:1_500], axis=0)), rel=1e-9
        )
        for name in ("mean_vector", "mean_norm"):
            field = FieldPlan(KEY, "vector", "c")
            bins = bins_by_key(before, field)
            found = statistic(
                name, "vector", states_of(now, field, bins)[KEY], StatisticParameters(bins[KEY])
            )
            assert (found.left_out, found.samples) == (50, 1_500)
            assert "of another dimension" in (found.reason or "")

    def test_infinite_values_of_the_baseline_are_left_out_and_told(self) -> None:
        numbers = np.random.default_rng(3).normal(size=4_000)
        now = pa.array(numbers[2_000:])
        few = pa.array(np.where(np.arange(2_000) < 5, -INF, numbers[:2_000]))
        answer = compared(few, now, "numeric", "ks_distance")
        assert (answer.status, answer.left_out, answer.baseline_samples) == ("ok", 5, 1_995)
        assert answer.reason == "in the baseline, infinite values are left out: 5"
        many = pa.array(np.where(np.arange(2_000) < 500, INF, numbers[:2_000]))
        answer = compared(many, now, "numeric", "ks_distance")
        assert (answer.status, answer.value, answer.left_out) == ("insufficient_data", None, 500)
        expected = ks_2samp(numbers[500:2_000], numbers[2_000:]).statistic
        assert answer.shown == pytest.approx(expected, abs=0.01)

    def test_both_sides_are_counted_by_themselves(self) -> None:
        numbers = np.random.default_rng(4).normal(size=4_000)
        numbers[:100], numbers[4_000 - 60 :] = INF, -INF
        answer = compared(pa.array(numbers[:2_000]), pa.array(numbers[2_000:]), "numeric", "drift_score")
        assert answer.left_out == 160
        assert answer.reason == (
            "infinite values are left out: 60; in the baseline, infinite values are left out: 100"
        )
        # 100 of 2,000 are a twentieth of them, and not more.
        assert answer.status == "ok"

    @pytest.mark.parametrize(("wrong", "status"), [(50, "ok"), (500, "insufficient_data")])
    def test_vectors_of_the_baseline_are_left_out_and_told(self, wrong: int, status: str) -> None:
        vectors = np.random.default_rng(5).normal(size=(3_000, 3))
        before = pa.array([*vectors[:1_500].tolist(), *[[1.0, 2.0]] * wrong])
        answer = compared(before, pa.array(vectors[1_500:].tolist()), "vector", "euclidean_distance")
        assert (answer.status, answer.left_out, answer.baseline_samples) == (status, wrong, 1_500)
        assert f"missing or infinite, are left out: {wrong}" in (answer.reason or "")
        expected = np.linalg.norm(vectors[:1_500].mean(axis=0) - vectors[1_500:].mean(axis=0))
        assert (answer.value if answer.shown is None else answer.shown) == pytest.approx(expected, rel=1e-9)

    def test_without_a_distance_the_reason_says_what_is_left_out(self) -> None:
        shorter, longer = pa.array([[1.0, 2.0]] * 300), pa.array([[1.0, 2.0, 3.0]] * 400)
        answer = compared(shorter, longer, "vector", "euclidean_distance")
        assert (answer.status, answer.value, answer.left_out) == ("undefined", None, 400)
        assert "are left out: 400" in (answer.reason or "")
