"""Multi-label classification from histograms by label, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from sklearn import datasets, metrics
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance import Options, compute, state_class

MultiLabel = state_class("multi-label")
EXACT = dict.fromkeys(("rel", "abs"), 1e-9)
SCORES = {"precision": metrics.precision_score, "recall": metrics.recall_score, "f1": metrics.f1_score}
NAMES = ["birds", "cats", "dogs", "eels", "foxes"]


def fitted() -> tuple[np.ndarray, np.ndarray]:
    x, y = datasets.make_multilabel_classification(2000, n_classes=5, n_labels=2, random_state=3)
    model = OneVsRestClassifier(LogisticRegression(C=0.001)).fit(x[:500], y[:500])
    return model.predict_proba(x), y.astype(bool)


def rare() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(9)
    truth = random.random((800, 5)) < [0.5, 0.1, 0.02, 0.0, 0.3]
    return np.clip(random.normal(0.3, 0.2, (800, 5)) + 0.3 * truth, 0, 1) * [1, 1, 1, 0.4, 1], truth


@pytest.fixture(params=[fitted, rare], scope="module")
def data(request):
    return request.param()


def dicts(values: np.ndarray) -> pa.Array:
    return pa.array([dict(zip(NAMES, row, strict=True)) for row in values.tolist()])


def maps(values: np.ndarray, type_: pa.DataType) -> pa.Array:
    rows = [list(zip(NAMES, row, strict=True)) for row in values.tolist()]
    return pa.array(rows, pa.map_(pa.string(), type_))


def names(chosen: np.ndarray) -> pa.Array:
    rows = [[name for name, yes in zip(NAMES, row, strict=True) if yes] for row in chosen.tolist()]
    return pa.array(rows, pa.list_(pa.string()))


def made(predictions: object, labels: object, **options: object):
    return MultiLabel.of(pa.array(predictions), pa.array(labels), Options(**options))


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0.0, 0.29, 0.5, 0.93])
def test_metrics_equal_those_of_scikit_learn(data, threshold):
    scores, truth = data
    predicted = scores >= threshold
    state = MultiLabel.of(dicts(scores), dicts(truth), Options(threshold=threshold))
    for average in ("micro", "macro", "weighted"):
        for name, score in SCORES.items():
            expected = score(truth, predicted, average=average, zero_division=np.nan)
            found = compute(name, state, {"average": average})
            assert found.value == (None if math.isnan(expected) else pytest.approx(expected, **EXACT))
            assert found.bound == 0
    expected = metrics.f1_score(truth, predicted, average="samples", zero_division=np.nan)
    assert compute("example_f1", state, {"minimum": 1}).number == pytest.approx(expected, **EXACT)
    subset = metrics.accuracy_score(truth, predicted)
    assert compute("subset_accuracy", state).value == pytest.approx(subset, **EXACT)
    assert compute("accuracy", state) == compute("subset_accuracy", state)
    assert compute("hamming", state).value == pytest.approx(metrics.hamming_loss(truth, predicted), **EXACT)
    assert compute("hamming_loss", state) == compute("hamming", state)
    for name, matrix in zip(NAMES, metrics.multilabel_confusion_matrix(truth, predicted), strict=True):
        (tn, fp), (fn, tp) = matrix.tolist()
        for cell, count in {"tp": tp, "fp": fp, "fn": fn, "tn": tn}.items():
            assert compute(f"{cell}_count_per_class", state, {"class_name": name}).value == count
        assert compute("accuracy_per_class", state, {"class_name": name}).value == (tp + tn) / len(truth)
        recall = compute("recall_per_class", state, {"class_name": name})
        assert recall.value == (tp / (tp + fn) if tp + fn else None)
        assert (recall.reason is None) == (tp + fn > 0)
        assert compute("recall", state, {"class_name": name}) == recall


def test_other_thresholds_are_answered_by_label_but_not_by_row(data):
    scores, truth = data
    state = MultiLabel.of(dicts(scores), dicts(truth))
    expected = metrics.f1_score(truth, scores >= 0.31, average="macro", zero_division=np.nan)
    assert compute("f1", state, {"threshold": 0.31}).value == pytest.approx(expected, **EXACT)
    wrong = metrics.hamming_loss(truth, scores >= 0.31)
    assert compute("hamming", state, {"threshold": 0.31}).value == pytest.approx(wrong, **EXACT)
    for name in ("subset_accuracy", "example_f1"):
        assert compute(name, state, {"threshold": 0.5}) == compute(name, state)
        with pytest.raises(ValidationError, match=r"only at the threshold 0.5, .*, not at 0.31"):
            compute(name, state, {"threshold": 0.31})
    with pytest.raises(ValidationError, match="from 0 to 1"):
        compute("f1", state, {"threshold": 2})


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
def test_a_threshold_between_edges_is_answered_with_a_bound(data, average):
    scores, truth = data
    state = MultiLabel.of(dicts(scores), dicts(truth))
    for name, score in SCORES.items():
        exact = score(truth, scores >= 0.3147, average=average, zero_division=np.nan)
        found = compute(name, state, {"threshold": 0.3147, "average": average})
        assert found.value == compute(name, state, {"threshold": 0.31, "average": average}).value
        assert 0 < found.bound < 0.1
        assert abs(found.value - exact) <= found.bound
        assert "computed at 0.31, the bin edge nearest to the threshold 0.3147" in found.reason
    wrong = compute("hamming", state, {"threshold": 0.3147})
    assert abs(wrong.value - metrics.hamming_loss(truth, scores >= 0.3147)) <= wrong.bound
    cell = compute("tp_count", state, {"threshold": 0.3147, "class_name": "birds"})
    assert 0 <= cell.value - np.count_nonzero(truth[:, 0] & (scores[:, 0] >= 0.3147)) <= cell.bound


@pytest.mark.slow
def test_arrays_of_names_and_dicts_say_the_same(data):
    scores, truth = data
    predicted = scores >= 0.5
    states = [
        MultiLabel.of(given, known)
        for given in (
            names(predicted),
            dicts(predicted.astype(float)),
            maps(predicted.astype(int), pa.int8()),
        )
        for known in (
            names(truth),
            dicts(truth),
            maps(truth, pa.bool_()),
            maps(truth.astype(int), pa.int32()),
        )
    ]
    for metric in ("f1", "recall", "subset_accuracy", "example_f1", "hamming"):
        answers = [compute(metric, state) for state in states]
        # Names that are in no array are unknown, and have no rate either way.
        assert len({(answer.value, answer.bound) for answer in answers if metric != "hamming"}) <= 1
    for name in NAMES[:3]:
        counts = [compute("tn_count", state, {"class_name": name}).value for state in states]
        assert len(set(counts)) == 1


def test_dicts_of_text_are_truths():
    rows = [[("a", "true"), ("b", "False")], [("a", "0"), ("b", "1")]]
    state = MultiLabel.of(pa.array([["a"], ["a"]]), pa.array(rows, pa.map_(pa.string(), pa.string())))
    assert [compute(f"{cell}_count", state, {"class_name": "a"}).number for cell in ("tp", "fp")] == [1, 1]
    assert [compute(f"{cell}_count", state, {"class_name": "b"}).number for cell in ("fn", "tn")] == [1, 1]


def test_a_label_that_is_not_named_is_neither_predicted_nor_true():
    state = made([["a"], ["b"], []], [["a", "c"], ["a"], []])
    cells = {
        name: tuple(
            compute(f"{cell}_count", state, {"class_name": name}).number for cell in ("tp", "fp", "fn", "tn")
        )
        for name in "abc"
    }
    assert cells == {"a": (1, 0, 1, 1), "b": (0, 1, 0, 2), "c": (0, 0, 1, 2)}
    assert compute("hamming", state).number == 3 / 9
    assert compute("subset_accuracy", state).number == 1 / 3
    found = compute("example_f1", state)
    assert found.number == pytest.approx((2 / 3 + 0) / 2)
    assert (found.samples, "left out 1 rows without a label" in found.reason) == (2, True)


def test_a_label_that_is_not_named_is_below_every_threshold():
    state = made([["a"]], [["b"]], threshold=0.0)
    for name, cell in {"a": "fp", "b": "fn"}.items():
        assert compute(f"{cell}_count", state, {"class_name": name}).number == 1


def test_rows_that_do_not_name_a_label_count_in_its_bound():
    scores = pa.array([[("a", 0.123)], [("b", 0.9)], [("b", 0.1)], []], pa.map_(pa.string(), pa.float64()))
    state = MultiLabel.of(scores, pa.array([["a"], [], [], []], pa.list_(pa.string())))
    found = compute("accuracy_per_class", state, {"class_name": "a", "threshold": 0.124})
    assert (found.number, found.bound) == (1, 1 / 4)
    assert compute("tn_count", state, {"class_name": "a", "threshold": 0.124}).bound == 0


def test_scores_and_truths_that_are_unknown_are_skipped():
    scores = pa.array([{"a": 0.9, "b": 0.9}, {"a": None, "b": 0.1}, {"a": math.nan, "b": 0.9}])
    truth = pa.array([{"a": True, "b": None}, {"a": True, "b": True}, {"a": True, "b": True}])
    state = MultiLabel.of(scores, truth)
    assert state.skipped == {"a": 2, "b": 1}
    assert (state.labelled, state.unusable) == (3, 0)
    found = compute("tp_count", state, {"class_name": "a"})
    assert (found.number, found.samples) == (1, 1)
    assert compute("recall", state, {"class_name": "b"}).number == 0.5
    assert compute("subset_accuracy", state).number == 2 / 3


def test_rows_without_prediction_or_label_are_not_labelled():
    state = made([["a"], None, ["a"], []], [["a"], ["a"], None, []])
    assert (state.rows, state.labelled, state.unusable, state.matched) == (4, 2, 0, 2)
    assert state.positives.keys() == {"a"}
    empty = MultiLabel.of(pa.nulls(3), pa.nulls(3))
    assert (empty.rows, empty.labelled) == (3, 0)


def test_the_last_of_equal_names_counts():
    predicted = pa.array([[("a", 0.1), ("b", 0.5), ("a", 0.9)]], pa.map_(pa.string(), pa.float64()))
    assert (
        compute("tp_count", MultiLabel.of(predicted, pa.array([["a", "a"]])), {"class_name": "a"}).number == 1
    )
    assert made([["a", "a", None], ["b"]], [["a"], ["b"]]).matched == 2


def test_unknown_labels_and_wrong_types():
    state = made([["cats"]], [["dogs"]])
    with pytest.raises(ValidationError, match=r"no label 'dog'; did you mean 'dogs'"):
        compute("f1_per_class", state, {"class_name": "dog"})
    with pytest.raises(ValidationError, match="requires class_name"):
        compute("tp_count", state)
    with pytest.raises(ValidationError, match="The column must contain arrays, not string"):
        made(["a"], [["a"]])
    with pytest.raises(ValidationError, match=r"threshold: 0.5 and 0.4"):
        made([["a"]], [["a"]]) + made([["a"]], [["a"]], threshold=0.4)


@pytest.mark.parametrize("side", ["positives", "negatives", "skipped"])
def test_too_many_labels_are_not_told_apart_but_rows_are_counted(side):
    many = [str(number) for number in range(1000)]
    score = math.nan if side == "skipped" else 0.9

    def one(names: list[str]):
        scores = pa.array([[(name, score) for name in names]], pa.map_(pa.string(), pa.float64()))
        return MultiLabel.of(scores, pa.array([names if side == "positives" else []], pa.list_(pa.string())))

    assert len(getattr(one(many), side)) == 1000
    assert getattr(one([*many, "x"]), side) is None
    state = one(many) + one(["x", "y"])
    assert state == one(["x", "y"]) + one(many)
    assert (state.rows, state.labelled, getattr(state, side)) == (2, 2, None)
    assert MultiLabel.from_json(state.to_json()) == state == state + MultiLabel()
    for name in ("f1", "recall_per_class", "tp_count", "hamming"):
        found = compute(name, state, {"class_name": "1", "minimum": 1})
        assert (found.number, found.status) == (None, "undefined")
        assert found.reason == "there are more than 1000 labels, too many to compare each"
    # What is counted by row needs no labels.
    right = {"positives": 1, "negatives": 0, "skipped": 1}[side]
    assert compute("subset_accuracy", state, {"minimum": 1}).value == right
