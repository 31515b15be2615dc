"""Intervals for shares and counts at three standard errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, poisson

from aporia_provider.monitoring.confidence.interval import Interval, exactly
from aporia_provider.monitoring.intervals import greatest_count, interval, normal

BEYOND = float(norm.sf(3))


def exact(found: int, size: int) -> tuple[float, float]:
    """Clopper and Pearson's interval."""
    limits = binomtest(found, size).proportion_ci(1 - 2 * BEYOND, method="exact")
    return float(limits.low), float(limits.high)


@pytest.mark.parametrize(("found", "size"), [(10, 20), (10, 5_000), (300, 1_000), (990, 1_000)])
def test_with_ten_of_each_kind_it_is_wilsons(found: int, size: int) -> None:
    limits = binomtest(found, size).proportion_ci(1 - 2 * BEYOND, method="wilson")
    made = interval(found / size, size)
    assert (made.low, made.high) == pytest.approx((limits.low, limits.high), rel=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 10, 625, 100_000])
def test_with_none_or_all_it_is_exact(size: int) -> None:
    for found in (0, size):
        made = interval(found / size, size)
        assert (made.low, made.high) == pytest.approx(exact(found, size), rel=1e-4, abs=1e-12)


@pytest.mark.slow
@given(st.integers(1, 200), st.data())
def test_with_few_it_is_no_narrower_than_the_exact_one(size: int, data: st.DataObject) -> None:
    found = data.draw(st.integers(0, size))
    made, (low, high) = interval(found / size, size), exact(found, size)
    assert 0 <= made.low <= made.value <= made.high <= 1
    if min(found, size - found) < 10:
        assert made.low <= low + 1e-6
        assert made.high >= high - 1e-6
        assert made.high - made.low < 1.3 * (high - low) + 1e-9


@pytest.mark.parametrize("mean", [0.0, 0.1, 1.0, 10.0, 1_000.0])
def test_counts_beyond_the_greatest_are_as_rare_as_three_deviations(mean: float) -> None:
    assert poisson.sf(greatest_count(mean), mean) < 2 * BEYOND


def test_sums_and_multiples() -> None:
    assert (exactly(2) + Interval(3, 1, 4)) * 0.5 == Interval(2.5, 1.5, 3.0)


def test_independent_errors_add_up_as_their_squares() -> None:
    assert Interval(5, 2, 9).with_errors(Interval(5, 1, 8)) == Interval(5, 0, 10)
    assert normal(1, 2).with_errors(normal(1, 1.5)) == normal(1, 2.5)
