"""Bins beside frequent values: what changes among the others is seen, and what does not is not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, ks_2samp
from scipy.stats import wasserstein_distance as exact_wasserstein

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.drift.field_drift import ComparedState, drift
from aporia_provider.monitoring.states.number_state import NumericState
from tests.monitoring.histograms import bins_of, histogram
from tests.sizes import sized

BASELINE, FOCAL = 20_000, 5_000
BINNED = ("js_distance", "hellinger_distance", "total_variation", "psi")


def side(values: np.ndarray, bins: NumericBins) -> ComparedState:
    return ComparedState(NumericState.of(values, 0, bins), bins)


def answers(baseline: np.ndarray, current: np.ndarray, *metrics: str) -> dict[str, MetricResult]:
    bins = bins_of(baseline)
    return {metric: drift(metric, side(baseline, bins), side(current, bins)) for metric in metrics}


def counted(values: np.ndarray, bins: NumericBins) -> np.ndarray:
    return np.bincount(np.searchsorted(bins.boundaries, values, "right"), minlength=len(bins.coarse) + 1)


def exact(baseline: np.ndarray, current: np.ndarray) -> dict[str, float]:
    """The distances of the rows themselves on the coarse bins of the baseline, by scipy where it has them."""
    bins = bins_of(baseline)
    p, q = counted(baseline, bins) / len(baseline), counted(current, bins) / len(current)
    floored = [np.maximum(shares, 1e-4)[(p > 0) | (q > 0)] for shares in (p, q)]
    return {
        "js_distance": float(jensenshannon(p, q, 2)),
        "hellinger_distance": float(np.sqrt(((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2)),
        "total_variation": float(np.abs(p - q).sum() / 2),
        "psi": float(((floored[1] - floored[0]) * np.log(floored[1] / floored[0])).sum()),
    }


@dataclass(frozen=True)
class Mixture:
    """Values that are frequent, and others around them."""

    atoms: tuple[float, ...]
    weights: tuple[int, ...]
    share: float
    spread: float
    seed: int

    def draw(self, size: int, stream: int, factor: float = 1.0, shift: float = 0.0) -> np.ndarray:
        rng = np.random.default_rng([self.seed, stream])
        weights = np.array(self.weights, dtype=float)
        values = rng.choice(np.array(self.atoms), size, p=weights / weights.sum())
        others = rng.random(size) < self.share
        drawn = np.exp(self.spread * rng.normal(size=others.sum()))
        values[others] = drawn * factor + shift
        return values


mixtures = st.builds(
    lambda atoms, weights, *rest: Mixture(tuple(atoms), tuple(weights[: len(atoms)]), *rest),
    st.lists(st.integers(-40, 400).map(lambda number: number / 8), min_size=1, max_size=5, unique=True),
    st.lists(st.integers(1, 20), min_size=5, max_size=5),
    # The noise of the total variation is up to 0.015: a smaller share would hardly exceed it.
    st.floats(0.04, 0.6),
    st.floats(0.1, 1.5),
    st.integers(0, 2**32),
)
changes = st.sampled_from([(1000.0, 0.0), (20.0, 0.0), (0.05, 0.0), (-1.0, 0.0), (1.0, -60.0), (1.0, 900.0)])


@pytest.mark.slow
@settings(max_examples=sized(15, 60))
@given(mixtures, changes)
def test_a_change_beside_frequent_values_is_seen(mixture: Mixture, change: tuple[float, float]) -> None:
    baseline = mixture.draw(BASELINE, 0)
    current = mixture.draw(FOCAL, 1, *change)
    expected = exact(baseline, current)
    for metric, answer in answers(baseline, current, *BINNED).items():
        assert answer.status == "ok"
        assert answer.value == pytest.approx(expected[metric], abs=1e-9)
        assert answer.excess is not None
        assert answer.excess > 0.5 * (answer.noise or 1), metric
    score = answers(baseline, current, "js_distance")["js_distance"]
    # All of the others have moved, so the divergence is of the order of their share.
    assert score.value > 0.5 * np.sqrt(mixture.share)


@pytest.mark.slow
@settings(max_examples=sized(15, 60))
@given(mixtures)
def test_without_a_change_there_is_none(mixture: Mixture) -> None:
    baseline, current = mixture.draw(BASELINE, 0), mixture.draw(FOCAL, 1)
    expected = exact(baseline, current)
    for metric, answer in answers(baseline, current, *BINNED).items():
        assert answer.value == pytest.approx(expected[metric], abs=1e-9)
        # In 1 of 700 draws, the total variation exceeds twice its mean, since the share of a single value
        # decides it; three times the mean is beyond five standard deviations of that share.
        most = 3 if metric == "total_variation" else 2
        assert answer.value < most * (answer.noise or 0) + (0.02 if metric == "psi" else 0), metric


@pytest.mark.slow
@settings(max_examples=sized(10, 40))
@given(mixtures, changes)
def test_distances_of_whole_distributions_are_within_their_bounds(
    mixture: Mixture, change: tuple[float, float]
) -> None:
    baseline, current = mixture.draw(2_000, 0), mixture.draw(500, 1, *change)
    found = answers(baseline, current, "ks_distance", "wasserstein_distance")
    ks, area = (answer.value if answer.status == "ok" else answer.shown for answer in found.values())
    bounds = [answer.bound for answer in found.values()]
    assert abs(ks - ks_2samp(baseline, current, method="asymp").statistic) <= bounds[0] + 1e-9
    truth = exact_wasserstein(baseline, current)
    assert abs(area - truth) <= bounds[1] + 1e-9 * max(1.0, truth)


def test_nineteen_of_twenty_values_are_zero_and_the_others_a_thousand_times_as_large() -> None:
    rng = np.random.default_rng(0)

    def drawn(size: int, scale: float) -> np.ndarray:
        return np.where(rng.random(size) < 0.05, rng.lognormal(size=size) * scale, 0)

    found = answers(drawn(50_000, 1), drawn(5_000, 1_000), "js_distance", "psi")
    # A twentieth of the values leaves ten bins of half a hundredth each for the last of them, or beyond.
    p, q = np.full(10, 0.005), np.array([0.0] * 9 + [0.05])
    half = (p + q) / 2
    divergence = (entropy(p * 20, half * 20, 2) + entropy(q * 20, half * 20, 2)) / 2 / 20
    assert found["js_distance"].value == pytest.approx(np.sqrt(divergence), rel=0.05)
    assert found["js_distance"].excess == pytest.approx(0.17, abs=0.01)
    assert found["psi"].value == pytest.approx(9 * 0.0049 * np.log(50) + 0.045 * np.log(10), rel=0.08)


def test_a_value_that_is_frequent_among_the_infrequent_ones_hides_nothing_either() -> None:
    rng = np.random.default_rng(1)

    def drawn(size: int, scale: float) -> np.ndarray:
        return rng.choice([0.0, 10.0, np.nan], size, p=[0.95, 0.04, 0.01]), rng.lognormal(2, 1, size) * scale

    baseline, current = (
        np.where(np.isnan(pair[0]), pair[1], pair[0]) for pair in (drawn(50_000, 1), drawn(20_000, 50))
    )
    answer = answers(baseline, current, "js_distance")["js_distance"]
    assert answer.value == pytest.approx(exact(baseline, current)["js_distance"], abs=1e-9)
    assert answer.value > 0.07
    assert (answer.excess or 0) > 2 * (answer.noise or 1)


def test_both_sides_of_a_frequent_value_have_five_bins_at_least() -> None:
    values = np.concatenate([np.full(9_000, 5.0), np.linspace(0, 4, 100), np.linspace(6, 9, 900)])
    bins = bins_of(values)
    assert bins.coarsen(histogram(values, bins).counts) == (*(20,) * 5, 9_000, *(100,) * 9)
    assert bins.boundaries[4:6] == (5.0, np.nextafter(5.0, 9))


@pytest.mark.parametrize(
    ("others", "counts"),
    [(1, (1, 0)), (4, (4,)), (9, (9,)), (12, (6, 6)), (24, (6,) * 4), (25, (5,) * 5), (60, (6,) * 10)],
)
def test_coarse_bins_beside_a_frequent_value_have_five_values_at_least(
    others: int, counts: tuple[int, ...]
) -> None:
    """Bins of fewer values each would be the noise of the baseline; a single value is a single bin."""
    values = np.concatenate([np.zeros(1000), np.arange(1.0, others + 1)])
    bins = bins_of(values)
    assert bins.coarsen(histogram(values, bins).counts) == (0, 1000, *counts)


def test_the_others_have_nearly_all_of_the_edges() -> None:
    values = np.concatenate([np.zeros(19_000), np.random.default_rng(2).lognormal(size=1_000)])
    bins = bins_of(values)
    assert sum(edge > 0.001 for edge in bins.edges) > 220
    counts = np.array(histogram(values, bins).counts)
    assert sorted(counts)[-2] <= 5


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(-30, 30), st.integers(1, 400)), min_size=1, max_size=40),
    st.lists(st.floats(-50, 50), max_size=300),
)
def test_edges_are_few_and_every_frequent_value_has_a_bin(
    repeated: list[tuple[int, int]], others: list[float]
) -> None:
    values = np.array([*others, *(value for value, count in repeated for _ in range(count))], dtype=float)
    bins = bins_of(values)
    assert len(bins.edges) <= 256
    assert set(bins.boundaries) <= set(bins.edges)
    assert all(one < other for one, other in pairwise(bins.edges))
    distinct, counts = np.unique(values + 0.0, return_counts=True)
    for value in distinct[(counts * 10 >= len(values)) & (counts > 1)]:
        assert {value, np.nextafter(value, np.inf)} <= set(bins.boundaries)
    assert len(bins.coarse) <= 2 * 50


def test_values_that_do_not_repeat_beside_a_frequent_one_have_no_bins_of_their_own() -> None:
    """Forty other values are few, but the next forty are different ones."""
    rng = np.random.default_rng(3)
    baseline = np.concatenate([np.zeros(3_960), rng.normal(5, 1, 40)])
    current = np.concatenate([np.zeros(3_960), rng.normal(5, 1, 40)])
    answer = answers(baseline, current, "js_distance")["js_distance"]
    assert answer.value < 1.5 * (answer.noise or 0)
    # It is the root of their share, 0.1, if they are all in other bins than those before.
    assert answer.value < 0.07
    assert len(bins_of(baseline).coarse) < 12
