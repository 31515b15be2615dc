"""The chi-squared test."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, chi2_contingency

from aporia_provider.monitoring.drift.chi_squared import ChiSquared, chi_squared, chi_squared_tail
from aporia_provider.monitoring.drift.distance_result import InsufficientData


def chi(baseline: list[int], current: list[int]) -> ChiSquared:
    outcome = chi_squared(baseline, current)
    assert isinstance(outcome, ChiSquared)
    return outcome


def test_four_categories() -> None:
    test = chi([50, 30, 20, 0], [30, 30, 30, 10])
    assert test.value == pytest.approx(17.0)
    assert test.p_value == pytest.approx(7.067e-4, rel=1e-4)
    assert (test.degrees, test.noise, test.bins, test.samples, test.baseline_samples) == (3, 3, 4, 100, 100)
    assert test.cramers_v.value == pytest.approx(math.sqrt(17 / 200))
    assert test.cramers_v.noise == pytest.approx(math.sqrt(3 / 200))


@pytest.mark.slow
@given(
    st.integers(2, 30).flatmap(
        lambda bins: st.tuples(*[st.lists(st.integers(100, 500), min_size=bins, max_size=bins)] * 2)
    )
)
def test_well_filled_table_equals_scipy(table: tuple[list[int], list[int]]) -> None:
    test, expected = chi(*table), chi2_contingency(np.array(table), correction=False)
    assert test.value == pytest.approx(expected.statistic, rel=1e-9, abs=1e-9)
    assert test.p_value == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-300)
    assert test.degrees == expected.dof
    assert 0 <= test.cramers_v.value <= 1


def test_rare_categories_become_one_until_a_fifth_is_rare() -> None:
    baseline, current = [100, 90, 80, 1, 2, 3, 0], [110, 80, 90, 2, 0, 1, 1]
    pooled = [[100, 90, 80, 6], [110, 80, 90, 4]]
    test = chi(baseline, current)
    expected = chi2_contingency(np.array(pooled))
    assert (test.value, test.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert (test.degrees, test.bins, test.samples) == (3, 4, 284)


def test_a_fifth_may_be_rare() -> None:
    table = [100, 100, 100, 100, 3], [100, 100, 100, 100, 3]
    assert chi(*table).degrees == 4
    assert chi(table[0][1:], table[1][1:]).degrees == 2


def test_rare_category_alone_is_pooled_with_the_next() -> None:
    assert chi([100, 50, 20, 1], [100, 50, 20, 0]).degrees == 2


def test_two_categories_need_ten_each() -> None:
    assert chi([90, 10], [90, 10]).degrees == 1
    outcome = chi_squared([90, 10], [90, 9])
    assert outcome == InsufficientData("the expected counts are too small for a test", 99, 100)


def test_new_and_vanished_categories() -> None:
    test = chi([100, 100, 0], [100, 0, 100])
    expected = chi2_contingency(np.array([[100, 100, 0], [100, 0, 100]]))
    assert (test.value, test.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_nothing_in_common_is_an_effect_of_one() -> None:
    assert chi([50, 0], [0, 70]).cramers_v.value == pytest.approx(1)


def test_no_difference() -> None:
    test = chi([500, 300], [50, 30])
    assert (test.value, test.p_value, test.cramers_v.value) == (0, 1, 0)


def test_one_category_is_no_difference() -> None:
    test = chi([5, 0], [9, 0])
    assert (test.value, test.degrees, test.p_value, test.bins) == (0, 0, 1, 1)


@pytest.mark.parametrize(("baseline", "current"), [([1, 2], [0, 0]), ([], [1]), ([], []), ([1], [])])
def test_no_values_is_no_test(baseline: list[int], current: list[int]) -> None:
    outcome = chi_squared(baseline, current)
    assert isinstance(outcome, InsufficientData)
    assert (outcome.samples, outcome.baseline_samples) == (sum(current), sum(baseline))


def test_other_categories_are_refused() -> None:
    with pytest.raises(ValueError, match="2 categories cannot be compared to 1"):
        chi_squared([1, 2], [3])


@pytest.mark.parametrize("degrees", [1, 2, 3, 10, 11, 255, 600])
@pytest.mark.parametrize("statistic", [0.0, 1e-9, 0.5, 3.0, 17.0, 300.0, 900.0, 1e6])
def test_tail_equals_scipy(statistic: float, degrees: int) -> None:
    assert chi_squared_tail(statistic, degrees) == pytest.approx(
        chi2.sf(statistic, degrees), rel=1e-9, abs=1e-300
    )


def test_without_degrees_there_is_nothing_but_zero() -> None:
    assert (chi_squared_tail(0, 0), chi_squared_tail(1, 0)) == (1, 0)
