"""Multiclass classification from a confusion matrix, against scikit-learn."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pyarrow as pa
import pytest
from sklearn import datasets, metrics
from sklearn.linear_model import LogisticRegression

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance import METRICS, Options, compute, state_class

Multiclass = state_class("multiclass")
EXACT = dict.fromkeys(("rel", "abs"), 1e-9)
SCORES = {"precision": metrics.precision_score, "recall": metrics.recall_score, "f1": metrics.f1_score}


def fitted(load) -> tuple[np.ndarray, np.ndarray]:
    x, y = load(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(max_iter=30, C=0.001).fit(x[::3], y[::3])
    return model.predict(x), y


def at_random() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(7)
    labels = random.choice(7, 3000, p=[0.5, 0.2, 0.1, 0.1, 0.05, 0.04, 0.01])
    # Class 7 is never true and class 6 never predicted.
    predictions = np.where(random.random(3000) < 0.7, labels, random.integers(0, 8, 3000))
    return np.where(predictions == 6, 7, predictions), labels


@pytest.fixture(
    params=[
        lambda: fitted(datasets.load_digits),
        lambda: fitted(datasets.load_wine),
        lambda: fitted(datasets.load_iris),
        at_random,
    ],
    ids=["digits", "wine", "iris", "random"],
    scope="module",
)
def data(request):
    return request.param()


def made(predictions: object, labels: object, **options: object):
    return Multiclass.of(pa.array(predictions), pa.array(labels), Options(**options))


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@pytest.mark.parametrize("name", SCORES)
def test_averages_equal_those_of_scikit_learn(data, name, average):
    predictions, labels = data
    expected = SCORES[name](labels, predictions, average=average, zero_division=np.nan)
    found = compute(name, made(predictions, labels), {"average": average})
    assert found.value == pytest.approx(expected, **EXACT)
    assert compute(f"{name}_score", made(predictions, labels), {"average": average}) == found


def test_macro_is_what_is_taken_without_an_average(data):
    state = made(*data)
    assert compute("f1", state) == compute("f1", state, {"average": "macro"})


@pytest.mark.slow
def test_classes_equal_those_of_scikit_learn(data):
    predictions, labels = data
    state = made(predictions, labels)
    assert compute("accuracy", state).value == pytest.approx(
        metrics.accuracy_score(labels, predictions), **EXACT
    )
    names = sorted({*labels.tolist(), *predictions.tolist()})
    matrices = metrics.multilabel_confusion_matrix(labels, predictions, labels=names)
    for name, matrix in zip(names, matrices, strict=True):
        given = {"class_name": str(name)}
        (tn, fp), (fn, tp) = matrix.tolist()
        for cell, count in {"tp": tp, "fp": fp, "fn": fn, "tn": tn}.items():
            assert compute(f"{cell}_count_per_class", state, given).value == count
            assert compute(f"{cell}_count", state, given).value == count
        assert compute("accuracy_per_class", state, given).value == (tp + tn) / len(labels)
        for metric, score in SCORES.items():
            expected = score(labels == name, predictions == name, zero_division=np.nan)
            found = compute(f"{metric}_per_class", state, given)
            assert found.value == (None if math.isnan(expected) else pytest.approx(expected, **EXACT))
            assert (found.reason is None) == (found.value is not None)
            assert compute(metric, state, given) == found


def test_classes_without_a_rate_are_left_out_and_named():
    state = made(*at_random())
    assert compute("precision", state).reason == "left out '6': no row is predicted positive"
    assert compute("recall", state).reason == "left out '7': no label is positive"
    assert compute("f1", state).reason is None


def test_many_classes_left_out_are_not_all_named():
    state = made(["a"] * 100, [str(number % 20) for number in range(99)] + ["a"])
    assert "and 15 more" in compute("precision", state).reason


def test_the_example_of_the_sagemaker_guide():
    labels = ["0"] * 1690 + ["1"] * 406
    predictions = ["0"] * 1180 + ["1"] * 510 + ["0"] * 268 + ["1"] * 138
    state = made(predictions, labels)
    expected = {"accuracy": 0.62882, "recall": 0.62882, "precision": 0.69832, "f1": 0.65712}
    for name, number in expected.items():
        found = compute(name, state, {"average": "weighted"})
        # The guide's digits are cut off, not rounded.
        assert found.value == pytest.approx(number, abs=1e-5)
    cells = [
        compute(f"{cell}_count_per_class", state, {"class_name": "1"}).value
        for cell in ("tn", "fp", "fn", "tp")
    ]
    assert cells == [1180, 510, 268, 138]


def test_an_unknown_class_names_the_known():
    state = made(["cat", "dog"], ["cat", "cat"])
    with pytest.raises(ValidationError, match=r"no class 'car'; did you mean 'cat'.*'cat', 'dog'"):
        compute("recall_per_class", state, {"class_name": "car"})
    with pytest.raises(ValidationError) as raised:
        compute("recall_per_class", state, {"class_name": "ox"})
    assert raised.value.message == "There is no class 'ox'; there are 'cat', 'dog'"
    with pytest.raises(ValidationError, match="requires class_name"):
        compute("recall_per_class", state)


@pytest.mark.parametrize(
    "scores",
    [
        pa.array(
            [
                [("a", 0.1), ("b", 0.9)],
                [("a", 0.5), ("b", 0.5)],
                [("b", 0.5), ("a", 0.5)],
                [],
                None,
                [("c", -2.0)],
            ],
            pa.map_(pa.string(), pa.float32()),
        ),
        pa.array(
            [
                {"a": 0.1, "b": 0.9, "c": None},
                {"a": 0.5, "b": 0.5, "c": 0.1},
                {"b": 0.5, "a": 0.2, "c": 0.0},
                {},
                None,
                {"c": -2.0},
            ]
        ),
    ],
    ids=["map", "struct"],
)
def test_the_predicted_class_is_the_first_of_the_greatest_scores(scores):
    state = Multiclass.of(scores, pa.array(["x"] * 6))
    assert state.confusion == {"x": {"a": 1, "b": 2, "c": 1}}
    assert (state.rows, state.labelled, state.unusable) == (6, 4, 1)
    assert Multiclass.of(scores[1:5], pa.array(["x"] * 4)).confusion == {"x": {"a": 1, "b": 1}}
    assert Multiclass.of(scores[:0], pa.array([], pa.string())).confusion == {}


def test_a_score_that_is_no_number_predicts_nothing():
    scores = [{"a": 0.1, "b": math.nan}, {"a": math.inf, "b": 0.2}, {"a": None, "b": 0.2}]
    state = made(scores, ["a", "a", "b"])
    assert state.confusion == {"b": {"b": 1}}
    assert state.unusable == 2
    assert compute("accuracy", state).reason.endswith(
        "2 rows have a prediction or label that cannot be compared: "
        "2 with a score that is missing, NaN or infinite"
    )


def test_places_of_a_vector_are_classes():
    vectors = [[0.1, 0.9], [0.8, 0.1, 0.1], [], None, [0.3, 0.3, 0.3, 0.4]]
    labels = ["1", "0", "0", "0", "2"]
    assert made(vectors, labels).confusion == {"0": {"0": 1}, "1": {"1": 1}, "2": {"3": 1}}
    named = made(vectors, ["b", "a", "a", "a", "c"], classes=("a", "b", "c", "d"))
    assert named.confusion == {"a": {"a": 1}, "b": {"b": 1}, "c": {"d": 1}}
    with pytest.raises(ValidationError, match="4 scores, but only 2 classes are declared"):
        made(vectors, labels, classes=("a", "b"))
    assert made(vectors, [1, 0, 0, 0, 2]) == made(vectors, labels)


def test_argmax_equals_that_of_numpy():
    random = np.random.default_rng(1)
    scores = random.integers(0, 4, (2000, 5)).astype(float)
    labels = random.integers(0, 5, 2000)
    assert made(scores.tolist(), labels).confusion == made(scores.argmax(axis=1), labels).confusion


def test_beside_booleans_truths_in_text_and_numbers_are_booleans():
    expected = {"false": {"true": 1}, "true": {"false": 1, "true": 1}}
    for labels in (["True", "1", "FALSE"], [1, 1, 0], [True, True, False], [1.0, 1.0, 0.0]):
        assert made([True, False, True], labels).confusion == expected
        assert made(labels, [True, False, True]).confusion == {
            "false": {"true": 1},
            "true": {"false": 1, "true": 1},
        }
    # Of two texts each means itself.
    assert made(["True"], ["true"]).confusion == {"true": {"True": 1}}


def test_beside_booleans_words_of_truth_are_booleans():
    found = made([True, False, True], ["Yes", "no", "negative"]).confusion
    assert found == {"true": {"true": 1}, "false": {"false": 1, "true": 1}}
    assert made(["Yes"], ["yes"]).confusion == {"yes": {"Yes": 1}}


def test_nulls_and_nan_are_not_labelled():
    state = made([1.0, math.nan, None, 2.0, 2.5], [1, 1, 1, None, 2])
    assert state.faults == {"not_finite": 1}
    assert state.confusion == {"1": {"1": 1}, "2": {"2.5": 1}}
    assert (state.rows, state.labelled, state.unusable) == (5, 2, 1)


def test_too_many_classes_are_not_told_apart_but_counted():
    names = np.arange(1000)
    state = made(names, names)
    assert len(state.confusion) == 1000
    assert compute("accuracy", state).value == 1
    several = (made(np.arange(1001), np.arange(1001)), state + made([0], [1000]), made([1000], [0]) + state)
    for many in several:
        assert (many.rows, many.labelled, many.confusion) == (1001, 1001, None)
        assert Multiclass.from_json(many.to_json()) == many
        assert many + state == state + many
        for name in METRICS["multiclass"]:
            found = compute(name, many, {"class_name": "1"})
            if name in ("prediction_count", "actuals_count", "label_coverage"):
                assert found.value == (1 if name == "label_coverage" else 1001)
            else:
                assert (found.value, found.status) == (None, "undefined")
                assert found.reason == "there are more than 1000 classes, too many to compare them"


def test_types_that_hold_no_classes_are_refused():
    with pytest.raises(
        ValidationError, match="The column must contain text, booleans or numbers, not date32"
    ):
        Multiclass.of(pa.array(["a"]), pa.array([1], pa.date32()))
    with pytest.raises(ValidationError, match="must contain text"):
        made(["a"], [b"a"])
