"""Areas, matrices and vocabularies of classes, against scikit-learn."""

from __future__ import annotations

import functools
import operator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from aporia_provider.monitoring.performance import Options, compute, state_class
from tests.sizes import sized

Binary, Multiclass, MultiLabel = map(state_class, ("binary", "multiclass", "multi-label"))
CLASSES = ["bird", "cat", "dog", "eel"]
EXACT = dict.fromkeys(("rel", "abs"), 1e-9)


def softmax(sharpness: float, rows: int = 3_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.choice(len(CLASSES), rows, p=[0.6, 0.3, 0.08, 0.02])
    raw = random.normal(0, 1, (rows, 4)) + 1.5 * np.eye(4)[labels]
    scores = np.exp(sharpness * raw)
    return scores / scores.sum(axis=1, keepdims=True), labels


def of_vectors(scores: np.ndarray, labels: np.ndarray):
    return Multiclass.of(
        pa.array(scores.tolist()), pa.array(np.array(CLASSES)[labels]), Options(classes=tuple(CLASSES))
    )


def of_dicts(scores: np.ndarray, labels: np.ndarray):
    rows = [list(zip(CLASSES, row, strict=True)) for row in scores.tolist()]
    return Multiclass.of(
        pa.array(rows, pa.map_(pa.string(), pa.float64())), pa.array(np.array(CLASSES)[labels])
    )


@pytest.mark.parametrize("made", [of_vectors, of_dicts])
@pytest.mark.parametrize("average", ["macro", "weighted", "micro"])
@pytest.mark.parametrize("sharpness", [0.2, 1, 8])
def test_one_against_the_rest(made, average, sharpness):
    scores, labels = softmax(sharpness)
    found = compute("auc_roc", made(scores, labels), {"average": average})
    expected = metrics.roc_auc_score(labels, scores, multi_class="ovr", average=average)
    assert abs(found.value - expected) <= found.bound + 1e-9
    assert found.bound < 0.01


def test_of_each_class():
    scores, labels = softmax(3)
    state = of_vectors(scores, labels)
    for place, name in enumerate(CLASSES):
        found = compute("auc_roc", state, {"class_name": name})
        assert (
            abs(found.value - metrics.roc_auc_score(labels == place, scores[:, place])) <= found.bound + 1e-9
        )
        assert found.bound < 0.01
    assert compute("auc_roc", state) == compute("auc_roc", state, {"average": "macro"})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The y_prob")
def test_the_log_loss_of_classes():
    scores, labels = softmax(40)
    scores[:5] = np.eye(4)[(labels[:5] + 1) % 4]
    expected = metrics.log_loss(labels, scores)
    for made in (of_vectors, of_dicts):
        assert compute("logloss", made(scores, labels)).value == pytest.approx(expected, **EXACT)
    answer = compute("logloss", of_vectors(scores * 2, labels))
    assert (answer.value, answer.status) == (None, "undefined")
    assert "not probabilities" in (answer.reason or "")


def test_classes_that_are_not_scored_count_as_zero():
    """A dict may hold the scores of the likeliest classes only."""
    scores, labels = softmax(2)
    scores[scores < 0.2] = 0
    rows = [
        [(name, score) for name, score in zip(CLASSES, row, strict=True) if score] for row in scores.tolist()
    ]
    sparse = Multiclass.of(
        pa.array(rows, pa.map_(pa.string(), pa.float64())), pa.array(np.array(CLASSES)[labels])
    )
    true = np.eye(4, dtype=bool)[labels]
    areas = [metrics.roc_auc_score(true[:, place], scores[:, place]) for place in range(4)]
    expected = {
        "macro": np.mean(areas),
        "weighted": np.average(areas, weights=true.sum(axis=0)),
        "micro": metrics.roc_auc_score(true.ravel(), scores.ravel()),
    }
    for average, number in expected.items():
        found = compute("auc_roc", sparse, {"average": average})
        assert abs(found.value - number) <= found.bound + 1e-9
        assert found.bound < 0.01


def test_there_is_no_area_without_scores_or_with_one_class():
    labels = pa.array(["a", "b"] * 100)
    found = compute("auc_roc", Multiclass.of(labels, labels))
    assert (found.value, found.reason) == (None, "the predictions are classes without scores")
    assert compute("logloss", Multiclass.of(labels, labels)).status == "undefined"
    scores, _ = softmax(1, 200)
    alone = compute("auc_roc", of_vectors(scores, np.zeros(200, dtype=int)))
    assert (alone.value, alone.status) == (None, "undefined")
    few = compute("auc_roc", of_vectors(scores, np.where(np.arange(200) < 5, 1, 0)))
    assert few.status == "insufficient_data"
    assert "left out 'dog', 'eel': no label is of the class" in (few.reason or "")
    assert "only 5 labels of one class; 10 are needed" in (few.reason or "")
    many = Multiclass.of(pa.array([[0.5] * 102] * 200), pa.array(["3"] * 200))
    assert compute("auc_roc", many).reason == "there are more than 50 classes, too many to keep their scores"
    assert compute("accuracy", many).value == 0


def test_matrices_and_balanced_accuracy():
    scores, labels = softmax(1, 500)
    predicted = scores.argmax(axis=1)
    state = of_vectors(scores, labels)
    found = compute("confusion_matrix", state)
    assert found.value == {"labels": CLASSES, "matrix": metrics.confusion_matrix(labels, predicted).tolist()}
    assert (found.samples, found.bound) == (500, 0)
    expected = metrics.balanced_accuracy_score(labels, predicted)
    assert compute("balanced_accuracy", state).value == pytest.approx(expected, **EXACT)
    names = np.arange(101)
    assert compute("confusion_matrix", Multiclass.of(pa.array(names), pa.array(names))).reason == (
        "there are 101 classes; the matrix is shown for at most 100"
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@settings(max_examples=sized(8, 30))
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30))
def test_balanced_accuracy_is_that_of_scikit_learn(pairs):
    predictions, labels = zip(*pairs, strict=True)
    expected = metrics.balanced_accuracy_score(labels, predictions)
    assert compute("balanced_accuracy", Multiclass.of(pa.array(predictions), pa.array(labels))).number == (
        pytest.approx(expected)
    )
    truths = [label == "a" for label in labels]
    scores = [1.0 if predicted == "a" else 0.0 for predicted in predictions]
    found = compute("balanced_accuracy", Binary.of(pa.array(scores), pa.array(truths)))
    expected = metrics.balanced_accuracy_score(truths, [score > 0.5 for score in scores])
    assert found.number == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:y_pred contains classes", "ignore:A single label was found")
