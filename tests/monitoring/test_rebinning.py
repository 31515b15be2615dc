"""Histograms on other edges than their own."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.drift.bin_distances import (
    hellinger_distance,
    js_distance,
    linf_distance,
    psi,
    total_variation,
)
from aporia_provider.monitoring.drift.rebinning import (
    NumericHistogram,
    common_edges,
    counts_below,
    counts_between,
    tail_areas,
    tail_steps,
)
from tests.monitoring.histograms import any_bins, bins_of, histogram, samples, sides, sure

BINS = NumericBins((0.0, 1.0, 3.0), (1,), 0.0)
# Two at 2 below, four from 0 to 1, eight from 1 to 3, and one at 7 above.
HISTOGRAM = NumericHistogram(BINS, (2, 4, 8, 1), 4, Fraction(4))


def below(*edges: float) -> tuple[list[float], list[float], list[float]]:
    found = counts_below(HISTOGRAM, np.array(edges))
    return found.low.tolist(), found.value.tolist(), found.high.tolist()


def test_own_edges_are_exact() -> None:
    assert below(0.0, 1.0, 3.0) == ([2, 6, 14], [2, 6, 14], [2, 6, 14])


def test_inside_a_bin_values_are_spread_evenly() -> None:
    assert below(0.25, 1.5) == ([2, 6], [3, 8], [6, 14])


def test_bin_of_a_few_of_the_smallest_floats() -> None:
    tiny = float(np.nextafter(0, 1))
    narrow = NumericHistogram(NumericBins((0.0, 3 * tiny), (), 0.0), (0, 6, 0), 0, 0)
    found = counts_below(narrow, np.array([tiny]))
    assert (found.low, found.high) == ([0], [6])
    assert 0 <= found.value[0] <= 6


def test_outside_values_are_at_their_mean() -> None:
    assert below(-1.0, -2.0, -8.0) == ([0, 0, 0], [2, 0, 0], [2, 2, 0.5])
    assert below(4.0, 11.0) == ([14, 14.5], [14, 15], [15, 15])


def test_the_farthest_value_tells_how_many_are_far() -> None:
    """Four values above 3, at 4 from it on average: at 4 each if none is farther, and nothing beyond it."""
    known = NumericHistogram(BINS, (0, 0, 0, 4), 0, 16, None, 7.0)
    found = counts_below(known, np.array([5.0, 6.9, 7.5]))
    assert found.low.tolist() == pytest.approx([0, 0, 4])
    assert found.high.tolist() == pytest.approx([0, 0, 4])
    spread = NumericHistogram(BINS, (0, 0, 0, 4), 0, 16, None, 11.0)
    # At least 16 - 4 * 2 of what the values are beyond 5 takes 8 / (8 - 2) of them; at most all are.
    found = counts_below(spread, np.array([5.0]))
    assert (found.low.tolist(), found.high.tolist()) == ([0], pytest.approx([4 - 8 / 6]))


def test_counts_between_boundaries() -> None:
    found = counts_between(HISTOGRAM, [0.25, 1.0])
    assert found.value.tolist() == [3, 3, 9]
    assert found.low.tolist() == [2, 0, 9]
    assert found.high.tolist() == [6, 4, 9]
    assert not found.exact
    assert counts_between(HISTOGRAM, BINS.edges).exact
    assert counts_between(HISTOGRAM, []).value.tolist() == [15]


def test_own_coarse_bins_are_sums_of_counts() -> None:
    values = np.random.default_rng(14).normal(size=999)
    own = histogram(values)
    assert counts_between(own, own.bins.boundaries).value.tolist() == list(own.bins.coarsen(own.counts))


def test_nothing_counted() -> None:
    for counts in ((), (0, 0, 0, 0)):
        none = NumericHistogram(BINS, counts, 0, 0)
        assert counts_between(none, [0.5]).value.tolist() == [0, 0]
        assert none.samples == 0


def test_common_edges() -> None:
    other = NumericHistogram(NumericBins((-1.0, 1.0, 2.0), (), 0.0), (0, 0, 0, 0), 0, 0)
    assert common_edges(HISTOGRAM, other).tolist() == [-1, 0, 1, 2, 3]


def test_tails_shrink_as_the_edges_move_out() -> None:
    below, above = tail_areas(HISTOGRAM, 0.0, 3.0)
    assert below.exact
    assert above.exact
    assert below.value == above.value == pytest.approx(4 / 15)
    below, above = tail_areas(HISTOGRAM, -1.0, 9.0)
    assert below.low == below.value == pytest.approx(2 / 15)
    assert (above.low, above.value) == (0, 0)
    assert below.high == above.high == pytest.approx(4 / 15)


def test_steps_are_at_the_means_of_the_tails() -> None:
    assert tail_steps(HISTOGRAM) == pytest.approx([-2, -2, 7, 7])
    around = np.array(tail_steps(HISTOGRAM))
    assert counts_below(HISTOGRAM, np.sort(around)).value.tolist() == [0, 2, 14, 15]
    assert tail_steps(histogram([1.0])) == [1.0, 1.0, *[np.nextafter(1.0, 2)] * 2]


@pytest.mark.parametrize("endless", [Fraction(10) ** 400, math.inf, 1e308])
def test_tail_no_float_can_hold_is_as_long_as_a_tail_can_be(endless: float | Fraction) -> None:
    far = NumericHistogram(BINS, (1, 0, 0, 0), endless, 0)
    below, _ = tail_areas(far, -1.0, 3.0)
    assert below.value == 2.0**1020
    found = counts_below(far, np.array([-1e300]))
    assert (found.low, found.value, found.high) == ([0], [1], [1])


@pytest.mark.slow
@given(samples, any_bins, st.lists(st.integers(-10, 30).map(lambda number: number / 5), min_size=1))
def test_true_counts_are_between_the_bounds(
    values: np.ndarray, bins: NumericBins, edges: list[float]
) -> None:
    found = counts_below(histogram(values, bins), np.array(edges))
    true = np.array([(values < edge).sum() for edge in edges])
    assert (found.low - 1e-9 <= true).all()
    assert (true <= found.high + 1e-9).all()
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()


@pytest.mark.slow
@given(sides)
def test_bounds_of_distances_of_bins_hold_for_two_baselines(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    one, other = pair
    baseline = histogram(one)
    boundaries = baseline.bins.boundaries
    first = counts_between(baseline, boundaries)
    exact = counts_between(histogram(other, baseline.bins), boundaries)
    estimated = counts_between(histogram(other), boundaries)
    for function in (js_distance, hellinger_distance, psi, total_variation, linf_distance):
        truth, distance = sure(function(first, exact)), sure(function(first, estimated))
        assert truth.bound == 0
        assert abs(truth.value - distance.value) <= distance.bound + 1e-7


def test_discrete_baselines_are_compared_exactly() -> None:
    one, other = np.repeat([1.0, 2, 3], [50, 30, 20]), np.repeat([2.0, 3, 4], [10, 60, 30])
    baseline = histogram(one)
    for bins in (baseline.bins, bins_of(other)):
        current = counts_between(histogram(other, bins), baseline.bins.boundaries)
        assert current.value.tolist() == [0, 0, 0, 10, 0, 60, 30]


def test_continuous_baselines_are_compared_closely() -> None:
    rng = np.random.default_rng(15)
    one, other = rng.normal(size=50_000), rng.normal(0.2, 1.1, 50_000)
    baseline = histogram(one)
    boundaries = baseline.bins.boundaries
    first = counts_between(baseline, boundaries)
    exact = sure(psi(first, counts_between(histogram(other, baseline.bins), boundaries)))
    distance = sure(psi(first, counts_between(histogram(other), boundaries)))
    assert distance.value == pytest.approx(exact.value, abs=2e-4)
    assert distance.bound < 0.03
