"""Drift of a field from its states, whatever its type."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.drift.distance_result import Minimum
from aporia_provider.monitoring.drift.field_drift import ComparedState, drift
from aporia_provider.monitoring.drift.measures import CATEGORY_METRICS, NUMERIC_METRICS
from aporia_provider.monitoring.profiles.plan import Bins
from aporia_provider.monitoring.states.vector_state import VectorBins, norms
from tests.monitoring.columns import KEY, states_of
from tests.sizes import sized

Vectors = NDArray[np.float64]
ANY = Minimum(1, 0, 1)
OFFSET = 2.0**53


def side(values: pa.Array, type_: str, bins: Bins | None) -> ComparedState:
    return ComparedState(states_of(values, type_, {KEY: bins} if bins else {})[KEY], bins)


def of_vectors(vectors: Vectors, norm: NumericBins | None = None) -> ComparedState:
    return side(pa.array(list(vectors)), "vector", VectorBins(vectors.shape[1], norm))


def samples(rng: np.random.Generator, count: int) -> Vectors:
    """Vectors far from zero, whose components have different variances and depend on one another."""
    drawn = rng.normal([50, 0, -3, 7], [1, 2, 0.5, 0.1], (count, 4))
    drawn[:, 1] += drawn[:, 0]
    return drawn


@pytest.mark.slow
def test_noise_of_vectors_is_the_root_of_what_two_samples_have_on_average() -> None:
    rng = np.random.default_rng(21)
    squares, noises = [], []
    for _ in range(400):
        one, other = samples(rng, 300), samples(rng, 100)
        bins = NumericBins.of(norms(one))
        answer = drift("drift_score", of_vectors(one, bins), of_vectors(other, bins), minimum=ANY)
        squares.append(answer.value**2)
        noises.append(answer.noise)
    assert np.mean(noises) == pytest.approx(np.sqrt(np.mean(squares)), rel=0.1)
    # The variances are 1, 1 + 4, 0.25 and 0.01.
    assert np.mean(noises) == pytest.approx(np.sqrt(6.26 * (1 / 300 + 1 / 100)), rel=0.02)


@pytest.mark.parametrize("binned", [(True, True), (False, True), (True, False), (False, False)])
def test_noise_of_vectors_is_that_of_all_of_them_whatever_their_bins(binned: tuple[bool, bool]) -> None:
    rng = np.random.default_rng(22)
    one, other = samples(rng, 30), samples(rng, 12) + 1
    sides = [
        of_vectors(vectors, NumericBins.of(norms(vectors)) if known else None)
        for vectors, known in zip((one, other), binned, strict=True)
    ]
    answer = drift("euclidean_distance", *sides, minimum=ANY)
    variances = np.concatenate([one, other]).var(axis=0, ddof=1)
    assert answer.noise == pytest.approx(np.sqrt(variances.sum() * (1 / 30 + 1 / 12)), rel=1e-9)
    assert answer.excess == pytest.approx(answer.value - answer.noise)


def test_noise_of_vectors_that_are_all_the_same_is_none_at_all() -> None:
    same = of_vectors(np.full((5, 3), 1 / 3))
    answer = drift("drift_score", same, same, minimum=ANY)
    assert answer.value == 0
    assert answer.noise == pytest.approx(0, abs=1e-7)


def test_noise_of_vectors_near_the_limit_of_floats_is_finite() -> None:
    sides = (of_vectors(np.array([[number]])) for number in (1.3e154, -1.3e154))
    answer = drift("drift_score", *sides, minimum=ANY)
    assert answer.value == pytest.approx(2.6e154)
    assert 1e154 < (answer.noise or 0) < np.inf


def test_vectors_longer_than_a_float_can_say_have_no_distance() -> None:
    usual, long = of_vectors(np.array([[3.0, 4.0]])), of_vectors(np.array([[1e200, 1e200], [3.0, 4.0]]))
    for pair in ((usual, long), (long, usual)):
        answer = drift("drift_score", *pair, minimum=ANY)
        assert (answer.value, answer.status) == (None, "undefined")
        assert "length" in (answer.reason or "")


@pytest.mark.parametrize("metric", sorted(NUMERIC_METRICS))
def test_every_distance_of_numbers_comes_with_noise_and_excess(metric: str) -> None:
    rng = np.random.default_rng(23)
    one, other = rng.normal(size=3000), rng.normal(1, 1, 500)
    bins = NumericBins.of(one)
    answer = drift(metric, *(side(pa.array(values), "numeric", bins) for values in (one, other)))
    assert 0 < (answer.noise or 0) < answer.value
    assert answer.excess == pytest.approx(answer.value - answer.bound - answer.noise)


def small_day(metric: str, minimum: Minimum | None = None) -> MetricResult:
    rng = np.random.default_rng(24)
    one, other = rng.normal(size=3000), rng.normal(1, 1, 165)
    bins = NumericBins.of(one)
    sides = [side(pa.array(values), "numeric", bins) for values in (one, other)]
    return drift(metric, *sides, **({"minimum": minimum} if minimum else {}))


@pytest.mark.parametrize("metric", sorted(NUMERIC_METRICS))
def test_a_small_day_shows_its_distance_and_says_what_to_ask(metric: str) -> None:
    answer, enough = small_day(metric), small_day(metric, Minimum(165, 0, 1000))
    assert (answer.value, answer.status, enough.status) == (None, "insufficient_data", "ok")
    assert answer.shown == enough.value > 0.2
    shared = ("noise", "excess", "bound", "samples", "baseline_samples")
    assert [getattr(answer, name) for name in shared] == [getattr(enough, name) for name in shared]
    assert answer.reason == (
        "there are 165 values, but 200 are required: set minimum=165, or use a longer time range"
    )


def test_few_vectors_show_their_distance() -> None:
    rng = np.random.default_rng(25)
    sides = of_vectors(samples(rng, 2000)), of_vectors(samples(rng, 165) + 1)
    answer, enough = drift("drift_score", *sides), drift("drift_score", *sides, minimum=ANY)
    assert (answer.value, answer.status) == (None, "insufficient_data")
    assert (answer.shown, answer.noise, answer.excess) == (enough.value, enough.noise, enough.excess)
    assert "minimum=165" in (answer.reason or "")


def test_a_distance_that_may_be_anything_is_no_answer() -> None:
    """The bins of one side were made from one value, so where the others are is not known."""
    rng = np.random.default_rng(26)
    baseline = np.concatenate([np.zeros(600), rng.normal(5, 1, 1400)])
    one_row = NumericBins.of(np.array([0.1]))
    sides = (
        side(pa.array(baseline), "numeric", NumericBins.of(baseline)),
        side(pa.array(rng.normal(1, 3, 1000)), "numeric", one_row),
    )
    for metric in ("js_distance", "ks_distance", "psi"):
        answer = drift(metric, *sides)
        assert (answer.value, answer.status) == (None, "insufficient_data"), metric
        assert answer.bound > answer.shown / 2
        assert answer.excess == max(0, answer.shown - answer.bound - answer.noise)


@pytest.mark.parametrize("metric", sorted(CATEGORY_METRICS))
def test_every_distance_of_categories_comes_with_noise_and_excess(metric: str) -> None:
    sides = [
        side(pa.array(texts), "categorical", None) for texts in (["a", "b"] * 600, ["a"] * 200 + ["c"] * 50)
    ]
    answer = drift(metric, *sides)
    assert 0 < (answer.noise or 0) < answer.value
    assert answer.excess == pytest.approx(answer.value - answer.noise)


def test_a_baseline_that_is_one_value_and_what_leaves_it() -> None:
    for there in (2015.0, 2013.0):
        constant = np.full(2000, 2014.0)
        bins = NumericBins.of(constant)
        sides = [side(pa.array(values), "numeric", bins) for values in (constant, np.full(500, there))]
        for metric in sorted(NUMERIC_METRICS):
            answer = drift(metric, *sides)
            assert (answer.status, answer.bound) == ("ok", pytest.approx(0, abs=1e-9)), metric
            assert answer.excess > 0.9


@pytest.mark.slow
@settings(max_examples=sized(8, 30))
@given(
    st.integers(0, 2**32),
    st.sampled_from([(2.0**996, 0.0), (2.0**-996, 0.0), (2.0**-500, 0.0), (2.0**600, 0.0), (32.0, OFFSET)]),
    st.floats(-1, 1),
    st.floats(0.5, 2),
    st.booleans(),
)
def test_the_normalised_distance_does_not_depend_on_the_scale(
    seed: int, unit: tuple[float, float], shift: float, factor: float, own: bool
) -> None:
    """Powers of two scale without rounding, so the distance is that of the values scaled back."""
    rng = np.random.default_rng(seed)
    scale, offset = unit
    one, other = (
        values * scale + offset for values in (rng.normal(size=2000), rng.normal(shift, factor, 500))
    )
    bins = NumericBins.of(one), NumericBins.of(other if own else one)
    sides = [
        side(pa.array(values), "numeric", field_bins)
        for values, field_bins in zip((one, other), bins, strict=True)
    ]
    back = [(values - offset) / scale for values in (one, other)]
    answer = drift("normalised_wasserstein_distance", *sides)
    found = answer.value if answer.status == "ok" else answer.shown
    low, high = np.quantile(back[0], [0.001, 0.999]) + np.array([-1, 1]) * back[0].std()
    exact = wasserstein_distance(*(np.clip(values, low, high) for values in back)) / back[0].std()
    # The trimming quantiles are edges near those of numpy.
    assert abs(found - exact) <= answer.bound + 0.002
    assert answer.bound < 0.25
    raw = drift("wasserstein_distance", *sides)
    assert raw.status == "ok" or raw.bound > raw.shown / 2
    number = raw.value if raw.status == "ok" else raw.shown
    assert abs(number / scale - wasserstein_distance(*back)) <= raw.bound / scale + 1e-9


def test_a_spread_that_the_squares_do_not_tell_is_no_unit() -> None:
    bins = NumericBins.of(np.array([1.0, 2.0]))
    sides = [
        side(pa.array(values), "numeric", bins)
        for values in (np.tile([1e9, 1e9 + 1e-6], 600), np.full(300, 1e9))
    ]
    answer = drift("normalised_wasserstein_distance", *sides)
    assert (answer.value, answer.status) == (None, "undefined")
    assert "standard deviation" in (answer.reason or "")
    assert drift("ks_distance", *sides).samples == 300


def test_values_one_float_apart_are_compared_exactly() -> None:
    """On an offset of 2**53 floats are 2 apart: the bin of a value is as wide as the way to the next one."""
    rng = np.random.default_rng(27)
    one, other = (rng.normal(shift, 10, size) + OFFSET for shift, size in ((0, 3000), (5, 1000)))
    bins = NumericBins.of(one)
    sides = [side(pa.array(values), "numeric", bins) for values in (one, other)]
    back = [values - OFFSET for values in (one, other)]
    raw, normalised = (drift(f"{kind}wasserstein_distance", *sides) for kind in ("", "normalised_"))
    assert raw.value == pytest.approx(wasserstein_distance(*back), rel=1e-9)
    # It is trimmed besides.
    assert normalised.value == pytest.approx(raw.value / back[0].std(), rel=2e-3)
    assert (raw.bound < 1e-9, normalised.bound < 1e-3) == (True, True)