@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (True, "no label is negative, so the value is the recall alone"),
        (False, "no label is positive, so the value is the specificity alone"),
    ],
)
def test_balanced_accuracy_of_one_binary_class_says_so(label, reason):
    predictions, labels = [True, True, False, True] * 50, [label] * 200
    found = compute("balanced_accuracy", Binary.of(pa.array(predictions), pa.array(labels)))
    expected = metrics.balanced_accuracy_score(labels, predictions)
    assert (found.value, found.status, found.reason) == (expected, "ok", reason)
    both = compute("balanced_accuracy", Binary.of(pa.array(predictions), pa.array([True, False] * 100)))
    assert both.reason is None


@pytest.mark.filterwarnings("ignore:y_pred contains classes", "ignore:A single label was found")
@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ("abaa", "left out 'c': no label is positive"),
        (
            "aaaa",
            "all labels are 'a', so the value is the recall of that class alone; "
            "left out 'b', 'c': no label is positive",
        ),
        ("abca", None),
    ],
)
def test_balanced_accuracy_names_the_classes_that_it_leaves_out(labels, reason):
    predictions, labels = ["a", "b", "c", "a"] * 50, list(labels) * 50
    found = compute("balanced_accuracy", Multiclass.of(pa.array(predictions), pa.array(labels)))
    assert found.value == pytest.approx(metrics.balanced_accuracy_score(labels, predictions))
    assert (found.status, found.reason) == ("ok", reason)


