"""Bins that follow the scores of the baseline, against scikit-learn on the rows themselves."""

from __future__ import annotations

import functools
import json
import operator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from aporia_provider.monitoring.bins.score_bins import ScoreBins
from aporia_provider.monitoring.performance import Options, calibration, compute, state_class
from aporia_provider.monitoring.profiles.baseline_bins import make_bins
from aporia_provider.monitoring.profiles.plan import FieldPlan, dump_bins, load_bins
from tests.sizes import sized

Binary = state_class("binary")
AREAS = {"auc_roc": metrics.roc_auc_score, "average_precision": metrics.average_precision_score}
SHAPES = st.sampled_from([0.2, 0.5, 1.0, 4.0, 30.0, 500.0, 20_000.0, 1e6])


def options(baseline: np.ndarray) -> Options:
    bins = ScoreBins.of(baseline)
    assert bins is not None
    return Options(edges=bins.edges)


def state(scores: np.ndarray, labels: np.ndarray, baseline: np.ndarray):
    return Binary.of(pa.array(scores), pa.array(labels), options(baseline))


def check_areas(scores: np.ndarray, labels: np.ndarray, baseline: np.ndarray, widest: float = 0.01) -> None:
    made = state(scores, labels, baseline)
    for name, oracle in AREAS.items():
        found = compute(name, made)
        assert abs(found.number - oracle(labels, scores)) <= found.bound + 1e-9, name
        assert found.bound < widest, name


@pytest.mark.slow
def test_scores_below_the_first_thousandth_are_resolved():
    """With bins of one width, all scores were in one bin: AUC 0.5 ± 0.5."""
    random = np.random.default_rng(1)
    scores = random.beta(0.5, 500, 40_000)
    labels = random.random(40_000) < scores * 3
    baseline = random.beta(0.5, 500, 20_000)
    even = compute("auc_roc", Binary.of(pa.array(scores), pa.array(labels)))
    assert (even.status, even.value) == ("insufficient_data", None)
    found = compute("auc_roc", state(scores, labels, baseline))
    assert found.status == "ok"
    assert found.value == pytest.approx(metrics.roc_auc_score(labels, scores), abs=0.002)
    check_areas(scores, labels, baseline)


@pytest.mark.slow
@settings(max_examples=sized(6, 25))
@given(
    a=SHAPES,
    b=SHAPES,
    scale=st.sampled_from(["probability", "logit", "percent", "shifted", "float32", "rounded"]),
    gain=st.floats(0.2, 5),
    seed=st.integers(0, 1000),
)
def test_areas_are_within_useful_bounds_wherever_the_scores_are(a, b, scale, gain, seed):
    random = np.random.default_rng(seed)
    chances = np.clip(random.beta(a, b, 6_000), 1e-300, 1 - 1e-16)
    labels = random.random(6_000) < np.clip(chances * gain, 0, 1)
    labels[-20:] = np.arange(20) < 10
    scores = {
        "probability": lambda: chances,
        "logit": lambda: np.log(chances) - np.log1p(-chances),
        "percent": lambda: 100 * chances,
        "shifted": lambda: 1000 - chances,
        "float32": lambda: chances.astype(np.float32).astype(np.float64),
        "rounded": lambda: np.round(chances, 3),
    }[scale]()
    check_areas(scores[1_000:], labels[1_000:], scores)


@pytest.mark.slow
@pytest.mark.parametrize("share", [1e-3, 1e-2])
def test_rare_events_at_either_end(share):
    random = np.random.default_rng(3)
    labels = random.random(50_000) < share
    for sign in (1, -1):
        raw = random.normal(3 * labels, 1) * sign
        check_areas(raw, labels, raw[:30_000])
        check_areas(raw, ~labels, raw[:30_000])


def test_few_scores_have_no_bound_at_all():
    random = np.random.default_rng(4)
    scores = random.choice([0.0, 0.1234567, 0.5, 0.50000001, 1.0], 3_000)
    labels = random.random(3_000) < scores
    made = state(scores, labels, scores[:100])
    # Scores of one are probabilities, too.
    assert compute("recall", made).value == metrics.recall_score(labels, scores >= 0.5)
    assert [group.high for group in calibration(made)] == [0.1, 0.2, 0.6, 1.0]
    found = compute("auc_roc", made)
    assert (found.value, found.bound) == (pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12), 0)


