"""Statistics at the limits of floats and of times; queries ask for those of ordinary rows."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.arrow import as_floats
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.value_state import ValueState, shortened
from aporia_provider.monitoring.states.vector_state import VectorBins, VectorState
from aporia_provider.monitoring.statistics.field_statistics import StatisticParameters, statistic

LARGEST = 1.7976931348623157e308
LAST = 253_402_300_799_999_999  # Microseconds to the last moment of the year 9999.
FIRST = -62_135_596_800_000_000  # To the first of the year 1.
SQUARES = ("squared_sum", "squared_deviation_sum", "variance", "std")


def metric_result(
    name: str, values: list[float], bins: NumericBins | None = None, **more: Any
) -> MetricResult:
    state = NumericState.of(np.array(values, dtype=np.float64), 0, bins)
    return statistic(name, "numeric", state, StatisticParameters(bins, **more))


def asked_of_times(name: str, *micros: int, **more: Any) -> MetricResult:
    numbers, nulls = as_floats(pa.array(micros, pa.timestamp("us", "UTC")))
    bins = NumericBins.of(numbers)
    return statistic(
        name, "datetime", NumericState.of(numbers, nulls, bins), StatisticParameters(bins, **more)
    )


def assert_undefined(answer: MetricResult, samples: int, *words: str) -> None:
    assert (answer.value, answer.status, answer.samples) == (None, "undefined", samples)
    assert all(word in (answer.reason or "") for word in words), answer.reason


class TestGreatNumbers:
    @pytest.mark.parametrize("name", ["sum", "absolute_sum", "squared_sum"])
    def test_a_sum_beyond_the_largest_float_is_undefined(self, name: str) -> None:
        assert_undefined(metric_result(name, [-1.797e308, -1.797e308]), 2, "float")

    def test_what_a_float_can_hold_is_answered(self) -> None:
        values = [-1.797e308, -1.797e308, 1.797e308]
        assert metric_result("sum", values).value == -1.797e308
        assert metric_result("mean", values[:2]).value == -1.797e308
        assert metric_result("absolute_sum", [LARGEST]).value == LARGEST
        assert metric_result("squared_sum", [1e154, -1e153]).value == pytest.approx(1.01e308, rel=1e-15)

    @pytest.mark.parametrize("name", SQUARES)
    @pytest.mark.parametrize(
        ("values", "baseline"),
        [
            ([1e200, 3e200], None),
            # The squares make no impossible variance here, but one far too small.
            ([-1e200, 1e200], None),
            ([-1e200, 1e200, 5.0], [0.0, 1.0]),
            ([-1e200, 5.0], [0.0, 1.0]),
            ([5.0, 1e200], [0.0, 1.0]),
            ([1.0, 2.0], [1e200]),
            ([-1.797e308, -1.797e308], [1.797e308]),
        ],
    )
    def test_squares_beyond_the_largest_float_are_no_numbers(
        self, name: str, values: list[float], baseline: list[float] | None
    ) -> None:
        bins = NumericBins.of(np.array(baseline)) if baseline else None
        assert_undefined(metric_result(name, values, bins), len(values), "squared distances", "largest float")

    def test_great_values_near_the_baseline_have_a_variance(self) -> None:
        values = [1e160, 1e160 + 4e146, 1e160 - 3e148]
        bins = NumericBins.of(np.array([1e160]))
        exact = [Fraction(value) for value in values]
        mean = sum(exact) / 3
        deviations = float(sum((value - mean) ** 2 for value in exact))
        assert metric_result("squared_deviation_sum", values, bins).value == pytest.approx(
            deviations, rel=1e-14
        )
        assert metric_result("variance", values, bins).value == pytest.approx(deviations / 2, rel=1e-14)
        assert metric_result("std", values, bins).value == pytest.approx(math.sqrt(deviations / 3), rel=1e-14)
        assert_undefined(metric_result("squared_sum", values, bins), 3, "too great")
        assert_undefined(metric_result("std", values), 3, "squared distances")

    @pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-200, -7e150, 5e-324])
    def test_a_constant_is_not_taken_for_too_great(self, value: float) -> None:
        for bins in (None, NumericBins.of(np.array([value])), NumericBins.of(np.array([1.0, 40.3]))):
            answer = metric_result("std", [value] * 7, bins)
            assert answer.status == "ok"
            assert answer.value == pytest.approx(0, abs=max(abs(value), 40) * 1e-7)

    def test_the_variance_of_the_greatest_values_that_have_one(self) -> None:
        values = [-1e153, 2e153, 9e153]
        assert metric_result("variance", values).value == pytest.approx(np.var(values, ddof=1), rel=1e-14)
        assert metric_result("std", values).value == pytest.approx(np.std(values), rel=1e-14)
        # Both squares fit, their sum does not.
        assert_undefined(metric_result("variance", [-1.3e154, 1.3e154]), 2, "too great")
        assert metric_result("std", [-1.3e154, 1.3e154]).value == pytest.approx(1.3e154, rel=1e-14)

    def test_a_sum_of_squares_is_never_below_zero(self) -> None:
        bins = NumericBins.of(np.array([0.1, 0.2, 0.7]))
        assert metric_result("squared_sum", [0.0] * 1000, bins).value == pytest.approx(0, abs=1e-12)
        for centre in np.random.default_rng(4).random(50):
            answer = metric_result("squared_sum", [0.0] * 10, NumericBins.of(np.array([centre])))
            assert answer.value >= 0

    def test_a_quantile_in_a_bin_wider_than_floats_go(self) -> None:
        bins = NumericBins.of(np.array([0.0, 1.0]))
        values = [-1.797e308, 1.0, 1.797e308]
        assert metric_result("quantile", values, bins, quantile=0.5).value == pytest.approx(1.0)
        assert metric_result("quantile", values, bins, quantile=1.0).value == 1.797e308
        lonely = NumericBins((-1.7e308, 1.7e308), (0, 1), 0.0)
        assert_undefined(metric_result("median", [-1.7e308, 5.0, 1.7e308], lonely), 3, "bin")

    def test_vectors(self) -> None:
        bins = VectorBins(1, None)
        numbers = np.array([LARGEST, LARGEST])
        state = VectorState.of(numbers, np.array([1, 1]), 0, bins)
        assert statistic("mean_vector", "vector", state, StatisticParameters(bins)).value == [LARGEST]


class TestTimes:
    @pytest.mark.parametrize("name", ["min", "max", "mean", "median"])
    @pytest.mark.parametrize(
        ("micros", "shown"),
        [
            (LAST, "9999-12-31T23:59:59.999999+00:00"),
            (LAST - 999_999, "9999-12-31T23:59:59+00:00"),
            (FIRST, "0001-01-01T00:00:00+00:00"),
            (0, "1970-01-01T00:00:00+00:00"),
            (-1, "1969-12-31T23:59:59.999999+00:00"),
        ],
    )
    def test_the_limits_of_the_calendar(self, name: str, micros: int, shown: str) -> None:
        answer = asked_of_times(name, micros, micros)
        assert (answer.value, answer.status, answer.samples) == (shown, "ok", 2)

    def test_a_sentinel_beside_ordinary_times(self) -> None:
        day = 1_709_251_200_000_001
        least, greatest = (asked_of_times(name, day, LAST) for name in ("min", "max"))
        assert (least.value, least.bound) == ("2024-03-01T00:00:00.000001+00:00", 0)
        assert greatest.value == "9999-12-31T23:59:59.999999+00:00"

    def test_the_bound_covers_that_states_hold_floats(self) -> None:
        # The nearest float is 7 microseconds away.
        answer = asked_of_times("max", LAST - 24)
        assert answer.value == "9999-12-31T23:59:59.999968+00:00"
        assert 7e-6 <= answer.bound <= 32e-6
        assert asked_of_times("max", 2**53 - 1).bound == 0

    @pytest.mark.parametrize("name", ["min", "max", "mean", "median"])
    # Milliseconds of 2024 read as seconds, what comes after the last moment, and before the first.
    @pytest.mark.parametrize("micros", [1_709_251_200_000 * 1_000_000, LAST + 40, FIRST - 40, -(2**63)])
    def test_what_no_calendar_shows_is_undefined(self, name: str, micros: int) -> None:
        answer = asked_of_times(name, micros, micros)
        assert_undefined(answer, 2, "years 1 to 9999", "unit")

    def test_the_answer_is_about_the_time_not_the_column(self) -> None:
        micros = (1_709_251_200_000_000, 1_709_251_200_000_000_000)
        assert asked_of_times("min", *micros).value == "2024-03-01T00:00:00+00:00"
        assert asked_of_times("quantile", *micros, quantile=0.0).status == "ok"
        assert_undefined(asked_of_times("max", *micros), 2, "years 1 to 9999")

    def test_there_are_none(self) -> None:
        assert_undefined(asked_of_times("max"), 0, "no values")

    def test_lengths_of_texts_are_no_times(self) -> None:
        state = NumericState.of(np.array([1.0, 4.0]), 0, None)
        assert statistic("max_length", "text", state, StatisticParameters()).value == 4.0


class TestValueCounts:
    def count(self, value: str, texts: dict[str, int], *known: str) -> MetricResult:
        state = ValueState.of(texts, sum(texts.values()), 0, CategoryBins(known))
        return statistic("value_count", "categorical", state, StatisticParameters(value=value))

    def test_a_long_value_is_known_by_its_hash(self) -> None:
        long, other = "x" * 300, "x" * 299 + "y"
        texts = {long: 3, other: 2, "a": 1}
        for known in ((), (shortened(long), "a")):
            found = [self.count(value, texts, *known).value for value in (long, other, "a", "x" * 301)]
            assert found == [3, 2, 1, 0]

    def test_it_may_be_given_as_a_histogram_shows_it(self) -> None:
        long = "é" * 201
        assert self.count(shortened(long), {long: 3, "a": 1}).value == 3

    def test_one_of_200_characters_is_not_long(self) -> None:
        assert self.count("x" * 200, {"x" * 200: 2, "x" * 201: 5}).value == 2


@pytest.mark.slow
@pytest.mark.parametrize("distinct", [100, 2_304, 8_681, 40_000])
def test_numbers_of_distinct_values_are_within_their_bounds(distinct: int) -> None:
    found = []
    for seed in range(5):
        texts = {f"{seed}-{place}": 1 + place % 3 for place in range(distinct)}
        bins = CategoryBins(tuple(list(texts)[:256]))
        state = ValueState.of(texts, sum(texts.values()), 0, bins).settled()
        answer = statistic("unique_values", "categorical", state, StatisticParameters(bins=bins))
        assert abs(answer.value - distinct) <= answer.bound
        assert ("estimate" in (answer.reason or "")) is (distinct > 2_304)
        found.append(answer.bound)
    # Three standard errors of a share of 1 to 2 thousand values.
    assert max(found) < 3.1 * distinct / math.sqrt(1_000) if distinct > 2_304 else max(found) == 0


@pytest.mark.slow
def test_numbers_are_finite_or_undefined() -> None:
    """Whatever the values, no statistic raises, and JSON can hold every answer."""
    random = np.random.default_rng(9)
    great = [*(10.0 ** random.integers(-323, 308, 20)), LARGEST, -LARGEST, 0.0, 5e-324, 1.797e308]
    for _ in range(100):
        values, baseline = (random.choice(great, 4) * random.choice([-1, 1], 4) for _ in range(2))
        bins = NumericBins.of(baseline)
        for name in ("mean", "min", "max", "sum", "absolute_sum", *SQUARES):
            for answer in (metric_result(name, values, bins), metric_result(name, values)):
                assert answer.value is None or math.isfinite(answer.value)
        for share in (0.1, 0.5, 0.9):
            answer = metric_result("quantile", values, bins, quantile=share)
            assert answer.value is None or math.isfinite(answer.value)
            assert math.isfinite(answer.bound)
