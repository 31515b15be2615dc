"""Distances of counts of the same bins."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, hypergeom
from sklearn.datasets import load_breast_cancer

from aporia_provider.monitoring.drift.bin_distances import (
    Counts,
    Zeros,
    euclidean_distance,
    hellinger_distance,
    js_distance,
    linf_distance,
    psi,
    total_variation,
)
from aporia_provider.monitoring.drift.distance_metric_result import distance_metric_result
from aporia_provider.monitoring.drift.distance_result import Distance, InsufficientData, Minimum
from aporia_provider.monitoring.drift.rebinning import Bounded
from tests.monitoring.histograms import sure

Function = Callable[[Counts, Counts], Distance | InsufficientData]

BASELINE, CURRENT = [50, 30, 20, 0], [30, 30, 30, 10]
IN_UNIT = [js_distance, hellinger_distance, total_variation, linf_distance]
ALL: list[Function] = [*IN_UNIT, psi]

vectors = (
    st.integers(1, 12)
    .flatmap(lambda bins: st.tuples(*[st.lists(st.integers(0, 1000), min_size=bins, max_size=bins)] * 2))
    .filter(lambda pair: any(pair[0]) and any(pair[1]))
)


def shares(counts: list[int]) -> np.ndarray:
    return np.array(counts) / sum(counts)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (js_distance, 0.274752),
        (hellinger_distance, 0.260293),
        (linf_distance, 0.2),
        (total_variation, 0.2),
        (psi, 0.832796),
    ],
)
def test_four_categories(function: Function, expected: float) -> None:
    distance = sure(function(BASELINE, CURRENT))
    assert distance.value == pytest.approx(expected, abs=5e-7)
    assert (distance.bound, distance.samples, distance.baseline_samples, distance.bins) == (0.0, 100, 100, 4)


@pytest.mark.parametrize(
    ("zeros", "floor", "expected"),
    [
        ("floor", 1e-4, 0.832796),
        ("floor", 1e-6, 1.293993),
        ("floor", 1e-3, 0.598623),
        ("jeffreys", 1e-4, 0.436306),
        ("laplace", 1e-4, 0.363754),
    ],
)
def test_stability_index_depends_on_the_rule_for_empty_bins(
    zeros: Zeros, floor: float, expected: float
) -> None:
    assert sure(psi(BASELINE, CURRENT, zeros=zeros, floor=floor)).value == pytest.approx(expected, abs=5e-7)


def test_floor_raises_small_shares_too() -> None:
    assert sure(psi([10**6, 10], [10**6, 90])).value == pytest.approx(0.0, abs=1e-8)


def test_bins_that_both_sides_lack_are_not_in_use() -> None:
    for function in ALL:
        assert function([*BASELINE, 0, 0], [*CURRENT, 0, 0]) == function(BASELINE, CURRENT)
    one, other = [0, 10, 20], [0, 200, 100]
    assert psi(one, other, zeros="laplace") == psi(one[1:], other[1:], zeros="laplace")


def test_other_libraries_units() -> None:
    distance = sure(js_distance(BASELINE, CURRENT)).value
    assert distance * 0.832555 == pytest.approx(0.228746, abs=1e-6)
    assert distance**2 == pytest.approx(0.075489, abs=1e-6)


@pytest.mark.parametrize(("dogs", "expected"), [(50, 0.54), (60, 0.47), (0, 1.0), (100, 0.0)])
def test_published_categorical_drift_scores(dogs: int, expected: float) -> None:
    assert round(sure(hellinger_distance([100, 0], [dogs, 100 - dogs])).value, 2) == expected


@pytest.mark.parametrize(
    ("column", "js", "hellinger"),
    [
        ("mean radius", 0.134709, 0.112508),
        ("mean texture", 0.163611, 0.144508),
        ("worst area", 0.196906, 0.170360),
        ("area error", 0.173429, 0.157451),
    ],
)
def test_breast_cancer_on_doane_bins(column: str, js: float, hellinger: float) -> None:
    data = load_breast_cancer()
    values = data.data[:, list(data.feature_names).index(column)]
    edges = np.histogram_bin_edges(values[:300], "doane")
    # The maximum belongs to the last of these bins; what is outside is one bin more.
    one, other = (
        [*np.histogram(side, edges)[0], ((side < edges[0]) | (side > edges[-1])).sum()]
        for side in (values[:300], values[300:])
    )
    assert sure(js_distance(one, other)).value == pytest.approx(js, abs=1e-6)
    assert sure(hellinger_distance(one, other)).value == pytest.approx(hellinger, abs=1e-6)


@pytest.mark.slow
@given(vectors)
def test_distances_equal_their_definitions(pair: tuple[list[int], list[int]]) -> None:
    p, q = shares(pair[0]), shares(pair[1])
    # The root magnifies rounding near zero, on both sides.
    js = sure(js_distance(*pair)).value
    assert js**2 == pytest.approx(np.nan_to_num(jensenshannon(p, q, base=2)) ** 2, abs=1e-14)
    assert sure(hellinger_distance(*pair)).value ** 2 == pytest.approx(1 - np.sqrt(p * q).sum(), abs=1e-14)
    assert sure(total_variation(*pair)).value == pytest.approx(np.abs(p - q).sum() / 2, abs=1e-12)
    assert sure(linf_distance(*pair)).value == pytest.approx(np.abs(p - q).max(), abs=1e-12)
    # It raises shares below that to it.
    assume(min(*p, *q) >= 1e-4)
    assert sure(psi(*pair)).value == pytest.approx(entropy(p, q) + entropy(q, p), abs=1e-9)


@pytest.mark.slow
@given(vectors)
def test_distances_are_symmetric_and_zero_only_without_a_difference(
    pair: tuple[list[int], list[int]],
) -> None:
    for function in ALL:
        there, back = sure(function(*pair)), sure(function(*pair[::-1]))
        assert there.value == pytest.approx(back.value, abs=1e-12)
        assert there.noise == pytest.approx(back.noise)
        assert there.value >= 0
        assert sure(function(pair[0], pair[0])).value == 0
        assert sure(function(pair[0], [3 * count for count in pair[0]])).value == pytest.approx(0, abs=1e-9)
    for function in IN_UNIT:
        there = sure(function(*pair))
        assert there.value <= 1
        assert there.noise <= 1


@pytest.mark.parametrize("function", IN_UNIT)
def test_nothing_in_common_is_one(function: Function) -> None:
    assert sure(function([5, 0], [0, 7])).value == 1.0


@pytest.mark.parametrize("function", ALL)
@pytest.mark.parametrize(
    ("baseline", "current", "reason"),
    [
        ([1, 2], [0, 0], "there are no values in the range"),
        ([0, 0], [1, 2], "there are no values in the baseline"),
        ([], [1, 2], "there are no values in the baseline"),
        ([1, 2], (), "there are no values in the range"),
        ([], [], "there are no values in the range and in the baseline"),
    ],
)
def test_no_values_is_no_distance(
    function: Function, baseline: list[int], current: list[int], reason: str
) -> None:
    outcome = function(baseline, current)
    assert isinstance(outcome, InsufficientData)
    assert reason in outcome.reason
    assert (outcome.samples, outcome.baseline_samples) == (sum(current), sum(baseline))


@pytest.mark.parametrize("function", ALL)
def test_other_bins_are_refused(function: Function) -> None:
    with pytest.raises(ValueError, match="2 bins cannot be compared to 1"):
        function([1, 2], [3])


@pytest.mark.slow
def test_noise_is_what_two_samples_of_one_distribution_have() -> None:
    rng = np.random.default_rng(6)
    p = np.array([0.02, 0.08, 0.1, 0.1, 0.2, 0.2, 0.3])
    baseline, current = rng.multinomial(20_000, p, 3000), rng.multinomial(5000, p, 3000)

    def both(function: Function, power: int) -> tuple[float, float]:
        outcomes = [sure(function(*pair)) for pair in zip(baseline, current, strict=True)]
        noise = np.mean([outcome.noise for outcome in outcomes])
        return float(np.mean([outcome.value**power for outcome in outcomes])), float(noise) ** power

    for function, power in ((psi, 1), (js_distance, 2), (hellinger_distance, 2), (total_variation, 1)):
        mean, noise = both(function, power)
        assert mean == pytest.approx(noise, rel=0.04), function
    assert sure(psi(baseline[0], current[0])).noise == pytest.approx(6 * (1 / 5000 + 1 / 20_000))


@pytest.mark.slow
@pytest.mark.parametrize(
    "weights",
    [
        [1, 9],
        [1, 1],
        [1] * 10,
        [1] * 256,
        1 / np.arange(1, 257),
        0.5 ** np.arange(12),
        [255, *[1] * 255],
        [99 * 255, *[1] * 255],
    ],
)
def test_noise_of_the_greatest_difference_is_of_the_size_of_what_two_samples_have(weights: ArrayLike) -> None:
    rng = np.random.default_rng(8)
    p = np.array(weights) / np.sum(weights)
    baseline, current = rng.multinomial(20_000, p, 2000), rng.multinomial(5000, p, 2000)
    mean = np.abs(baseline / 20_000 - current / 5000).max(axis=1).mean()
    noise = np.mean([sure(linf_distance(*pair)).noise for pair in zip(baseline, current, strict=True)])
    assert 0.65 < mean / noise < 1.05


def test_noise_of_the_greatest_difference_of_two_shares() -> None:
    # Both differences have the same size, with the variance p(1 - p)(1/n + 1/m), times sqrt(2 ln 2).
    noise = math.sqrt(2 * math.log(2) * 0.3 * 0.7 * (1 / 100 + 1 / 400))
    assert sure(linf_distance([120, 280], [30, 70])).noise == pytest.approx(noise)
    assert sure(linf_distance([10], [20])).noise == 0


def test_noise_counts_bins_in_use() -> None:
    assert sure(psi([10, 0, 0, 0], [10, 0, 0, 0])).noise == 0
    # Each of two bins has ten values, and each side has ten of the twenty.
    counts = np.arange(11)
    p, q = np.maximum(counts / 10, 1e-4), np.maximum(1 - counts / 10, 1e-4)
    expected = 2 * (hypergeom.pmf(counts, 20, 10, 10) * (p - q) * np.log(p / q)).sum()
    assert sure(psi([10, 0, 0, 0], [0, 10, 0, 0])).noise == pytest.approx(expected, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [(1_000, 1_000), (10_000, 500), (1_000, 8_000)])
@pytest.mark.parametrize("power", [0.0, 1.3])
def test_noise_of_bins_with_few_values_is_what_two_samples_have(power: float, rows: tuple[int, int]) -> None:
    rng, shares = np.random.default_rng(13), np.arange(1, 201.0) ** -power
    baseline, current = (rng.multinomial(side, shares / shares.sum(), 150) for side in rows)
    for function, root in ((psi, 1), (js_distance, 2), (hellinger_distance, 2)):
        outcomes = [sure(function(*pair)) for pair in zip(baseline, current, strict=True)]
        differences = [outcome.value**root - outcome.noise**root for outcome in outcomes]
        error = np.std(differences) / math.sqrt(len(differences))
        slack = 0.01 * np.mean([outcome.noise**root for outcome in outcomes])
        assert abs(np.mean(differences)) < 4 * error + slack, function


def test_excess_is_what_is_above_the_noise_within_the_bound() -> None:
    distance = Distance(0.5, 0.2, 0.01, samples=50, baseline_samples=200, bins=3)
    assert distance.excess == pytest.approx(0.29)
    assert Distance(0.72, 0.03, 0.67, samples=50, baseline_samples=200, bins=3).excess == pytest.approx(0.02)
    assert Distance(0.72, 0.03, 0.70, samples=50, baseline_samples=200, bins=3).excess == 0
    assert Distance(0.1, 0.2, 0.0, samples=50, baseline_samples=200, bins=3).excess == 0


def test_distance_in_another_unit() -> None:
    distance = Distance(6, 2, 1, 50, 200, 3, max_reliable_bound=0.4)
    assert distance.divided_by(2) == Distance(3, 1, 0.5, 50, 200, 3, max_reliable_bound=0.2)


@pytest.mark.parametrize(
    ("samples", "baseline_samples", "bins", "words"),
    [
        (200, 1000, 40, []),
        (199, 1000, 1, ["there are 199 values, but 200 are required", "minimum=199", "a longer time range"]),
        (200, 1000, 41, ["there are 200 values, but 205 are required", "minimum=200"]),
        (200, 999, 1, ["the baseline has 999 values, but 1000 are required", "minimum_baseline=999"]),
        (5, 7, 1, ["there are 5 values", "minimum=5", "the baseline has 7 values", "minimum_baseline=7"]),
    ],
)
def test_minimum(samples: int, baseline_samples: int, bins: int, words: list[str]) -> None:
    outcome = Minimum().shortage(samples, baseline_samples, bins)
    assert (outcome is None) == (not words)
    if outcome is not None:
        assert [word for word in words if word not in outcome.reason] == []
        assert (outcome.samples, outcome.baseline_samples) == (samples, baseline_samples)


def test_a_distance_of_too_little_data_is_kept_beside_the_verdict() -> None:
    distance = Distance(0.5, 0.2, 0.01, samples=165, baseline_samples=2000, bins=30)
    assert Minimum(per_bin=0).checked(distance, 30) == InsufficientData(
        Minimum().shortage(165, 2000).reason,
        165,
        2000,
        distance,  # type: ignore[union-attr]
    )
    assert Minimum(current=165, per_bin=0).checked(distance, 30) is distance
    assert isinstance(Minimum(current=100).checked(distance, 34), InsufficientData)


@pytest.mark.parametrize(
    ("value", "noise", "bound", "vague"),
    [
        (0.72, 0.03, 0.67, True),
        (0.72, 0.03, 0.3, False),
        (0.05, 0.03, 0.05, False),
        (0.05, 0.03, 0.06, True),
        # However great it is within the bound, it is no more than the noise.
        (0.05, 0.2, 0.06, False),
    ],
)
def test_a_wide_bound_makes_a_value_useless_unless_it_changes_nothing(
    value: float, noise: float, bound: float, vague: bool
) -> None:
    distance = Distance(value, noise, bound, samples=500, baseline_samples=2000, bins=10)
    assert distance.is_unreliable is vague
    answer = distance_metric_result(distance)
    assert answer.status == ("insufficient_data" if vague else "ok")
    assert (answer.value, answer.shown) == ((None, value) if vague else (value, None))
    assert (answer.bound, answer.noise, answer.excess) == (bound, noise, distance.excess)
    assert ("full=True" in (answer.reason or "")) is vague
    assert not dataclasses.replace(distance, max_reliable_bound=1.0).is_unreliable


def test_distances_without_an_upper_end_have_twice_the_room() -> None:
    known, other = Bounded.exactly([80.0, 20.0]), Bounded.exactly([70.0, 30.0])
    assert (
        sure(psi(known, other)).max_reliable_bound,
        sure(js_distance(known, other)).max_reliable_bound,
    ) == (0.1, 0.05)


def test_minimum_can_be_less() -> None:
    assert Minimum(current=1, per_bin=1, baseline=1).shortage(1, 1) is None


def test_euclidean_distance_of_means() -> None:
    distance = sure(euclidean_distance([0, 1, 2], [3, 5, 2], samples=40, baseline_samples=10, variance=2))
    assert distance == Distance(5.0, pytest.approx(0.5), 0.0, 40, 10, 3)  # type: ignore[arg-type]
    huge = sure(euclidean_distance([1e300, 0], [0, 1e300], samples=1, baseline_samples=1, variance=1e308))
    assert huge.value == pytest.approx(math.sqrt(2) * 1e300)
    assert huge.noise == pytest.approx(math.sqrt(2) * 1e154)


def test_euclidean_noise_is_what_two_samples_have() -> None:
    rng = np.random.default_rng(7)
    deviations = np.array([1.0, 2.0, 3.0, 4.0, 0.0])
    one = rng.normal(0, deviations, (2000, 50, 5)).mean(axis=1)
    other = rng.normal(0, deviations, (2000, 20, 5)).mean(axis=1)
    distance = sure(
        euclidean_distance(
            one[0].tolist(),
            other[0].tolist(),
            samples=20,
            baseline_samples=50,
            variance=float((deviations**2).sum()),
        )
    )
    assert distance.noise == pytest.approx(np.sqrt(((one - other) ** 2).sum(axis=1).mean()), rel=0.03)


def test_euclidean_distance_needs_values_of_one_dimension() -> None:
    assert isinstance(
        euclidean_distance([1], [1], samples=0, baseline_samples=9, variance=1), InsufficientData
    )
    with pytest.raises(ValueError):
        euclidean_distance([1, 2], [1], samples=1, baseline_samples=1, variance=1)


@pytest.mark.slow
@given(vectors, st.data())
def test_bound_holds_for_all_counts_within_theirs(
    pair: tuple[list[int], list[int]], data: st.DataObject
) -> None:
    """Each count is known only to lie in an interval; the truth, with the same total, is inside the bound."""
    estimate = data.draw(st.permutations(pair[1]))
    third = data.draw(st.permutations(pair[1]))
    low, high = (np.array(fold([pair[1], estimate, third], axis=0), float) for fold in (np.min, np.max))
    current = Bounded(np.array(estimate, float), low, high)
    for function in ALL:
        distance, exact = sure(function(pair[0], current)), sure(function(pair[0], pair[1]))
        assert abs(distance.value - exact.value) <= distance.bound + 1e-7


@pytest.mark.parametrize("function", ALL)
def test_bin_that_seems_empty_on_both_sides_may_not_be(function: Function) -> None:
    current = Bounded(np.array([100.0, 0.0]), np.array([60.0, 0.0]), np.array([100.0, 40.0]))
    distance, exact = sure(function([100, 0], current)), sure(function([100, 0], [60, 40]))
    assert distance.value == 0
    assert distance.bound >= exact.value > 0.1


@pytest.mark.parametrize("function", ALL)
def test_both_sides_may_be_uncertain(function: Function) -> None:
    """The shares may be the same, whichever of the sides is the uncertain one."""
    known, high = Bounded.exactly([80.0, 20.0]), np.array([80.0, 50.0])
    uncertain = Bounded(np.array([50.0, 50.0]), np.array([50.0, 20.0]), high)
    apart = sure(function([80, 20], [50, 50])).value
    for pair in ((known, uncertain), (uncertain, known)):
        distance = sure(function(*pair))
        assert distance.value == pytest.approx(apart)
        assert distance.bound == pytest.approx(apart)


@pytest.mark.parametrize("function", [js_distance, hellinger_distance, total_variation])
def test_noise_is_no_more_than_the_distance_can_be(function: Function) -> None:
    assert sure(function([*[1] * 10, 0], [*[0] * 10, 1])).noise == 1


def test_bound_is_reached() -> None:
    current = Bounded(np.array([50.0, 50.0]), np.array([20.0, 50.0]), np.array([50.0, 80.0]))
    assert sure(linf_distance([50, 50], current)).bound == pytest.approx(0.3)
    assert sure(total_variation([50, 50], current)).bound == pytest.approx(0.3)
    assert sure(total_variation([20, 80], current)).bound == pytest.approx(0.3)
    assert sure(hellinger_distance([50, 50], current)).bound == pytest.approx(
        sure(hellinger_distance([50, 50], [20, 80])).value
    )
