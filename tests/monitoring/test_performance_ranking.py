"""Ranking from sums over queries, against scikit-learn and by hand."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance import Options, compute, state_class

Ranking = state_class("ranking")
EXACT = dict.fromkeys(("rel", "abs"), 1e-9)
METRICS = ("accuracy", "precision", "recall", "map", "mrr", "ndcg")


def made(predictions: object, labels: object, **options: object):
    return Ranking.of(pa.array(predictions), pa.array(labels), Options(**options))


def served(relevances: list[list[float]], **options: object):
    """Queries whose candidates are ranked as they come."""
    return made([list(range(len(row), 0, -1)) for row in relevances], relevances, **options)


def shown(name: str, state, k: int, **given: object) -> float | None:
    return compute(f"{name}_at_k", state, {"k": k, **given}).number


def test_ndcg_of_known_relevances():
    state = served([[3, 2, 3, 0, 1, 2]])
    known = {
        ("linear", 6): 0.960808,
        ("linear", 3): 0.977782,
        ("exponential", 6): 0.948811,
        ("exponential", 3): 0.959454,
    }
    for (gain, k), number in known.items():
        assert shown("ndcg", state, k, gain=gain) == pytest.approx(number, abs=1e-6)
    assert shown("ndcg", state, 6) == shown("ndcg", state, 6, gain="exponential")
    assert compute("ndcg", state, {"k": 6}) == compute("ndcg_at_k", state, {"k": 6})


@pytest.mark.slow
def test_average_precision_and_reciprocal_rank_of_known_rows():
    rows = [[1, 0, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0]]
    for normaliser in ("relevant", "reachable"):
        for row, number in zip(rows, (0.833333, 0.166667, 0), strict=True):
            assert shown("map", served([row]), 3, normaliser=normaliser) == pytest.approx(number, abs=5e-7)
    assert shown("mrr", served(rows), 3) == pytest.approx(4 / 9, **EXACT)
    assert shown("mrr", served(rows), 2) == pytest.approx(1 / 3, **EXACT)
    assert shown("map", served([[1, 0, 1, 1]]), 1, normaliser="reachable") == 1
    assert shown("map", served([[1, 0, 1, 1]]), 1) == pytest.approx(1 / 3, **EXACT)


@pytest.mark.parametrize("candidates", [3, 7, 12, 40])
def test_ndcg_equals_that_of_scikit_learn(candidates):
    random = np.random.default_rng(candidates)
    scores, relevances = random.random((300, candidates)), random.integers(0, 5, (300, candidates))
    relevances[:, 0] += 1
    relevances[:5] = 0
    state = made(scores.tolist(), relevances.tolist())
    for k in range(1, 13):
        for gain, gains in (("linear", relevances), ("exponential", 2.0**relevances - 1)):
            expected = metrics.ndcg_score(gains, scores, k=k, ignore_ties=True)
            found = compute("ndcg_at_k", state, {"k": k, "gain": gain})
            assert found.value == pytest.approx(expected, **EXACT)
            assert found.samples == 300
            relevant = compute("ndcg_at_k", state, {"k": k, "gain": gain, "queries": "relevant"})
            assert relevant.value == pytest.approx(expected * 300 / 295, **EXACT)


def by_hand(scores: np.ndarray, relevances: np.ndarray, k: int) -> dict[str, float]:
    sums = dict.fromkeys(("accuracy", "precision", "recall", "map", "reachable", "mrr", "served"), 0.0)
    for row, truth in zip(scores, relevances, strict=True):
        ranked = (truth[np.argsort(-np.asarray(row), kind="stable")] > 0).tolist()
        total, first = sum(ranked), ranked[:k]
        hits = sum(first)
        sums["accuracy"] += hits > 0
        sums["precision"] += hits / k
        sums["served"] += hits / min(k, len(ranked))
        if total:
            precision = sum(sum(first[: i + 1]) / (i + 1) for i in range(len(first)) if first[i])
            sums["recall"] += hits / total
            sums["map"] += precision / total
            sums["reachable"] += precision / min(k, total)
            sums["mrr"] += 1 / (first.index(True) + 1) if hits else 0
    return {name: number / len(scores) for name, number in sums.items()}


@pytest.mark.slow
def test_metrics_equal_those_by_hand_for_lists_of_any_length():
    random = np.random.default_rng(6)
    lengths = random.integers(1, 20, 400)
    scores = [random.integers(0, 6, length).astype(float) for length in lengths]
    relevances = [random.integers(0, 3, length) * (random.random() < 0.8) for length in lengths]
    state = made([row.tolist() for row in scores], [row.tolist() for row in relevances])
    for k in range(1, 13):
        expected = by_hand(scores, relevances, k)
        for name in ("accuracy", "precision", "recall", "map", "mrr"):
            assert shown(name, state, k) == pytest.approx(expected[name], **EXACT), (name, k)
        assert shown("map", state, k, normaliser="reachable") == pytest.approx(expected["reachable"], **EXACT)
        assert shown("precision", state, k, denominator="served") == pytest.approx(
            expected["served"], **EXACT
        )


@pytest.mark.slow
def test_average_precision_equals_that_of_scikit_learn():
    random = np.random.default_rng(12)
    scores, relevances = random.random((200, 12)), random.integers(0, 2, (200, 12))
    relevances[:, 0] = 1
    pairs = zip(relevances, scores, strict=True)
    expected = np.mean([metrics.average_precision_score(*pair) for pair in pairs])
    assert shown("map", made(scores.tolist(), relevances.tolist()), 12) == pytest.approx(expected, **EXACT)


def test_accuracy_is_that_of_classifiers_if_one_item_is_relevant():
    random = np.random.default_rng(13)
    scores, labels = random.random((200, 6)), random.integers(0, 6, 200)
    state = made(scores.tolist(), (np.arange(6) == labels[:, None]).tolist())
    for k in (1, 3):
        expected = metrics.top_k_accuracy_score(labels, scores, k=k)
        assert shown("accuracy", state, k) == pytest.approx(expected, **EXACT)


def test_equal_scores_keep_the_order_served():
    state = made([[0.5, 0.5, 0.5], [0.0, -0.0, 1.0]], [[0, 1, 0], [1, 0, 0]])
    assert shown("mrr", state, 3) == 0.5
    assert shown("mrr", state, 1) == 0


def test_queries_without_relevant_items_are_counted_and_may_be_left_out():
    state = served([[1, 0], [0, 0], [0, 1]] * 50)
    assert (state.without_relevant, state.without_gain) == (50, 50)
    everything = compute("recall_at_k", state, {"k": 1})
    assert (everything.value, everything.samples) == (pytest.approx(1 / 3), 150)
    assert everything.reason == "50 queries without relevant items count as 0"
    some = compute("recall_at_k", state, {"k": 1, "queries": "relevant"})
    assert (some.value, some.samples) == (0.5, 100)
    assert some.reason == "50 queries without relevant items are left out"
    assert (
        compute("recall_at_k", served([[1, 0], [0, 0]] * 60), {"k": 1, "queries": "relevant"}).value is None
    )
    nothing = served([[0, 0]] * 200)
    for name in METRICS:
        assert shown(name, nothing, 2) == 0
        assert compute(f"{name}_at_k", nothing, {"k": 2, "queries": "relevant"}).status == "insufficient_data"


def test_what_is_relevant_can_be_asked_for():
    state = served([[1, 3, 2]], relevant_above=2)
    assert shown("mrr", state, 3) == 0.5
    assert shown("recall", state, 2) == 1
    none = served([[1, 1]], relevant_above=2)
    assert (none.without_relevant, none.without_gain) == (1, 0)
    assert shown("ndcg", none, 2) == shown("ndcg", none, 2, queries="relevant") == 1
    with pytest.raises(ValidationError, match="relevant_above"):
        state + served([[1]])


def test_items_are_found_among_the_relevant():
    predictions = [["a", "b", "c"], ["x", "x", "y"], [], ["a"], None, ["a"]]
    labels = [["c", "a", "z"], ["x", "y", "x"], ["a"], [], ["a"], None]
    state = made(predictions, labels)
    assert (state.rows, state.labelled, state.unusable, state.without_relevant) == (6, 4, 0, 1)
    assert shown("recall", state, 1, queries="relevant") == pytest.approx((1 / 3 + 1 / 2 + 0) / 3)
    assert shown("recall", state, 3, queries="relevant") == pytest.approx((2 / 3 + 1 + 0) / 3)
    # x is found once, though it was served twice.
    assert shown("precision", state, 2) == (1 / 2 + 1 / 2 + 0 + 0) / 4
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert shown("ndcg", made(predictions[:1], labels[:1]), 3) == pytest.approx((1 + 1 / 2) / ideal)
    numbers = made([[5, 6, 7]], [[7, 5, 1]], candidates="items")
    assert shown("recall", numbers, 3) == pytest.approx(2 / 3)


def test_positions_rank_whatever_was_served():
    relevances = [[0, 2, 1]]
    assert (
        made([["b", "a", "c"]], relevances).hits == made([[9, 1, 5]], relevances, candidates="positions").hits
    )
    assert shown("mrr", made([["b", "a", "c"]], relevances), 3) == 0.5
    assert shown("mrr", made([[1, 9, 5]], relevances), 3) == 1
    with pytest.raises(ValidationError, match="Relevances must be numbers or booleans; the labels are text"):
        made([[0.5]], [["a"]])


def test_what_cannot_be_compared_is_unusable():
    predictions = [
        [0.5],
        [0.5, 0.1],
        [math.nan],
        [math.inf],
        [None],
        [0.5],
        [0.5],
        [0.5],
        None,
        [0.5],
        None,
        [],
    ]
    labels = [[1.0], [1.0], [1.0], [1.0], [1.0], [math.nan], [None], [-1.0], [1.0], None, [math.nan], []]
    state = made(predictions, labels)
    assert (state.rows, state.labelled, state.unusable) == (12, 2, 6)
    assert state.faults == {"other_length": 1, "no_score": 3, "no_relevance": 2}
    assert shown("precision", state, 1) == 0.5
    assert made([None] * 3, [None] * 3).labelled == 0
    with pytest.raises(ValidationError, match="The column must contain arrays, not double"):
        made([0.5], [1.0])


def test_queries_some_of_whose_candidates_have_no_label_say_so():
    scores = [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.9, 0.1]]
    state = made(scores, [[1.0, None], [None, 0.0], [None, None], None])
    # The last two are not labelled yet.
    assert (state.labelled, state.faults) == (0, {"unlabelled": 2})
    found = compute("ndcg_at_k", state, {"k": 3})
    assert found.reason == (
        "2 queries have a prediction or label that cannot be compared: 2 with candidates that have no label"
    )
    coverage = compute("label_coverage", state)
    assert (coverage.value, coverage.samples, coverage.reason) == (0.0, 4, found.reason)
    assert compute("ndcg_at_k", made(scores[:1], [[None, None]]), {"k": 3}).reason == "no row is labelled"
    state = made([[0.5], [0.5, None]], [[1.0, 2.0], [1.0, 0.0]])
    assert compute("ndcg_at_k", state, {"k": 3}).reason.endswith(
        "1 with a score that is missing, NaN or infinite, 1 with different numbers of labels and candidates"
    )


def test_great_relevances_stay_finite():
    state = served([[5000, 1, 4999], [1e300, 1e308, 0]])
    assert shown("ndcg", state, 3, gain="linear") < 1
    linear = shown("ndcg", served([[1.7e308, 0, 1.7e308]]), 3, gain="linear")
    assert linear == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3)), **EXACT)
    expected = (1 + 0.5 / 2) / (1 + 0.5 / math.log2(3))
    assert shown("ndcg", served([[5000, 1, 4999]]), 3) == pytest.approx(expected, **EXACT)


@pytest.mark.parametrize("gain", ["linear", "exponential"])
def test_small_relevances_are_still_gains(gain):
    for smallest in (1e-300, 1e-17):
        second = shown("ndcg", served([[0, smallest]]), 2, gain=gain)
        assert second == pytest.approx(1 / math.log2(3), **EXACT)
    assert shown("ndcg", served([[5e-324, 0]]), 2, gain=gain) == 1


def test_k_is_needed_and_has_limits():
    state = served([[1]])
    for name in METRICS:
        with pytest.raises(ValidationError, match="requires k, a whole number from 1 to 12"):
            compute(f"{name}_at_k", state)
    with pytest.raises(ValidationError, match="from 1 to 12, not 13"):
        compute("ndcg_at_k", state, {"k": 13})