def test_the_matrix_of_a_binary_model_is_cut_at_the_threshold():
    random = np.random.default_rng(3)
    scores, labels = random.random(500), random.random(500) < 0.4
    state = Binary.of(pa.array(scores), pa.array(labels))
    for threshold in (0.25, 0.5):
        found = compute("confusion_matrix", state, {"threshold": threshold})
        expected = metrics.confusion_matrix(labels, scores >= threshold).tolist()
        assert found.value == {"labels": ["false", "true"], "matrix": expected}
        assert found.bound == 0
    between = compute("confusion_matrix", state, {"threshold": scores[0]})
    assert between.bound > 0
    assert f"nearest to the threshold {scores[0]:g}" in (between.reason or "")
    words = np.where(labels, "fraud", "ok")
    declared = Binary.of(pa.array(scores), pa.array(words), Options(negative="ok", positive="fraud"))
    assert compute("confusion_matrix", declared).value["labels"] == ["ok", "fraud"]


@pytest.mark.parametrize(
    ("predictions", "labels"),
    [
        (pa.array(["1.0", "2.0"] * 60), pa.array([1, 2] * 60)),
        (pa.array([1, 2] * 60), pa.array(["1.0", "2.0"] * 60)),
        (pa.array([1.0, 2.5] * 60), pa.array(["1", "2.50"] * 60)),
        (pa.array([True, False] * 60), pa.array([1, 0] * 60)),
        (pa.array(["True", "False"] * 60), pa.array([True, False] * 60)),
        (
            pa.array([[("1.0", 0.9)], [("2", 0.9)]] * 60, pa.map_(pa.string(), pa.float64())),
            pa.array([1, 2] * 60),
        ),
    ],
)
def test_equal_values_of_any_type_are_one_class(predictions, labels):
    assert compute("accuracy", Multiclass.of(predictions, labels)).value == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("predictions", "labels", "words"),
    [
        (["1", "2"], ["1.0", "2.0"], ("'1', '2'", "'1.0', '2.0'")),
        (["True", "False"], ["1", "0"], ("'False', 'True'", "'0', '1'")),
        ([0, 1], ["cat", "dog"], ("'0', '1'", "'cat', 'dog'")),
        ([[0.3, 0.7], [0.6, 0.4]], ["cat", "dog"], ("'0', '1'", "'cat', 'dog'")),
        (list("abcd"), list("ABCD"), ("'a', 'b', 'c', …", "'A', 'B', 'C', …")),
    ],
)
def test_vocabularies_that_do_not_meet_are_no_answer(predictions, labels, words):
    """They gave accuracy 0.0, ok."""
    states = [Multiclass.of(pa.array(predictions), pa.array(labels)) for _ in range(100)]
    for name in ("accuracy", "f1", "balanced_accuracy", "confusion_matrix"):
        found = compute(name, functools.reduce(operator.add, states))
        assert found.value is None, name
        assert (
            f"no class of the predictions ({words[0]}) is a class of the labels ({words[1]})" in found.reason
        )
    if not isinstance(predictions[0], list):
        met = functools.reduce(operator.add, states) + Multiclass.of(pa.array(["x"]), pa.array(["x"]))
        assert compute("accuracy", met).status == "ok"


def test_labels_that_no_prediction_names_are_no_answer():
    scores = pa.array([[("0", 0.9), ("1", 0.2)]] * 200, pa.map_(pa.string(), pa.float64()))
    state = MultiLabel.of(scores, pa.array([["cat"], ["dog"]] * 100))
    found = compute("f1", state)
    assert (found.value, found.number is None or found.number == 0) == (None, True)
    assert "no label of the predictions ('0', '1') is one of the labels ('cat', 'dog')" in (
        found.reason or ""
    )
    assert compute("f1", MultiLabel.of(scores, pa.array([["0"], ["dog"]] * 100))).status == "ok"
