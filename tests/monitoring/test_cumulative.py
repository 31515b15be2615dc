"""Distances of distribution functions, against those of the values themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp, kstwobign, norm
from scipy.stats import wasserstein_distance as exact_wasserstein
from sklearn.datasets import load_breast_cancer

from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.drift.distance_result import Distance, InsufficientData
from aporia_provider.monitoring.drift.distribution_distances import ks_distance, scale, wasserstein_distance
from aporia_provider.monitoring.drift.rebinning import NumericHistogram
from tests.monitoring.histograms import any_bins, bins_of, histogram, samples, sides, sure

# scipy's p-value, which is not asked for, divides by zero for very few values.
pytestmark = pytest.mark.filterwarnings("ignore:divide by zero")

LOOSE = 1e-9


def exact_ks(one: np.ndarray, other: np.ndarray) -> float:
    return float(ks_2samp(one, other, method="asymp").statistic)


def check(baseline: NumericHistogram, current: NumericHistogram, one: np.ndarray, other: np.ndarray) -> None:
    ks, area = sure(ks_distance(baseline, current)), sure(wasserstein_distance(baseline, current))
    assert 0 <= ks.value <= 1
    assert abs(ks.value - exact_ks(one, other)) <= ks.bound + LOOSE
    exact = exact_wasserstein(one, other)
    assert abs(area.value - exact) <= area.bound + LOOSE * max(1.0, area.bound, exact)
    assert area.noise >= 0
    assert math.isfinite(area.noise)


@pytest.mark.slow
@given(sides)
def test_bounds_hold_on_the_baselines_bins(pair: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = pair
    baseline, current = histogram(one), histogram(other, bins_of(one))
    check(baseline, current, one, other)
    assert sure(ks_distance(baseline, current)).value <= exact_ks(one, other) + LOOSE


@pytest.mark.slow
@given(samples, samples, any_bins)
def test_bounds_hold_on_any_bins(one: np.ndarray, other: np.ndarray, bins: NumericBins) -> None:
    check(histogram(one, bins), histogram(other, bins), one, other)


@pytest.mark.slow
@given(sides)
def test_bounds_hold_for_two_baselines(pair: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = pair
    check(histogram(one), histogram(other), one, other)


@pytest.mark.slow
@given(samples, samples, any_bins, any_bins)
def test_bounds_hold_on_any_two_bins(
    one: np.ndarray, other: np.ndarray, bins: NumericBins, another: NumericBins
) -> None:
    check(histogram(one, bins), histogram(other, another), one, other)


@pytest.mark.slow
@given(sides)
def test_distances_are_symmetric_and_zero_without_a_difference(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    bins = bins_of(np.concatenate(pair))
    one, other = (histogram(side, bins) for side in pair)
    for function in (ks_distance, wasserstein_distance):
        there, back = sure(function(one, other)), sure(function(other, one))
        assert (there.value, there.bound, there.noise) == pytest.approx((back.value, back.bound, back.noise))
        assert sure(function(one, one)).value == 0


def test_ks_bound_is_reached() -> None:
    """In the bin from 1 to 2 all of one side comes before all of the other."""
    bins = NumericBins((0.0, 1.0, 2.0), (), 0.0)
    one, other = np.array([0.5, 1.1, 1.1, 3]), np.array([0.5, 0.6, 1.9, 3])
    ks = sure(ks_distance(histogram(one, bins), histogram(other, bins)))
    assert (ks.value, ks.bound) == (0.25, 0.25)
    ks = sure(ks_distance(histogram(one, bins), histogram(np.array([0.5, 1.9, 1.9, 3]), bins)))
    assert (ks.value, ks.bound, exact_ks(one, np.array([0.5, 1.9, 1.9, 3]))) == (0, 0.5, 0.5)


def test_nothing_hides_in_the_bin_of_a_single_value() -> None:
    one, other = np.repeat([0.0, 1.0], [30, 70]), np.repeat([0.0, 1.0], [50, 50])
    baseline, current = histogram(one), histogram(other, bins_of(one))
    ks = sure(ks_distance(baseline, current))
    assert (ks.value, ks.bound, ks.bins) == (pytest.approx(0.2), pytest.approx(0), 2)
    area = sure(wasserstein_distance(baseline, current))
    assert area.value == pytest.approx(0.2)
    assert area.bound == pytest.approx(0)


def test_value_between_two_discrete_ones_is_seen() -> None:
    bins = bins_of([0.0, 1.0])
    halves = sure(ks_distance(histogram([0.0, 1.0], bins), histogram([0.5, 0.5], bins)))
    assert halves.value + halves.bound >= 0.5
    assert halves.value == 0.5


def test_mostly_zero_field_has_a_narrow_bound() -> None:
    rng = np.random.default_rng(8)
    one, other = np.maximum(0, rng.normal(-0.3, size=5000)), np.maximum(0, rng.normal(-0.1, size=5000))
    ks = sure(ks_distance(histogram(one), histogram(other, bins_of(one))))
    assert ks.value == pytest.approx(exact_ks(one, other), abs=0.002)
    assert ks.bound < 0.005


@pytest.mark.parametrize(
    ("column", "ks", "area"),
    [
        ("mean radius", 0.126196, 0.716370),
        ("mean texture", 0.069281, 0.523244),
        ("worst area", 0.166840, 140.965522),
        ("area error", 0.181698, 8.873128),
    ],
)
def test_breast_cancer(column: str, ks: float, area: float) -> None:
    data = load_breast_cancer()
    values = data.data[:, list(data.feature_names).index(column)]
    baseline = histogram(values[:300])
    current = histogram(values[300:], baseline.bins)
    distance = sure(ks_distance(baseline, current))
    assert distance.value - 1e-6 <= ks <= distance.value + distance.bound + 1e-6
    assert distance.bound < 0.0075
    distance = sure(wasserstein_distance(baseline, current))
    assert abs(distance.value - area) <= distance.bound
    assert distance.value == pytest.approx(area, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.1, 1.0])
def test_shifted_normals(shift: float) -> None:
    rng = np.random.default_rng(9)
    one, other = rng.normal(size=1_000_000), rng.normal(shift, 1, 1_000_000)
    baseline, current = histogram(one), histogram(other, bins_of(one))
    ks = sure(ks_distance(baseline, current))
    assert ks.value == pytest.approx(2 * norm.cdf(shift / 2) - 1, abs=0.002)
    assert ks.value == pytest.approx(exact_ks(one, other), abs=5e-4)
    assert sure(wasserstein_distance(baseline, current)).value == pytest.approx(shift, rel=0.03)


@pytest.mark.slow
def test_heavy_tail() -> None:
    rng = np.random.default_rng(10)
    one, other = rng.lognormal(0, 3, 200_000), rng.lognormal(0.315, 3, 100_000)
    ks = sure(ks_distance(histogram(one), histogram(other, bins_of(one))))
    exact = exact_ks(one, other)
    assert 0.035 < exact < 0.05
    assert ks.value == pytest.approx(exact, abs=0.0005)
    assert ks.value <= exact <= ks.value + ks.bound
    assert ks.bound < 1 / 230


def test_outlier_moves_the_raw_area_only() -> None:
    rng = np.random.default_rng(11)
    one, other = rng.normal(size=50_000), rng.normal(size=50_000)
    spoilt = np.where(np.arange(50_000) == 7, 1e6, other)
    baseline = histogram(one)
    before, after = histogram(other, baseline.bins), histogram(spoilt, baseline.bins)

    def change(outcomes: list[Distance]) -> float:
        return outcomes[1].value - outcomes[0].value

    assert abs(change([sure(ks_distance(baseline, side)) for side in (before, after)])) < 0.001
    trimmed = [sure(wasserstein_distance(baseline, side, margin=1.0)) for side in (before, after)]
    assert abs(change(trimmed)) < 0.001
    raw = [sure(wasserstein_distance(baseline, side)) for side in (before, after)]
    assert change(raw) == pytest.approx(20, abs=0.01)
    assert raw[1].value == pytest.approx(exact_wasserstein(one, spoilt), abs=0.02)
    assert raw[1].excess < 15
    assert trimmed[1].excess < 0.005


def exact_trimmed(one: np.ndarray, other: np.ndarray, margin: float) -> float:
    low, high = np.quantile(one, [0.001, 0.999])
    return float(
        exact_wasserstein(
            np.clip(one, low - margin, high + margin), np.clip(other, low - margin, high + margin)
        )
    )


@pytest.mark.parametrize("margin", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("size", [1000, 1500, 1999, 20_000])
def test_trimming_is_at_the_baselines_quantiles(size: int, margin: float) -> None:
    rng = np.random.default_rng(12)
    one, other = rng.lognormal(sigma=2, size=size), rng.lognormal(0.2, 2, size=3000)
    baseline, exact = histogram(one), exact_trimmed(one, other, margin)
    for current in (histogram(other, baseline.bins), histogram(other)):
        distance = sure(wasserstein_distance(baseline, current, margin=margin))
        assert abs(distance.value - exact) <= distance.bound
    if margin == 0:
        assert distance.value == pytest.approx(exact, rel=0.15)


# Of up to 1001 values the greatest alone is a thousandth, and is not cut off.
@pytest.mark.parametrize(
    ("size", "sign"),
    [(1000, -1), (1001, -1), (1002, -1), (1002, 1), (1500, -1), (1500, 1), (20_000, -1), (20_000, 1)],
)
def test_all_values_far_out_are_at_the_quantile(size: int, sign: int) -> None:
    one = sign * np.random.default_rng(22).lognormal(sigma=2, size=size)
    other = np.full(10, sign * 1e9)
    baseline = histogram(one)
    distance = sure(wasserstein_distance(baseline, histogram(other, baseline.bins), margin=0.0))
    assert distance.value == pytest.approx(exact_trimmed(one, other, 0.0), rel=0.03)


def test_nearly_all_of_the_baseline_may_be_in_one_bin() -> None:
    bins = NumericBins((0.0, 1.0, 2.0, 3.0), (), 0.0)
    baseline = histogram(np.linspace(1, 1.999, 5000), bins)
    for there in (0.5, 2.5):
        distance = sure(wasserstein_distance(baseline, histogram([there], bins), margin=0.0))
        assert distance.value == pytest.approx(0.5)


@pytest.mark.slow
@given(sides, st.sampled_from([0.0, 0.5, 3.0]))
def test_bounds_hold_for_trimmed_areas(pair: tuple[np.ndarray, np.ndarray], margin: float) -> None:
    one, other = pair
    baseline = histogram(one)
    if len(baseline.bins.coarse) == len(baseline.bins.edges) and len(one) < 1000:
        # Every edge of so few values has a thousandth of them outside, but for the outer ones.
        exact = exact_wasserstein(*(np.clip(side, one.min() - margin, one.max() + margin) for side in pair))
        for current in (histogram(other, baseline.bins), histogram(other)):
            distance = sure(wasserstein_distance(baseline, current, margin=margin))
            assert abs(distance.value - exact) <= distance.bound + LOOSE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.repeat([0.0, 1.0], [9996, 4]), np.repeat([0.0, 1.0], [5000, 5000])),
        (np.repeat([0.0, 1.0], [4, 9996]), np.repeat([0.0, 1.0], [5000, 5000])),
        (np.append(np.zeros(99_940), np.linspace(1, 2, 60)), np.repeat([0.0, 9.0], 50)),
        (np.full(1000, 7.0), np.full(10, 8.0)),
        (np.full(1000, 7.0), np.full(10, 6.9)),
        (np.append(np.zeros(900), np.arange(100.0)), np.append(np.full(900, -1.0), np.arange(100.0))),
        (np.append(np.zeros(900), -np.arange(100.0)), np.append(np.full(900, 1.0), -np.arange(100.0))),
    ],
)
def test_margin_shows_what_leaves_a_frequent_value(one: np.ndarray, other: np.ndarray) -> None:
    baseline = histogram(one)
    margin = scale(baseline, float(one.std()))
    distance = sure(wasserstein_distance(baseline, histogram(other, baseline.bins), margin=margin))
    assert distance.value == pytest.approx(exact_trimmed(one, other, margin), rel=1e-4)
    assert distance.value > 0.05 * margin


def test_all_values_beyond_the_baseline_are_at_the_margin() -> None:
    baseline = histogram(np.arange(100.0))
    for there, exact in ((1e9, 59.5), (-1e9, 59.5), (104.0, 54.5)):
        current = histogram([there] * 9, baseline.bins)
        distance = sure(wasserstein_distance(baseline, current, margin=10))
        assert distance.value == pytest.approx(exact, abs=0.2)
        assert sure(wasserstein_distance(current, current, margin=10)).value == 0


def test_tails_are_areas() -> None:
    bins = NumericBins((0.0, 1.0), (), 0.0)
    one, other = np.array([-3.0, 0.5, 0.5, 0.5]), np.array([0.5, 0.5, 4.0, 5.0])
    area = sure(wasserstein_distance(histogram(one, bins), histogram(other, bins)))
    # 3/4 below, (3 + 4)/4 above, and the lines from 1/4 to 2/4 apart between.
    assert area.value == pytest.approx(0.75 + 1.75 + 0.375)
    both = sure(wasserstein_distance(histogram([-3.0, 0.5], bins), histogram([-1.0, -1.0], bins)))
    # Steps of 1/2 at -3 and of 1 at -1: 1 and 1/2; then the line from 1/2 to 0.
    assert both.value == pytest.approx(1 + 0.5 + 0.25)
    far, near = [-100.0, *[2.0] * 99], [-1.0] * 50 + [2.0] * 50
    crossing = sure(wasserstein_distance(histogram(far, bins), histogram(near, bins)))
    # Steps of 1/100 at -100 and of 1/2 at -1, then 49/100 apart to the step of both at 2.
    assert crossing.value == pytest.approx(0.99 + 0.49 + 0.49 + 0.49)


@pytest.mark.slow
def test_noise_is_what_two_samples_of_one_distribution_have() -> None:
    rng = np.random.default_rng(13)
    bins = bins_of(rng.normal(size=20_000))
    pairs = [
        (histogram(rng.normal(size=3000), bins), histogram(rng.normal(size=600), bins)) for _ in range(400)
    ]
    # The mean of the limit is reached slowly, from below: the discrete steps cost about 1/(2 sqrt(n)).
    ks = [sure(ks_distance(*pair)) for pair in pairs]
    assert np.mean([outcome.value for outcome in ks]) == pytest.approx(ks[0].noise, rel=0.08)
    assert ks[0].noise == pytest.approx(kstwobign.mean() * math.sqrt(1 / 3000 + 1 / 600), rel=1e-6)
    for margin in (None, 0.0, 1.0):
        areas = [sure(wasserstein_distance(*pair, margin=margin)) for pair in pairs]
        noise = np.mean([outcome.noise for outcome in areas])
        assert np.mean([outcome.value for outcome in areas]) == pytest.approx(noise, rel=0.08)


@pytest.mark.parametrize("function", [ks_distance, wasserstein_distance])
def test_no_values_is_no_distance(function: object) -> None:
    some = histogram([1.0, 2.0])
    for none in (NumericHistogram(some.bins, (), 0, 0), NumericHistogram(some.bins, (0,) * 5, 0, 0)):
        for pair in ((some, none), (none, some), (none, none)):
            outcome = function(*pair)  # type: ignore[operator]
            assert isinstance(outcome, InsufficientData)
            assert (outcome.baseline_samples, outcome.samples) == (pair[0].samples, pair[1].samples)


def test_single_rows() -> None:
    baseline = histogram([3.0])
    same, other = histogram([3.0], baseline.bins), histogram([5.0], baseline.bins)
    assert sure(ks_distance(baseline, same)).value == 0
    assert sure(ks_distance(baseline, other)).value == 1
    assert sure(ks_distance(baseline, other)).bins == 2
    assert sure(wasserstein_distance(baseline, other)).value == pytest.approx(2)
    assert sure(ks_distance(baseline, other)).noise == 1


def test_scale_is_the_deviation_or_a_little_of_the_magnitude_of_a_constant() -> None:
    assert scale(histogram([-4.0, 2.0]), 3.0) == 3.0
    assert scale(histogram([-4.0, 2.0]), 1e-9) == 1e-9
    assert scale(histogram([2.0**53, 2.0**53 + 2]), 1.0) == 1.0
    assert scale(histogram([4.0]), 0.0) == pytest.approx(4e-6)
    assert scale(histogram([0.0]), 0.0) == 1.0
    assert scale(histogram([1e300]), 0.0) == pytest.approx(1e294)


def test_values_at_the_limits_of_floats() -> None:
    greatest = float(np.finfo(float).max)
    baseline = histogram([-greatest / 8, 0.0, greatest / 8])
    current = NumericHistogram(baseline.bins, (0, 0, 0, 0, 0, 0, 2), 0, greatest)
    for margin in (None, 0.0, greatest / 64):
        area = sure(wasserstein_distance(baseline, current, margin=margin))
        assert all(map(math.isfinite, (area.value, area.bound, area.noise)))
        assert area.value > greatest / 100
