"""Rows that have a prediction and a label, but cannot be compared: counted, told, and no answer if many."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics

from aporia_provider.monitoring.performance import METRICS, STATES, Options, compute
from aporia_provider.monitoring.profiles.plan import OutcomePlan, ProfilePlan
from aporia_provider.monitoring.profiles.profile import profile

ROWS = 200
RANDOM = np.random.default_rng(12)
SCORES, TRUTH = RANDOM.random(ROWS), RANDOM.random(ROWS) < 0.4
NUMBERS, CLASSES = RANDOM.normal(5, 1, ROWS), RANDOM.choice(["a", "b"], ROWS)


def binary(bad: int) -> object:
    scores = np.where(np.arange(ROWS) < bad, np.nan, SCORES)
    return STATES["binary"].of(pa.array(scores), pa.array(TRUTH))


def binary_labels(bad: int) -> object:
    labels = np.where(np.arange(ROWS) < bad, 2, TRUTH)
    return STATES["binary"].of(pa.array(SCORES), pa.array(labels))


def multiclass(bad: int) -> object:
    codes = np.where(np.arange(ROWS) < bad, np.nan, np.arange(ROWS) % 3)
    return STATES["multiclass"].of(pa.array(codes), pa.array(np.arange(ROWS) % 3))


def multiclass_labels(bad: int) -> object:
    codes = np.where(np.arange(ROWS) < bad, np.inf, np.arange(ROWS) % 3)
    return STATES["multiclass"].of(pa.array(np.arange(ROWS) % 3), pa.array(codes))


def regression(bad: int) -> object:
    labels = np.where(np.arange(ROWS) < bad, np.nan, NUMBERS)
    return STATES["regression"].of(pa.array(NUMBERS + 1), pa.array(labels))


def ranking(bad: int) -> object:
    scores = [[math.nan if n < bad else 0.5, 0.25] for n in range(ROWS)]
    return STATES["ranking"].of(pa.array(scores), pa.array([[1, 0]] * ROWS))


GIVEN = {"k": 2, "class_name": "1", "minimum": 0, "minimum_each": 0, "threshold": 0.5}
MADE = [binary, binary_labels, multiclass, multiclass_labels, regression, ranking]


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize(
    ("bad", "status"), [(0, "ok"), (10, "ok"), (11, "insufficient_data"), (150, "insufficient_data")]
)
def test_every_answer_counts_them(made, bad, status):
    state = made(bad)
    names = next(metrics for kind, metrics in METRICS.items() if STATES[kind] is type(state))
    assert state.left_out == bad
    for name in names:
        if name in ("prediction_count", "actuals_count", "label_coverage"):
            continue
        found = compute(name, state, GIVEN)
        assert found.left_out == bad, name
        assert (f"{bad} " in (found.reason or "")) == (bad > 0), name
        if found.number is not None:
            assert found.status == status, (name, found)
            expected = (found.number, None) if status == "ok" else (None, found.number)
            assert (found.value, found.shown) == expected


def test_rows_without_a_label_or_a_prediction_are_not_among_them():
    scores = [0.25] * 50 + [math.nan] * 50 + [None] * 50 + [0.75] * 50
    labels = [True] * 50 + [None] * 50 + [False] * 50 + [False] * 50
    state = STATES["binary"].of(pa.array(scores, pa.float64()), pa.array(labels))
    assert (state.rows, state.labelled, state.left_out, state.explanation) == (200, 100, 0, None)
    assert compute("accuracy", state).value == 0
    assert compute("label_coverage", state).value == 0.5


def test_labels_of_one_and_two_are_not_half_a_model():
    """Undeclared, they gave precision 1.0."""
    labels = np.where(TRUTH, 2, 1)
    state = STATES["binary"].of(pa.array(SCORES), pa.array(labels))
    found = compute("precision", state, {"minimum": 1})
    assert (found.value, found.left_out) == (None, np.count_nonzero(TRUTH))
    assert found.reason is not None
    assert "declare both classes" in found.reason
    assert 'labels=["1", "2"]' in found.reason
    declared = STATES["binary"].of(pa.array(SCORES), pa.array(labels), Options(negative="1", positive="2"))
    found = compute("precision", declared)
    assert found.value == metrics.precision_score(TRUTH, SCORES >= 0.5)
    assert (found.left_out, found.reason) == (0, None)


def test_predictions_that_are_not_numbers_are_not_right():
    """They gave accuracy 1.0."""
    codes = [1.0] * 120 + [math.nan] * 80
    found = compute("accuracy", STATES["multiclass"].of(pa.array(codes), pa.array([1] * 200)))
    assert (found.value, found.number, found.left_out, found.samples) == (None, 1.0, 80, 120)
    assert found.reason == (
        "80 of 200 rows with a prediction and a label are left out; 80 rows have a prediction or label that "
        "cannot be compared: 80 with NaN or an infinite number"
    )


def test_queries_that_wait_for_labels_are_told_but_not_left_out():
    labels = [[1, 0]] * 100 + [[1, None]] * 100
    found = compute(
        "mrr_at_k", STATES["ranking"].of(pa.array([[0.5, 0.25]] * 200), pa.array(labels)), {"k": 1}
    )
    assert (found.value, found.left_out, found.samples) == (1.0, 0, 100)
    assert "100 with candidates that have no label" in (found.reason or "")


@pytest.mark.parametrize("name", ["recall", "f1", "tp_count", "recall_per_class", "hamming"])
def test_skipped_labels_count(name):
    truths = [[("a", True), ("b", None if n < 60 else False)] for n in range(200)]
    scores = [[("a", 0.75), ("b", 0.25)]] * 200
    state = STATES["multi-label"].of(
        pa.array(scores, pa.map_(pa.string(), pa.float64())),
        pa.array(truths, pa.map_(pa.string(), pa.bool_())),
    )
    of_b = compute(name, state, {"class_name": "b"})
    left_out = 30 if name == "hamming" else 60
    assert (of_b.left_out, of_b.value) == (left_out, None)
    assert f"{left_out} of 200 rows" in (of_b.reason or "") or of_b.number is None
    if name != "hamming":
        of_a = compute(name, state, {"class_name": "a"})
        assert (of_a.left_out, of_a.status) == (0, "ok")


def test_rows_that_the_f1_of_examples_is_not_defined_for_count():
    labels = pa.array([["a"]] * 150 + [[]] * 50, pa.list_(pa.string()))
    found = compute("example_f1", STATES["multi-label"].of(labels, labels))
    assert (found.value, found.number, found.left_out) == (None, 1.0, 50)
    assert compute("accuracy", STATES["multi-label"].of(labels, labels)).value == 1


def test_a_useless_bound_is_no_answer():
    labels = np.arange(1000) < 300
    state = STATES["binary"].of(pa.array(np.linspace(0.5001, 0.5009, 1000)), pa.array(labels))
    for name in ("auc_roc", "average_precision", "recall", "tp_count"):
        found = compute(name, state, {"threshold": 0.5004})
        assert (found.value, found.status) == (None, "insufficient_data"), name
        assert found.number is not None
        assert "many scores are in one bin" in (found.reason or "")
    assert compute("recall", state, {"threshold": 0.5}).value == 1
    multi = STATES["multi-label"].of(
        pa.array([[("a", 0.5004)]] * 200, pa.map_(pa.string(), pa.float64())),
        pa.array([["a"], []] * 100, pa.list_(pa.string())),
    )
    assert compute("recall", multi, {"threshold": 0.5003}).status == "insufficient_data"
    assert compute("recall", multi, {"threshold": 0.5}).status == "ok"


@pytest.mark.parametrize(("ties", "status"), [(0, "ok"), (9, "ok"), (10, "insufficient_data")])
def test_labels_that_differ_at_the_same_time_are_told(ties, status):
    times = [0] * ROWS
    columns = {
        "id": range(ROWS),
        "time": pa.array(times, pa.timestamp("us")),
        "score": [None if n == 50 else 0.75 for n in range(ROWS)],
        "label": [True] * ROWS,
        # That of the row without a prediction is no matter.
        "tied": [n < ties or n == 50 for n in range(ROWS)],
    }
    outcome = OutcomePlan("performance.score", "binary", "score", "label", tied="tied")
    batch = pa.RecordBatch.from_pydict(columns)
    state = profile([batch.slice(0, 5), batch.slice(5)], ProfilePlan("daily", (), (outcome,)))[
        0, "performance.score"
    ]
    assert state.ties == ties
    found = compute("recall", state)
    assert (found.status, found.number, found.left_out) == (status, 1.0, 0)
    note = f"{ties} rows have different labels with the same timestamp, so the greatest is used"
    assert (note in (found.reason or "")) == (ties > 0)
