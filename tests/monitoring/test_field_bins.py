"""The bins a baseline fixes."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.statistics.moments import standard_deviation
from tests.monitoring.histograms import bins_of, histogram

GREATEST = float(np.finfo(np.float64).max)
TINY = math.ulp(0.0)


def after(value: float) -> float:
    return float(np.nextafter(value, np.inf))


def test_continuous_field_has_deciles_and_240ths_of_the_baseline() -> None:
    values = np.random.default_rng(1).normal(size=5000)
    bins = bins_of(values)
    assert bins.boundaries == pytest.approx(np.quantile(values, np.arange(1, 10) / 10).tolist(), abs=1e-14)
    expected = np.quantile(values, [*np.arange(241) / 240, 0.001, 0.999])
    assert bins.edges == pytest.approx(sorted([*expected, after(values.max())]), abs=1e-14)
    assert bins.centre == pytest.approx(values.mean())


def test_outer_bins_are_beyond_the_baseline_and_the_last_but_one_is_its_maximum() -> None:
    values = np.random.default_rng(2).normal(size=1000)
    top, bottom = values.max(), values.min()
    counts = histogram([bottom, top, after(top), np.nextafter(bottom, -9)], bins_of(values)).counts
    assert (counts[0], counts[1], counts[-2], counts[-1]) == (1, 1, 1, 1)
    assert sum(counts) == 4


def test_few_distinct_values_have_a_coarse_bin_each_and_so_has_what_is_between() -> None:
    bins = bins_of([1.0, 3.0, 3.0, 2.0])
    assert bins.edges == (1.0, after(1.0), 2.0, after(2.0), 3.0, after(3.0))
    assert bins.boundaries == bins.edges
    assert bins.coarsen(histogram([0, 1, 1, 1.5, 2, 2.5, 3, 4], bins).counts) == (1, 2, 1, 1, 1, 1, 1)


@pytest.mark.parametrize(("distinct", "discrete"), [(1, True), (50, True), (51, False)])
def test_fifty_distinct_values_are_few(distinct: int, discrete: bool) -> None:
    bins = bins_of(np.repeat(np.arange(distinct), 3))
    assert (bins.boundaries == bins.edges) is discrete


def test_frequent_value_has_bins_of_its_own_and_the_others_have_ten() -> None:
    values = np.concatenate([np.zeros(650), np.linspace(1, 2, 350)])
    bins = bins_of(values)
    assert bins.edges[:2] == (0.0, TINY)
    assert bins.boundaries[:2] == (0.0, TINY)
    assert bins.coarsen(histogram(values, bins).counts) == (0, 650, *(35,) * 10)


def test_value_that_is_more_than_one_quantile_of_its_range_has_bins_of_its_own() -> None:
    # Nine in ten values are zero. Of the others 60 are -1, no tenth, but half of those below zero.
    values = np.concatenate(
        [np.full(9_000, 0.0), np.linspace(-2, -1.5, 50), np.full(60, -1.0), np.linspace(1, 2, 890)]
    )
    bins = bins_of(values)
    assert {-1.0, after(-1.0)} <= set(bins.boundaries)


def test_maximum_that_is_many_values_has_a_coarse_bin_of_its_own() -> None:
    values = np.concatenate([np.linspace(0, 1, 850), np.full(150, 2.0)])
    assert bins_of(values).boundaries[-2:] == (2.0, after(2.0))


def test_out_of_range_values_are_part_of_the_outer_coarse_bins() -> None:
    values = np.random.default_rng(3).normal(size=1000)
    bins = bins_of(values)
    assert bins.coarsen(histogram([-99.0, values.min(), values.max(), 99.0, 99.0], bins).counts) == (
        2, *(0,) * 8, 3,
    )  # fmt: skip


def test_coarse_counts_of_the_baseline_are_a_tenth_each() -> None:
    values = np.random.default_rng(4).normal(size=1000)
    assert bins_of(values).coarsen(histogram(values).counts) == (100,) * 10


def test_coarsen_takes_no_counts_for_zeros_and_refuses_others_bins() -> None:
    bins = bins_of([1.0, 2.0])
    assert bins.coarsen(()) == (0, 0, 0, 0, 0)
    with pytest.raises(ValueError, match="4 counts do not fit 5 bins"):
        bins.coarsen((1, 2, 3, 4))


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf]])
def test_nothing_finite_makes_no_bins(values: list[float]) -> None:
    assert NumericBins.of(np.array(values)) is None


def test_what_is_not_finite_is_ignored() -> None:
    assert bins_of([math.nan, 1.0, math.inf, -math.inf]) == bins_of([1.0])


def test_constant() -> None:
    assert bins_of([7.0] * 9) == NumericBins((7.0, after(7.0)), (0, 1), 7.0)


@pytest.mark.parametrize(
    ("exponent", "unit"), [(0, 1.0), (-399, 1.0), (399, 1.0), (-402, 2.0**-401), (550, 2.0**551)]
)
def test_distances_are_squared_in_a_unit_where_they_are_very_great_or_small(
    exponent: int, unit: float
) -> None:
    """A standard deviation scales with its values exactly, also where their squares overflow or vanish."""
    values = np.array([-1.0, -0.5, 0.5, 1.0])
    bins = bins_of(values * 2.0**exponent)
    assert bins.unit == unit
    state = NumericState.of(values * 2.0**exponent, 0, bins)
    assert standard_deviation(state, bins) == pytest.approx(np.std(values) * 2.0**exponent, rel=1e-12, abs=0)


@pytest.mark.parametrize("values", [[-0.0], [0.0, -0.0], [-TINY, 0.0], [-TINY], [-0.0, *range(100)]])
def test_negative_zero_is_zero(values: list[float]) -> None:
    bins = bins_of(values)
    assert 0.0 in bins.edges
    assert all(math.copysign(1, edge) == 1 for edge in (*bins.edges, bins.centre) if edge == 0)


@pytest.mark.parametrize(
    "values",
    [
        np.array([-GREATEST, GREATEST]),
        np.linspace(-1, 1, 100) * GREATEST,
        np.full(99, GREATEST),
        np.arange(200) * TINY,
        np.concatenate([np.arange(100) * TINY, np.full(2, GREATEST)]),
    ],
)
def test_values_at_the_limits_of_floats(values: np.ndarray) -> None:
    bins = bins_of(values)
    assert all(map(math.isfinite, (*bins.edges, bins.centre, bins.edges[-1] - bins.edges[0])))
    assert all(one < other for one, other in pairwise(bins.edges))
    assert json.loads(json.dumps(bins.to_json(), allow_nan=False)) == bins.to_json()


@given(st.lists(st.floats() | st.sampled_from([0.0, -0.0, 1.0, 2.0]), min_size=1, max_size=300))
def test_every_bins_is_in_order_and_survives_the_database(values: list[float]) -> None:
    bins = NumericBins.of(np.array(values))
    finite = [value for value in values if math.isfinite(value)]
    assert (bins is None) == (not finite)
    if bins is not None:
        assert NumericBins.from_json(json.loads(json.dumps(bins.to_json()))) == bins
        assert bins == NumericBins.of(np.array(values[::-1]))
        assert len(bins.edges) <= 256
        assert all(one < other for one, other in pairwise(bins.edges))
        assert all(one < other for one, other in pairwise(bins.coarse))
        taken = np.clip(finite, -(2.0**1022), 2.0**1022)
        assert taken.min() <= bins.centre <= taken.max()
        counts = histogram(finite, bins).counts
        assert (counts[0], sum(counts), sum(bins.coarsen(counts))) == (0, len(finite), len(finite)) or (
            max(map(abs, finite)) > 2.0**1022  # Which are taken as that.
        )


def test_heavy_tail_keeps_the_trimming_quantiles() -> None:
    values = np.random.default_rng(5).lognormal(sigma=3, size=20_000)
    bins = bins_of(values)
    assert set(np.quantile(values, [0.001, 0.999])) <= set(bins.edges)
    assert bins.edges[-1] == after(values.max())


def test_most_frequent_categories_are_kept_and_ties_are_broken_by_text() -> None:
    assert CategoryBins.of({"b": 2, "a": 2, "c": 3, "none": 0}) == CategoryBins(("c", "a", "b"))
    many = {f"{number:03}": 1 for number in range(400)} | {"often": 2}
    assert CategoryBins.of(many).values == ("often", *(f"{number:03}" for number in range(255)))


def test_categories_survive_the_database() -> None:
    bins = CategoryBins.of({"ü": 1, "": 2})
    assert CategoryBins.from_json(json.loads(json.dumps(bins.to_json()))) == bins
    assert bins.values == ("", "ü")
