"""Drift of a field by the names of the metrics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from scipy.stats import wasserstein_distance as exact_wasserstein
from sklearn.datasets import load_breast_cancer

from aporia_provider.monitoring.drift.bin_distances import hellinger_distance, js_distance, psi
from aporia_provider.monitoring.drift.category_histograms import CategoryHistogram
from aporia_provider.monitoring.drift.chi_squared import ChiSquared
from aporia_provider.monitoring.drift.distance_result import Distance, InsufficientData, Minimum
from aporia_provider.monitoring.drift.measures import (
    CATEGORY_METRICS,
    NUMERIC_METRICS,
    compare_categories,
    numeric_drift,
)
from aporia_provider.monitoring.drift.rebinning import NumericHistogram
from tests.monitoring.histograms import bins_of, histogram, sure

ANY = Minimum(1, 0, 1)

BASELINE = CategoryHistogram({"a": 50, "b": 30, "c": 20})
CURRENT = CategoryHistogram({"a": 30, "b": 30, "c": 30, "d": 10})


def categories(
    metric: str, baseline: CategoryHistogram, current: CategoryHistogram, **more: Any
) -> Distance | InsufficientData:
    return compare_categories(metric, baseline, current, **more).outcome


def numeric(metric: str, baseline: np.ndarray, current: np.ndarray) -> Distance:
    one = histogram(baseline)
    deviation = float(baseline.std())
    return sure(numeric_drift(metric, one, histogram(current, one.bins), deviation=deviation, minimum=ANY))


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("mean radius", 0.107489),
        ("mean texture", 0.044232),
        ("worst area", 0.174076),
        ("area error", 0.195299),
    ],
)
def test_stability_index_of_breast_cancer(column: str, expected: float) -> None:
    data = load_breast_cancer()
    values = data.data[:, list(data.feature_names).index(column)]
    distance = numeric("psi", values[:300], values[300:])
    assert distance.value == pytest.approx(expected, abs=1e-6)
    assert (distance.bins, distance.samples, distance.baseline_samples, distance.bound) == (10, 269, 300, 0)


def test_normalised_area_of_breast_cancer() -> None:
    data = load_breast_cancer()
    values = data.data[:, list(data.feature_names).index("mean radius")]
    distance = numeric("normalised_wasserstein_distance", values[:300], values[300:])
    assert distance.value == pytest.approx(0.202143, abs=0.002)
    raw = numeric("wasserstein_distance", values[:300], values[300:])
    assert raw.value == pytest.approx(0.716370, abs=0.002)


@pytest.mark.slow
def test_shifted_normals() -> None:
    rng = np.random.default_rng(16)
    one = rng.normal(size=500_000)
    for shift in (0.1, 1.0):
        other = rng.normal(shift, 1, 500_000)
        fine, again = histogram(one).counts, histogram(other, bins_of(one)).counts
        # A floor would cut what the far tail of the greater shift adds.
        assert sure(psi(fine, again, floor=1e-7)).excess == pytest.approx(shift**2, rel=0.08)
        hellinger = math.sqrt(1 - math.exp(-(shift**2) / 8))
        assert sure(hellinger_distance(fine, again)).value == pytest.approx(hellinger, rel=0.05)
        for metric, limit in (("psi", shift**2), ("hellinger_distance", hellinger)):
            assert 0.9 * limit < numeric(metric, one, other).value < 1.01 * limit
        assert numeric("normalised_wasserstein_distance", one, other).value == pytest.approx(shift, rel=0.03)


@pytest.mark.parametrize("shift", [0.0, 1.0])
@pytest.mark.parametrize("metric", sorted(NUMERIC_METRICS.keys() - {"wasserstein_distance"}))
def test_one_outlier_changes_nothing(metric: str, shift: float) -> None:
    rng = np.random.default_rng(17)
    one, other = rng.normal(size=50_000), rng.normal(shift, 1, 50_000)
    spoilt = other.copy()
    spoilt[np.argmax(other)] = 1e6
    assert numeric(metric, one, spoilt).value == pytest.approx(numeric(metric, one, other).value, abs=0.001)


@pytest.mark.parametrize("metric", sorted(NUMERIC_METRICS))
@pytest.mark.parametrize(
    ("baseline", "current", "drifted"),
    [
        (np.full(50, 3.0), np.full(20, 3.0), False),
        (np.full(50, 3.0), np.full(20, 4.0), True),
        (np.full(50, 3.0), np.full(20, 2.0), True),
        (np.zeros(50), np.full(20, -0.0), False),
        (np.full(50, -0.0), np.zeros(20), False),
        (np.arange(50.0), np.array([3.0]), True),
        (np.array([3.0]), np.array([3.0]), False),
        (np.arange(500.0), np.arange(500.0)[::-1], False),
        (np.repeat([0.0, 1.0], 500), np.repeat([0.0, 1.0], [900, 100]), True),
        (np.repeat([0.0, 1.0], 500), np.full(99, 0.5), True),
        (np.append(np.zeros(900), np.arange(100.0)), np.append(np.zeros(100), np.arange(900.0)), True),
        (np.append(np.zeros(900), np.arange(100.0)), np.append(np.full(900, -1), np.arange(100.0)), True),
        (np.append(np.zeros(900), np.arange(100.0)), np.append(np.full(900, 0.5), np.arange(100.0)), True),
    ],
)
def test_odd_columns(metric: str, baseline: np.ndarray, current: np.ndarray, drifted: bool) -> None:
    distance = numeric(metric, baseline, current)
    assert math.isfinite(distance.value)
    assert (distance.value > 0.01) is drifted
    assert drifted or distance.value == 0


def test_scores_of_the_platform() -> None:
    numbers = np.arange(1000.0), np.arange(500.0, 1500.0)
    assert numeric("drift_score", *numbers) == numeric("js_distance", *numbers)
    half = CategoryHistogram({"dog": 50, "cat": 50})
    score = categories("drift_score", CategoryHistogram({"dog": 100}), half, minimum=ANY)
    assert round(sure(score).value, 2) == 0.54


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("js_distance", 0.274752),
        ("hellinger_distance", 0.260293),
        ("linf_distance", 0.2),
        ("total_variation", 0.2),
        ("psi", 0.832796),
        ("chi_squared", 17.0),
        ("cramers_v", 0.291548),
    ],
)
def test_categories(metric: str, expected: float) -> None:
    assert metric in CATEGORY_METRICS
    distance = sure(categories(metric, BASELINE, CURRENT, minimum=ANY))
    assert distance.value == pytest.approx(expected, abs=5e-7)
    assert isinstance(distance, ChiSquared) is (metric == "chi_squared")


def test_new_and_vanished_categories_are_drift() -> None:
    for metric in CATEGORY_METRICS:
        new = categories(metric, CategoryHistogram({"a": 50}), BASELINE, minimum=ANY)
        vanished = categories(metric, BASELINE, CategoryHistogram({"a": 50}), minimum=ANY)
        assert sure(new).value > 0.1
        assert sure(vanished).value == pytest.approx(sure(new).value)


def test_rule_for_empty_bins() -> None:
    outcome = categories("psi", BASELINE, CURRENT, zeros="laplace", minimum=ANY)
    assert sure(outcome).value == pytest.approx(0.363754, abs=5e-7)
    one = histogram(np.array([1.0, 2.0]))
    two = histogram(np.array([1.0]), one.bins)
    outcome = numeric_drift("psi", one, two, zeros="jeffreys", minimum=ANY)
    assert sure(outcome).value == sure(psi([1, 1], [1, 0], zeros="jeffreys")).value


def test_distances_of_bins_are_on_the_baselines_coarse_bins() -> None:
    rng = np.random.default_rng(18)
    one, two = rng.normal(size=3000), rng.normal(0.5, 1, 2000)
    cuts = np.quantile(one, np.arange(1, 10) / 10)
    expected = js_distance(*(np.bincount(np.searchsorted(cuts, side, "right")) for side in (one, two)))
    assert numeric("js_distance", one, two) == expected


@pytest.mark.parametrize("metric", sorted(NUMERIC_METRICS))
def test_two_model_versions_are_compared_across_their_bins(metric: str) -> None:
    rng = np.random.default_rng(19)
    one, two = rng.normal(size=20_000), rng.normal(0.3, 1, 20_000)
    same = numeric(metric, one, two)
    outcome = sure(numeric_drift(metric, histogram(one), histogram(two), deviation=float(one.std())))
    assert outcome.value == pytest.approx(same.value, rel=0.02)
    assert abs(outcome.value - same.value) <= outcome.bound + same.bound
    if not metric.endswith("wasserstein_distance"):  # Two bins' edges say more than one's.
        assert outcome.bound > same.bound


@pytest.mark.parametrize("metric", sorted(NUMERIC_METRICS))
def test_too_little_numeric_data_is_a_verdict(metric: str) -> None:
    values = np.random.default_rng(20).normal(size=2000)
    baseline = histogram(values)

    def outcome(samples: int, least: Minimum | None = None) -> Distance | InsufficientData:
        current = histogram(values[:samples], baseline.bins)
        options = {"minimum": least} if least else {}
        return numeric_drift(metric, baseline, current, deviation=1.0, **options)

    short = outcome(199)
    assert isinstance(short, InsufficientData)
    assert short.reason.startswith("there are 199 values, but 200 are required")
    assert (short.samples, short.baseline_samples) == (199, 2000)
    assert short.distance == outcome(199, Minimum(current=199))
    assert isinstance(outcome(200), Distance)
    assert isinstance(outcome(2000, Minimum(baseline=2001)), InsufficientData)
    crowded = outcome(500, Minimum(per_bin=60))
    cumulative = metric in ("ks_distance", "wasserstein_distance", "normalised_wasserstein_distance")
    assert isinstance(crowded, Distance) is cumulative
    nothing = NumericHistogram(baseline.bins, (), 0, 0)
    assert isinstance(numeric_drift(metric, baseline, nothing, deviation=1.0, minimum=ANY), InsufficientData)
    assert isinstance(numeric_drift(metric, nothing, baseline, deviation=1.0, minimum=ANY), InsufficientData)


@pytest.mark.parametrize("metric", sorted(CATEGORY_METRICS))
def test_too_little_categorical_data_is_a_verdict(metric: str) -> None:
    baseline = CategoryHistogram({f"{number:02}": 50 for number in range(60)})
    for count, enough in ((4, False), (5, True)):
        current = CategoryHistogram({f"{number:02}": count for number in range(60)})
        assert isinstance(categories(metric, baseline, current), Distance) is enough
    few = categories(metric, baseline, CategoryHistogram({"00": 250}))
    if metric not in ("chi_squared", "cramers_v"):
        assert isinstance(few, InsufficientData)
        assert few.reason.startswith("there are 250 values, but 300 are required")
        assert few.distance == categories(metric, baseline, CategoryHistogram({"00": 250}), minimum=ANY)
    empty = categories(metric, baseline, CategoryHistogram(), minimum=ANY)
    assert isinstance(empty, InsufficientData)


def test_unknown_metrics_are_refused() -> None:
    one = histogram(np.array([1.0]))
    with pytest.raises(ValueError, match="'chi_squared' is not a distance of numeric fields"):
        numeric_drift("chi_squared", one, one)
    with pytest.raises(ValueError, match="'ks_distance' is not a distance of categorical fields"):
        categories("ks_distance", BASELINE, CURRENT)
    with pytest.raises(ValueError, match="requires the baseline's standard deviation"):
        numeric_drift("normalised_wasserstein_distance", one, one)


def test_normalised_area_is_in_deviations_and_trimmed() -> None:
    rng = np.random.default_rng(21)
    one, two = rng.normal(5, 4, 5000), rng.normal(6, 4, 5000)
    two[0] = 1e9
    low, high = np.quantile(one, 0.001) - one.std(), np.quantile(one, 0.999) + one.std()
    exact = exact_wasserstein(np.clip(one, low, high), np.clip(two, low, high)) / one.std()
    distance = numeric("normalised_wasserstein_distance", one, two)
    assert distance.value == pytest.approx(exact, rel=0.03)
    spread = quad(lambda x: math.sqrt(norm.cdf(x) * norm.sf(x)), -4, 4)[0]
    assert distance.noise == pytest.approx(spread * math.sqrt(2 / math.pi * 2 / 5000), rel=0.05)