@pytest.mark.slow
def test_thresholds_stay_exact():
    random = np.random.default_rng(5)
    scores = random.beta(0.5, 50, 20_000)
    labels = random.random(20_000) < scores
    made = state(scores, labels, scores[:5_000])
    for threshold in (0.0, 1e-6, 0.0003, 0.001, 0.005, 0.05, 0.123, 0.5, 0.999, 1.0):
        found = compute("recall", made, {"threshold": threshold})
        expected = metrics.recall_score(labels, scores >= threshold)
        assert (found.value, found.bound) == (expected, 0), threshold
    # Between edges, the nearest one answers.
    found = compute("tp_count", made, {"threshold": 0.00711})
    exact = np.count_nonzero(labels & (scores >= 0.00711))
    assert abs(found.value - exact) <= found.bound <= 0.01 * len(scores)
    logits = np.log(scores) - np.log1p(-scores)
    found = compute("recall", state(logits, labels, logits[:5_000]), {"threshold": -2.5})
    assert (found.value, found.bound) == (metrics.recall_score(labels, logits >= -2.5), 0)


def test_calibration_on_such_bins():
    random = np.random.default_rng(6)
    scores = random.beta(0.5, 20, 20_000)
    labels = random.random(20_000) < scores
    made = state(scores, labels, scores[:5_000])
    for group in calibration(made):
        chosen = (scores >= group.low) & (scores < group.high)
        assert group.rows == chosen.sum()
        assert abs(group.score - scores[chosen].mean()) <= group.bound + 1e-12 < 0.0006
        assert group.share == pytest.approx(labels[chosen].mean())
    assert compute("calibration_error", made).bound < 0.0005


@pytest.mark.slow
def test_states_of_parts_add_up_and_are_small():
    random = np.random.default_rng(7)
    scores, labels = random.beta(0.5, 5, 5_000), random.random(5_000) < 0.1
    made = functools.partial(state, baseline=random.beta(0.5, 5, 50_000))
    whole = made(scores, labels)
    parts = [made(scores[start::7], labels[start::7]) for start in range(7)]
    added = functools.reduce(operator.add, parts[::-1])
    assert added == whole
    assert json.dumps(added.to_json()) == json.dumps(whole.to_json())
    assert Binary.from_json(json.loads(json.dumps(whole.to_json()))) == whole
    assert whole + made(scores[:0], labels[:0]) == whole
    assert len(json.dumps(made(scores[:3], labels[:3]).to_json())) < 1_000
    assert len(options(scores).edges) < 2_000


def test_the_bins_of_scores_is_made_with_the_others():
    plan = FieldPlan("predictions.score", "numeric", "score", scored=True)
    table = pa.table({"score": [0.2, None, float("nan"), 0.7]})
    made = make_bins(table, [plan])
    assert {key: item.values for key, item in made.items()} == dict.fromkeys(made, 2)
    bins = {key: item.bins for key, item in made.items()}
    assert set(bins) == {"predictions.score", "predictions.score[scores]"}
    assert {0.2, 0.7, 0.5, 0.001} <= set(bins["predictions.score[scores]"].edges)
    assert load_bins(json.loads(json.dumps(dump_bins(bins)))) == bins
    assert make_bins(pa.table({"score": pa.nulls(3, pa.float64())}), [plan]) == {}


@pytest.mark.parametrize(
    "scores",
    [[3.0], [0.0], [1e300, -1e300], [1e9, 1e9 + 1e-6], [0.0, 1e-300, -5e-324], [5e-324, -5e-324], [1.5, 2.0]],
)
def test_odd_baselines_have_rising_edges(scores):
    made = state(np.array(scores), np.ones(len(scores), dtype=bool), np.array(scores))
    edges = np.array(ScoreBins.of(np.array(scores)).edges)
    assert len(edges) >= 3
    assert (np.diff(edges) > 0).all()
    assert compute("tp_count", made, {"threshold": min(scores)}).number == len(scores)
    assert ScoreBins.of(np.array([np.nan, np.inf])) is None
