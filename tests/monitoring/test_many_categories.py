"""Drift of fields with thousands of distinct values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import binomtest, chi2, chi2_contingency, kstest, norm

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.bins.field_bins import CategoryBins
from aporia_provider.monitoring.drift.category_histograms import CategoryHistogram
from aporia_provider.monitoring.drift.field_drift import ComparedState, drift
from aporia_provider.monitoring.drift.measures import CATEGORY_METRICS
from aporia_provider.monitoring.drift.unseen_values import estimate_new_values
from aporia_provider.monitoring.states.value_tail import Tail
from tests.monitoring.vocabularies import Pair, by_hash, by_vocabulary, state_of, zipf
from tests.sizes import sized

pytestmark = pytest.mark.slow

Floats = NDArray[np.float64]
Oracle = Callable[[Floats, Floats], float]
DISTANCES = sorted(CATEGORY_METRICS.keys() - {"chi_squared", "drift_score"})


def _psi(p: Floats, q: Floats) -> float:
    used = (p > 0) | (q > 0)
    p, q = np.maximum(p[used], 1e-4), np.maximum(q[used], 1e-4)
    return float(((q - p) * np.log(q / p)).sum())


ORACLES: dict[str, Oracle] = {
    "js_distance": lambda p, q: float(jensenshannon(p, q, base=2)),
    "hellinger_distance": lambda p, q: math.sqrt(max(0.0, 1 - np.sqrt(p * q).sum())),
    "total_variation": lambda p, q: float(np.abs(p - q).sum() / 2),
    "linf_distance": lambda p, q: float(np.abs(p - q).max()),
    "psi": _psi,
}


def right(metric: str, sides: tuple[Floats, Floats]) -> float:
    one, other = sides
    return ORACLES[metric](one / one.sum(), other / other.sum())


def ask(metric: str, pair: Pair) -> MetricResult:
    return drift(metric, *pair.sides)


pairs = st.builds(
    Pair.of,
    st.integers(0, 2**32),
    st.integers(700, 20_000),
    st.sampled_from([0.0, 0.6, 1.0, 1.3]),
    st.tuples(st.integers(10_000, 100_000), st.integers(2_000, 60_000)),
    st.sampled_from([0.0, 0.1, 0.3, 0.7, 1.0]),
)


UNCHANGED = [(700, 0.0), (2_000, 0.0), (5_000, 1.0), (5_000, 0.0), (40_000, 1.0)]


@settings(max_examples=sized(10, 40), derandomize=True)
@given(pairs, st.sampled_from(sorted(ORACLES)))
def test_the_distance_of_all_rows_is_within_the_bound(pair: Pair, metric: str) -> None:
    answer = ask(metric, pair)
    assert answer.status == "ok"
    if "two bins" in (answer.reason or ""):
        expected = right(metric, by_vocabulary(pair))
        assert abs(answer.value - expected) <= answer.bound + 1e-9
    else:
        assert answer.bound == 0
        assert answer.value == pytest.approx(right(metric, by_hash(pair, 256)), abs=1e-9)


@settings(max_examples=sized(8, 30), derandomize=True)
@given(pairs)
def test_what_is_replaced_is_seen_and_nothing_else(pair: Pair) -> None:
    answer = ask("total_variation", pair)
    replaced = sum(count for text, count in pair.current.items() if text.startswith("new"))
    share, rows = replaced / sum(pair.current.values()), sum(pair.baseline.values())
    if not share:
        assert answer.value < 1.5 * answer.noise
    elif share > 0.2 and rows > 2 * len(pair.baseline):
        assert answer.value - answer.bound > 1.2 * answer.noise
        assert answer.value + answer.bound > 0.85 * share
        assert answer.value - answer.bound < share + 0.1
    if share == 1:
        assert answer.value == 1
        assert "the two sides have no value in common" in (answer.reason or "")


@pytest.mark.parametrize(
    ("distinct", "power", "rows"),
    [(2_000, 0.0, 20_000), (5_000, 0.0, 50_000), (20_000, 1.0, 100_000), (100_000, 0.0, 500_000)],
)
def test_a_replaced_vocabulary_is_as_far_as_can_be(distinct: int, power: float, rows: int) -> None:
    sides = Pair.of(1, distinct, power, (rows, 20_000), replaced=1.0).sides
    # The greatest stability index depends on how the baseline's values are spread over bins of their own.
    for metric in (*DISTANCES, "drift_score") if not power else ("drift_score", "total_variation"):
        answer = drift(metric, *sides)
        greatest = 2 * (1 - 1e-4) * math.log(1e4) if metric == "psi" else 1.0
        assert answer.value == pytest.approx(greatest, rel=1e-3)
        assert answer.value - answer.bound > greatest / 2
        reason = answer.reason or ""
        assert all(part in reason for part in ("distinct values", "100.0%", "'1-", "'new 1-"))


@pytest.mark.parametrize(("distinct", "power"), UNCHANGED[: sized(3, 5)])
def test_unchanged_vocabularies_have_the_noise_and_uniform_p_values(distinct: int, power: float) -> None:
    found: dict[str, list[MetricResult]] = {metric: [] for metric in (*DISTANCES, "chi_squared")}
    for seed in range(20):
        sides = Pair.of(seed, distinct, power, (50_000, 10_000)).sides
        for metric, answers in found.items():
            answers.append(drift(metric, *sides))
    p_values = [answer.p_value for answer in found.pop("chi_squared") if answer.p_value is not None]
    assert (len(p_values), min(p_values) > 1e-5) == (20, True)
    assert binomtest(sum(p < 0.01 for p in p_values), 20, 0.01, "greater").pvalue > 1e-3
    assert kstest(p_values, "uniform").pvalue > 1e-3
    for metric, answers in found.items():
        assert {(answer.status, answer.bound) for answer in answers} == {("ok", 0.0)}
        ratio = np.mean([answer.value for answer in answers]) / np.mean([answer.noise for answer in answers])
        assert (0.65 if metric == "linf_distance" else 0.9) < ratio < 1.15, metric


# Vocabularies all of whose values are kept: distinct values, power of Zipf's law, and rows of both sides.
KNOWN = [(600, 0.0, (2_000, 1_000)), (700, 0.0, (1_500, 772)), (1_500, 0.0, (3_000, 3_000))]
ZIPF = (2_000, 1.1, (3_000, 3_000))
DRAWS, SIDES = 80, 25


@pytest.mark.parametrize(("distinct", "power", "rows"), [*KNOWN, ZIPF])
def test_new_values_without_drift_are_as_many_as_expected_within_the_error(
    distinct: int, power: float, rows: tuple[int, int]
) -> None:
    """Errors in units of the standard error have the mean 0 and the mean square 1."""
    rng, shares, errors, surprising = np.random.default_rng(11), zipf(distinct, power), [], 0
    for _ in range(DRAWS):
        hashes = rng.integers(-(2**63), 2**63 - 1, distinct)
        drawn = (rng.multinomial(side, shares) for side in rows)
        tails = (Tail.of(hashes[counts > 0], counts[counts > 0]) for counts in drawn)
        baseline, current = (CategoryHistogram({}, tail) for tail in tails)
        words = estimate_new_values(baseline, current, [])
        assert words.found.low == words.found.high
        error = words.found.value - words.expected.value
        end = words.expected.high if error > 0 else words.expected.low
        errors.append(3 * error / abs(end - words.expected.value))
        surprising += words.surprising
    assert abs(np.mean(errors)) < 4 / math.sqrt(DRAWS)
    assert DRAWS * np.mean(np.square(errors)) < chi2.isf(1e-4, DRAWS)
    assert DRAWS * np.mean(np.square(errors)) > chi2.ppf(1e-4, DRAWS)
    assert binomtest(surprising, DRAWS, norm.sf(3), "greater").pvalue > 1e-4


# Some of these baselines have at most 256 distinct values, each of which is compared by itself.
LISTED = (600, 1.3, (2_000, 10_000))


@pytest.mark.parametrize(("distinct", "power", "rows"), [*KNOWN, LISTED])
def test_an_unchanged_vocabulary_all_of_whose_values_are_known_is_no_drift(
    distinct: int, power: float, rows: tuple[int, int]
) -> None:
    sides = [Pair.of(seed, distinct, power, rows).sides for seed in range(SIDES)]
    for metric, great in (("drift_score", 0.05), ("js_distance", 0.05), ("psi", 0.1)):
        answers = [drift(metric, *pair) for pair in sides]
        assert {answer.status for answer in answers} == {"ok"}
        alarms = sum((answer.excess or 0.0) > great for answer in answers)
        assert binomtest(alarms, SIDES, 0.01, "greater").pvalue > 1e-2, metric


@pytest.mark.parametrize("distinct", [600, 2_000])
def test_a_twentieth_of_the_values_that_is_new_is_seen(distinct: int) -> None:
    """The squared Hellinger distance of a share of new values is one minus the root of what is left."""
    for seed in range(5):
        pair = Pair.of(seed, distinct, 0.0, (10_000, 2_000))
        gone = set(list(pair.current)[::20])
        current = {f"new {text}" if text in gone else text: count for text, count in pair.current.items()}
        share = sum(pair.current[text] for text in gone) / 2_000
        answer = drift("drift_score", *Pair(pair.baseline, current).sides)
        assert answer.status == "ok"
        assert "in two bins" in (answer.reason or "")
        assert (answer.excess or 0.0) > 0.05
        assert abs(answer.value - math.sqrt(1 - math.sqrt(1 - share))) < answer.bound


def test_the_test_is_of_bins_of_all_values() -> None:
    pair = Pair.of(3, 3_000, 0.0, (30_000, 20_000), replaced=0.3)
    answer, expected = ask("chi_squared", pair), chi2_contingency(np.array(by_hash(pair, 256)))
    assert (answer.value, answer.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_ids_as_categories_are_no_drift() -> None:
    """Each value occurs once, so that all are new on both sides."""
    ids = [{f"{side}{place}": 1 for place in range(30_000)} for side in "ab"]
    bins = CategoryBins.of(ids[0])
    answer = drift("drift_score", *(ComparedState(state_of(side, bins), bins) for side in ids))
    assert answer.status == "ok"
    assert answer.value < 1.3 * answer.noise
    reason = answer.reason or ""
    assert "100.0% (between" in reason.split("are expected")[0].split(",")[-1]


def test_the_same_rows_have_no_distance_however_rare_their_values() -> None:
    ids = {f"a{place}": 1 for place in range(30_000)}
    side = ComparedState(state_of(ids, bins := CategoryBins.of(ids)), bins)
    assert drift("total_variation", side, side).value == 0


@pytest.mark.parametrize("replaced", [0.0, 1.0])
def test_a_small_day_is_compared_in_fewer_bins(replaced: float) -> None:
    pair = Pair.of(5, 3_000, 0.0, (100_000, 250), replaced)
    answer = ask("total_variation", pair)
    assert answer.status == "ok"
    if replaced:
        assert answer.value == 1
        assert answer.bound < 0.2
    else:
        assert answer.value == pytest.approx(right("total_variation", by_hash(pair, 32)), abs=1e-9)
        assert answer.value < 1.5 * answer.noise


@pytest.mark.parametrize("replaced", [0.0, 0.4])
def test_a_day_that_tells_too_little_of_a_large_vocabulary_is_shown(replaced: float) -> None:
    pair = Pair.of(6, 100_000, 0.0, (400_000, 250), replaced)
    answer = ask("total_variation", pair)
    assert (answer.status, answer.value) == ("insufficient_data", None)
    assert answer.shown is not None
    assert answer.noise is not None
    assert "use a longer period; about " in (answer.reason or "")


@pytest.mark.parametrize("replaced", [0.0, 1.0])
def test_a_flood_of_one_value_is_seen(replaced: float) -> None:
    """The sample of the values holds one value in many; a frequent one is not to be missed with them."""
    pair = Pair.of(7, 20_000, 0.0, (100_000, 20_000), replaced)
    flooded = Pair(pair.baseline, {**pair.current, "flood": 20_000})
    answer = ask("total_variation", flooded)
    assert answer.value >= 0.49
    assert answer.value + answer.bound >= 0.5 + replaced / 2 - 0.01


def test_versions_whose_bins_differ() -> None:
    """What only one of them counts by itself is counted by hash on both sides."""
    pair = Pair.of(8, 3_000, 1.0, (50_000, 20_000))
    first, second = CategoryBins.of(pair.baseline), CategoryBins.of(pair.current)
    sides = (
        ComparedState(state_of(pair.baseline, first), first),
        ComparedState(state_of(pair.current, second), second),
    )
    answer = drift("total_variation", *sides)
    assert answer.value == pytest.approx(right("total_variation", by_hash(pair, 256)), abs=1e-9)


@pytest.mark.parametrize("lacking", [40, 400])
def test_values_that_the_bins_were_made_without_are_not_new(lacking: int) -> None:
    """A sample of a large training set may lack rare values, of which the states know all the same."""
    rng = np.random.default_rng(9)
    shares = np.append(np.full(200, 0.9 / 200), np.full(lacking, 0.1 / lacking))
    names = [f"v{place}" for place in range(200 + lacking)]
    one, other = (dict(zip(names, rng.multinomial(40_000, shares).tolist(), strict=True)) for _ in range(2))
    bins = CategoryBins(tuple(names[:200]))
    answer = drift("total_variation", *(ComparedState(state_of(side, bins), bins) for side in (one, other)))
    assert answer.value < 1.3 * answer.noise
    flooded = other | {f"new{place}": 5 for place in range(4_000)}
    answer = drift("total_variation", *(ComparedState(state_of(side, bins), bins) for side in (one, flooded)))
    counts = np.array([(one.get(name, 0), flooded[name]) for name in flooded], dtype=float)
    expected = right("total_variation", (counts[:, 0], counts[:, 1]))
    # By hash, where new values and others of the same bin make up for each other in part.
    assert 0.28 < answer.value <= expected + answer.bound + 1e-9


def test_categories_that_meet_nowhere_are_shown() -> None:
    codes: dict[str, Any] = {"1": 600, "2": 500}
    names: dict[str, Any] = {"one": 200, "two": 300}
    bins = CategoryBins.of(codes)
    answer = drift("drift_score", *(ComparedState(state_of(side, bins), bins) for side in (codes, names)))
    assert (answer.value, answer.bound, answer.status) == (1.0, 0.0, "ok")
    assert answer.reason == (
        "the two sides have no value in common: the baseline has, for example, '1', the range 'two'"
    )
