"""Binary classification from two histograms, against scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce
from operator import add

import numpy as np
import pyarrow as pa
import pytest
from sklearn import datasets, metrics
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance import Options, calibration, compute, state_class

Binary = state_class("binary")
COUNTS = ("tp_count", "fp_count", "fn_count", "tn_count")
EXACT = dict.fromkeys(("rel", "abs"), 1e-9)


def breast_cancer() -> tuple[np.ndarray, np.ndarray]:
    x, y = datasets.load_breast_cancer(return_X_y=True)
    # Regularised so much that scores spread instead of piling up at 0 and 1.
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.001)).fit(x[:300], y[:300])
    return model.predict_proba(x)[:, 1], y == 1


def at_random() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(11)
    scores = random.beta(0.7, 1.3, 20_000)
    return scores, random.random(20_000) < scores**1.3


def rounded() -> tuple[np.ndarray, np.ndarray]:
    scores, labels = at_random()
    return np.round(scores, 2), labels


@pytest.fixture(params=[breast_cancer, at_random, rounded], scope="module")
def data(request: pytest.FixtureRequest) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return request.param()


def made(scores: object, labels: object, **options: object):
    return Binary.of(pa.array(scores), pa.array(labels), Options(**options))


@pytest.mark.parametrize("threshold", [0.0, 0.005, 0.1, 0.373, 0.5, 0.871, 0.999, 1.0])
def test_thresholds_of_three_decimals_are_exact(data, threshold):
    scores, labels = data
    state = made(scores, labels)
    predicted = scores >= threshold
    tn, fp, fn, tp = metrics.confusion_matrix(labels, predicted, labels=[False, True]).ravel()
    given = {"threshold": threshold}
    assert [compute(name, state, given).value for name in COUNTS] == [tp, fp, fn, tn]
    expected = {
        "accuracy": metrics.accuracy_score(labels, predicted),
        "recall": metrics.recall_score(labels, predicted),
        "f1": metrics.f1_score(labels, predicted),
        "precision": metrics.precision_score(labels, predicted, zero_division=np.nan),
        "fp_rate": fp / (fp + tn),
        "miss_rate": fn / (fn + tp),
        "specificity": tn / (tn + fp),
    }
    for name, number in expected.items():
        found = compute(name, state, given)
        assert found.bound == 0
        assert found.value == (None if math.isnan(number) else pytest.approx(number, **EXACT)), name


def test_the_protocol_has_other_names_for_some(data):
    state = made(*data)
    for name, other in {"precision_score": "precision", "recall_score": "recall", "f1_score": "f1"}.items():
        assert compute(name, state, {"threshold": 0.5}) == compute(other, state, {"threshold": 0.5})


def test_sums_are_exact(data):
    scores, labels = data
    state = made(scores, labels)
    assert compute("logloss", state).value == pytest.approx(metrics.log_loss(labels, scores), **EXACT)
    assert compute("brier", state).value == pytest.approx(metrics.brier_score_loss(labels, scores), **EXACT)
    assert compute("calibration_bias", state).value == pytest.approx((scores - labels).mean(), **EXACT)


def test_areas_are_within_their_bounds(data):
    scores, labels = data
    state = made(scores, labels)
    for name, exact in {
        "auc_roc": metrics.roc_auc_score(labels, scores),
        "average_precision": metrics.average_precision_score(labels, scores),
    }.items():
        found = compute(name, state)
        assert 0 < found.bound < 0.02
        assert abs(found.value - exact) <= found.bound + 1e-12
    assert compute("pr_auc", state) == compute("average_precision", state)
    assert compute("auc_roc", state).value == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-4)


def test_the_bound_of_auc_is_half_the_pairs_that_share_a_bin():
    state = made([0.1001, 0.1002, 0.1003, 0.7], [True, False, False, True])
    found = compute("auc_roc", state)
    assert found.number == 3 / 4
    assert found.bound == 1 / 4


@pytest.mark.parametrize("seed", range(40))
def test_average_precision_stays_in_its_bound_however_a_bin_is_ordered(seed):
    random = np.random.default_rng(seed)
    scores = random.integers(1, 4, 30) / 1000 + random.random(30) * 0.0009
    labels = random.random(30) < 0.5
    found = compute("average_precision", made(scores, labels))
    assert abs(found.number - metrics.average_precision_score(labels, scores)) <= found.bound + 1e-12
    tight = compute("auc_roc", made(scores, labels))
    assert abs(tight.number - metrics.roc_auc_score(labels, scores)) <= tight.bound + 1e-12


@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_the_bound_of_average_precision_is_reached(share):
    scores = np.linspace(0.5, 0.5009, 1000)
    labels = np.arange(1000) < 1000 * share
    found = compute("average_precision", made(scores, labels))
    worst, best = (metrics.average_precision_score(labels, sign * scores) for sign in (1, -1))
    assert best == 1
    # A bound that is never reached would make verdicts insufficient for nothing.
    assert found.bound == pytest.approx(max(best - found.number, found.number - worst), rel=0.01)


def test_scores_of_one_are_equal_and_no_doubt():
    state = made([1.0, 1.0, 0.3, 0.2], [True, False, True, False])
    assert compute("auc_roc", state).number == (0.5 + 1 + 1) / 4
    assert compute("auc_roc", state).bound == 0
    assert compute("average_precision", state).bound < 0.002
    assert compute("average_precision", made([1.0, 1.0], [True, False])).bound == 0


def test_the_log_loss_of_a_certain_mistake_is_clipped():
    scores, labels = [1.0, 0.0, 1.0, 0.0], [False, True, True, False]
    found = compute("logloss", made(scores, labels))
    assert found.number == pytest.approx(metrics.log_loss(labels, scores), rel=1e-9)
    assert found.number == pytest.approx(-math.log(2**-52) / 2, rel=1e-9)


def test_the_log_loss_of_a_month_with_scores_at_and_near_0_and_1():
    random = np.random.default_rng(15)
    ends = [0.0, 5e-324, 1e-300, 1e-17, 2.0**-53, 2.0**-52, 1e-15, 1e-12, 1e-6, 0.01]
    near = np.array([*ends, *(1 - end for end in ends)])
    days = [np.concatenate([near, random.beta(0.2, 0.2, 165).round(2)]) for _ in range(30)]
    labels = [random.random(len(scores)) < scores for scores in days]
    # Every tenth label is the less likely one, also where the score is 0 or 1.
    labels = [label ^ (random.random(len(label)) < 0.1) for label in labels]
    state = reduce(add, map(made, days, labels))
    expected = metrics.log_loss(np.concatenate(labels), np.concatenate(days))
    found = compute("logloss", state)
    assert (found.status, found.samples) == ("ok", 30 * 185)
    assert found.value == pytest.approx(expected, rel=1e-12)


def test_decisions_need_no_threshold_and_have_no_bound():
    random = np.random.default_rng(3)
    labels = random.random(500) < 0.4
    decided = labels ^ (random.random(500) < 0.1)
    state = made(decided, labels)
    assert compute("recall", state).value == metrics.recall_score(labels, decided)
    assert compute("recall", state, {"threshold": 0.3}) == compute("recall", state)
    found = compute("auc_roc", state)
    assert (found.value, found.bound) == (pytest.approx(metrics.roc_auc_score(labels, decided), **EXACT), 0)
    assert compute("average_precision", state).bound == 0
    assert compute("average_precision", state).value == pytest.approx(
        metrics.average_precision_score(labels, decided), **EXACT
    )


@pytest.mark.parametrize("name", [*COUNTS, "accuracy", "precision", "recall", "f1", "specificity"])
def test_probabilities_are_judged_at_a_half_without_a_threshold(name):
    scores, labels = at_random()
    state = made(scores, labels)
    assert compute(name, state) == compute(name, state, {"threshold": 0.5})
    assert compute(name, state) != compute(name, state, {"threshold": 0.4})


@pytest.mark.parametrize(
    ("scores", "edges", "words"),
    [
        ([-3.5, 0.1, 4.0], (-4.0, 4.0), "2 scores are not from 0 to 1.*threshold from -4 to 4"),
        ([3.0, 55.0, 98.0], (0.0, 50.0, 100.0), "3 scores .*threshold from 0 to 100"),
        ([0.2, 0.4, 0.7], (0.0, 1.5), "bins go beyond 0 to 1.*threshold from 0 to 1.5"),
        # Of such scores, 0 and 1 are no decisions.
        ([0.0, 1.0, 1.0], (0.0, 100.0), "bins go beyond 0 to 1.*threshold from 0 to 100"),
        ([0.2, 0.4, 1.5], (0.0, 1.0), "1 scores are not from 0 to 1.*threshold from 0 to 1"),
    ],
)
def test_scores_that_are_no_probabilities_need_a_threshold(scores, edges, words):
    state = made(scores, [False, True, True], edges=edges)
    for name in ("tp_count", "recall", "accuracy"):
        with pytest.raises(ValidationError, match=f"not probabilities.*{words}"):
            compute(name, state)
        given = compute(name, state, {"threshold": edges[1]})
        assert given.number is not None


def test_a_default_between_edges_is_answered_with_a_bound():
    state = made([0.2, 0.45, 0.7], [False, True, True], edges=(0.0, 0.4, 1.0))
    found = compute("tp_count", state)
    assert (found.number, found.bound) == (2, 2)
    assert "computed at 0.4, the bin edge nearest to the threshold 0.5: the bin" in found.reason
    assert "contains the threshold has 2 labelled rows" in found.reason
    assert compute("tp_count", made([0.0, 1.0], [True, True], edges=(0.0, 0.4, 1.0))).bound == 0


def test_thresholds_are_in_range():
    state = made([0.2, 0.7], [False, True])
    for threshold in (-0.1, 1.1):
        with pytest.raises(ValidationError, match="from 0 to 1, not"):
            compute("recall", state, {"threshold": threshold})
    for threshold in (math.nan, math.inf, "high", True):
        with pytest.raises(ValidationError, match="threshold must be a finite number"):
            compute("recall", state, {"threshold": threshold})


@pytest.mark.parametrize("threshold", [0.12345, 0.1231, 0.6009, 0.8014])
def test_a_threshold_between_edges_is_answered_with_a_bound(threshold):
    scores, labels = at_random()
    state = made(scores, labels)
    exact = {
        "precision": metrics.precision_score(labels, scores >= threshold),
        "recall": metrics.recall_score(labels, scores >= threshold),
        "f1": metrics.f1_score(labels, scores >= threshold),
        "accuracy": metrics.accuracy_score(labels, scores >= threshold),
        "tp_count": np.count_nonzero(labels & (scores >= threshold)),
        "fn_count": np.count_nonzero(labels & (scores < threshold)),
    }
    for name, number in exact.items():
        found = compute(name, state, {"threshold": threshold})
        nearest = compute(name, state, {"threshold": round(threshold, 3)})
        assert found.value == nearest.value
        assert found.bound > 0
        assert abs(found.value - number) <= found.bound + 1e-12
        assert f"{round(threshold, 3):g}, the bin edge nearest" in found.reason


def test_the_bound_of_a_threshold_is_the_rows_of_its_bin():
    state = made([0.1231, 0.1238, 0.1239, 0.5], [True, True, False, True])
    found = compute("tp_count", state, {"threshold": 0.1232})
    assert (found.number, found.bound) == (3, 2)
    assert "has 3 labelled rows" in found.reason
    assert compute("fp_count", state, {"threshold": 0.1237}).number == 0
    assert compute("fp_count", state, {"threshold": 0.1237}).bound == 1
    # An empty bin leaves nothing to doubt.
    assert compute("tp_count", state, {"threshold": 0.2001}).bound == 0


def test_a_precision_that_may_be_undefined_is_bounded_as_a_share():
    state = made([0.1236, 0.05], [True, False])
    found = compute("precision", state, {"threshold": 0.1232})
    assert (found.number, found.bound) == (1.0, 1.0)


def test_zero_denominators_have_a_reason_and_no_number():
    state = made([0.2] * 200, [False] * 200)
    for name in ("precision", "recall", "f1", "miss_rate"):
        found = compute(name, state, {"threshold": 0.5})
        assert (found.value, found.number, found.status, found.bound) == (None, None, "undefined", 0)
        assert found.reason
    assert compute("specificity", state, {"threshold": 0.5}).value == 1
    for name in ("auc_roc", "average_precision"):
        assert compute(name, state).reason == "all labels are false"
        assert compute(name, made([0.2] * 200, [True] * 200)).reason == "all labels are true"


def test_auc_needs_ten_of_each_class():
    random = np.random.default_rng(5)
    scores = random.random(1000)
    few = compute("auc_roc", made(scores, np.arange(1000) < 9))
    assert few.number is not None
    assert (few.value, few.status) == (None, "insufficient_data")
    assert "only 9 labels of one class; 10 are needed" in few.reason
    assert compute("auc_roc", made(scores, np.arange(1000) < 10)).status == "ok"
    assert compute("auc_roc", made(scores, np.arange(1000) < 9), {"minimum_each": 9}).status == "ok"
    assert compute("auc_roc", made(scores, np.arange(1000) < 9), {"minimum": 9}).status == "ok"
    assert compute("auc_roc", made(scores, np.arange(1000) < 9), {"minimum": 10}).value is None
    assert compute("auc_roc", made(scores, np.arange(1000) < 9), {"minimum": 500}).shortage == (9, 10)
    assert compute("average_precision", made(scores, np.arange(1000) >= 9)).status == "insufficient_data"
    both = compute("auc_roc", made(scores[:50], np.arange(50) < 9))
    assert both.reason == "only 50 samples; 100 are needed; only 9 labels of one class; 10 are needed"
    # With twice as many rows there would be 100 samples and 18 labels.
    assert both.shortage == (9, 18)


def test_scores_beyond_the_range_are_no_probabilities():
    random = np.random.default_rng(8)
    scores, labels = random.normal(0, 2, 5000), random.random(5000) < 0.3
    scores += labels
    state = made(scores, labels)
    for name in ("logloss", "brier", "calibration_error", "calibration_bias"):
        assert compute(name, state).value is None
        assert "not probabilities" in compute(name, state).reason
    assert calibration(state) == []
    with pytest.raises(ValidationError, match="2 scores are not from 0 to 1"):
        compute("precision", made([-1.0, 2.0], [False, True]))
    predicted = scores >= 0.25
    found = compute("precision", state, {"threshold": 0.25})
    assert found.value == metrics.precision_score(labels, predicted)


@pytest.mark.parametrize(
    "edges", [(-20.0, 20.0), tuple(np.linspace(-9, 9, 2001).tolist()), (-5.0, -1.0, 2.5, 5.0)]
)
def test_other_edges_are_for_other_scores(edges):
    random = np.random.default_rng(8)
    scores, labels = random.normal(0, 2, 5000), random.random(5000) < 0.3
    scores += labels
    state = made(scores, labels, edges=edges)
    found = compute("auc_roc", state)
    assert abs(found.number - metrics.roc_auc_score(labels, scores)) <= found.bound + 1e-12
    assert found.status == ("insufficient_data" if len(edges) == 4 else "ok")
    threshold = edges[1] if len(edges) == 4 else edges[0]
    exact = metrics.recall_score(labels, scores >= threshold)
    assert compute("recall", state, {"threshold": threshold}).value == exact
    with pytest.raises(ValidationError, match="from -"):
        compute("recall", state, {"threshold": 100.0})
    assert compute("calibration_error", made([0.5] * 100, [True] * 100, edges=edges)).reason


def test_every_edge_is_exact_whatever_the_range():
    for low, high in ((0.0, 1.0), (-3.0, 0.1), (0.1, 0.3), (1e-3, 7e5), (-1e6, 1e6)):
        state = made([low], [True], edges=(low, high))
        edges = state.bins.edges
        assert (edges[0], edges[-1], len(edges)) == (low, high, 1001)
        around = np.concatenate([edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])
        bins = state.bins.indices(around)
        lower = np.concatenate([[-np.inf], edges, [np.nextafter(high, np.inf), np.inf]])
        assert (bins == np.searchsorted(lower[1:-1], around, side="right")).all()
    assert state.bins.indices(np.array([1e308, -1e308])).tolist() == [1002, 0]
    assert [made([0.5], [True]).bins.edges[k] for k in (1, 373, 999)] == [0.001, 0.373, 0.999]


def test_a_narrow_range_is_cut_by_its_edges_alone():
    state = made([1.0, 1.0 + 1e-15], [False, True], edges=(1.0, 1.0 + 1e-15))
    assert len(state.bins.edges) == 2
    assert compute("tp_count", state, {"threshold": 1.0 + 1e-15}).number == 1


def test_calibration_is_a_table():
    scores, labels = at_random()
    state = made(scores, labels)
    error = 0.0
    groups = calibration(state)
    assert [group.low for group in groups] == [k / 10 for k in range(10)]
    for group in groups:
        chosen = (scores >= group.low) & ((scores < group.high) | (group.high == 1))
        assert group.rows == chosen.sum()
        assert group.share == pytest.approx(labels[chosen].mean(), **EXACT)
        assert group.score == pytest.approx(scores[chosen].mean(), abs=0.0005)
        error += group.rows * abs(scores[chosen].mean() - labels[chosen].mean()) / len(scores)
    found = compute("calibration_error", state)
    assert found.bound == pytest.approx(0.0005, **EXACT)
    assert abs(found.value - error) <= found.bound


def test_the_last_group_of_the_calibration_includes_one():
    (first, last) = calibration(made([0.0, 1.0, 1.0], [False, True, False]))
    assert (first.rows, first.high) == (1, 0.1)
    assert (last.rows, last.share, last.score) == (2, 0.5, 1.0)


def test_classes_have_a_positive_one():
    predictions, labels = ["fraud", "ok", "fraud", "other", None], ["fraud", "fraud", "ok", "ok", "ok"]
    state = made(predictions, labels, positive="fraud")
    assert [compute(name, state).number for name in COUNTS] == [1, 1, 1, 1]
    assert (state.rows, state.labelled, state.unusable) == (5, 4, 0)
    # Without it nothing can be read as true or false.
    state = made(predictions, labels)
    assert (state.unusable, state.faults) == (4, {"no_truth": 4})
    for name in ("recall", "auc_roc", "label_coverage", "actuals_count"):
        found = compute(name, state)
        assert (found.value or 0, found.left_out) == (0, 4)
        assert found.reason == (
            "4 rows have a prediction or label that cannot be compared: 4 with a class that is neither true "
            "nor false (declare both classes as labels of the version, the positive one last, "
            'such as labels=["1", "2"])'
        )


def test_beside_a_negative_class_all_others_are_unusable():
    predictions, labels = ["fraud", "ok", "fraud", "Fraud", "ok"], ["fraud", "fraud", "ok", "ok", None]
    state = made(predictions, labels, positive="fraud", negative="ok")
    assert [compute(name, state).number for name in COUNTS] == [1, 1, 1, 0]
    assert (state.labelled, state.faults) == (3, {"undeclared": 1})
    assert "1 with a class that is not one of the two declared" in compute("recall", state).reason
    for truth in ([True, True, False, False, None], [1, 1, 0, 0, None], [1.0, 1.0, 0.0, 0.0, None]):
        assert made(predictions, truth, positive="fraud", negative="ok") == state
    assert made([1, 1, 0, 7, 0], labels, positive="fraud", negative="ok", scored=False).labelled == 3


def test_words_of_truth_are_read_without_a_positive_class():
    words = ["Yes", "NO", "positive", "Negative", "TRUE", "False", "1", "0", "maybe"]
    state = made(words, words)
    assert [compute(name, state).number for name in COUNTS] == [4, 0, 0, 4]
    assert state.faults == {"no_truth": 1}
    scored = made([0.9, 0.2], ["yes", "no"])
    assert (scored.true, scored.false) == (1, 1)


def test_numbers_may_be_classes():
    codes, labels = [2, 1, 2, 3], [2, 2, 1, 1]
    state = made(codes, labels, positive="2", negative="1", scored=False)
    assert [compute(name, state).number for name in COUNTS] == [1, 1, 1, 0]
    assert state.faults == {"undeclared": 1}
    assert made(codes, labels, positive="2", negative="1").outside == 3
    with pytest.raises(ValidationError, match="scored: False and True"):
        state + made([0.5], [1], positive="2", negative="1")


@pytest.mark.parametrize("labels", [[True, True, False, False], [1, 1, 0, 0], ["TRUE", "1", "false", "0"]])
def test_truths_go_with_classes(labels):
    state = made(["fraud", "ok", "fraud", "other"], labels, positive="fraud")
    if isinstance(labels[0], str):
        # Text is compared with the class.
        assert state.true == 0
    else:
        assert [compute(name, state).number for name in COUNTS] == [1, 1, 1, 1]


def test_a_positive_class_may_be_a_number_or_a_truth():
    assert made([0.9, 0.1], [2, 1], positive="2").true == 1
    assert made([0.9, 0.1], [2.0, 1.0], positive="2").true == 1
    assert made([0.9, 0.1, 0.2], [0, 1, 1], positive="0").true == 1
    assert made([0.9, 0.1, 0.2], [False, True, True], positive="false").true == 1
    assert made([0.9, 0.1, 0.2], ["False", "true", "x"], positive="0").true == 1


def test_what_is_not_a_number_is_not_labelled():
    scores = [0.5, None, math.nan, math.inf, -math.inf, 0.5, 0.5, -0.0, 0.5]
    labels = [1.0, 1.0, 1.0, 1.0, 0.0, None, math.nan, 0.0, 2.0]
    state = made(scores, labels)
    assert (state.rows, state.labelled, state.unusable) == (9, 2, 5)
    assert state.faults == {"not_finite": 4, "no_truth": 1}
    assert (state.true, state.false) == (1, 1)
    assert compute("label_coverage", state).value == 2 / 9
    assert compute("prediction_count", state).value == 9
    assert compute("actuals_count", state).value == 2
    assert made([-0.0], [0.0]) == made([0.0], [-0.0])


def test_without_labels_there_is_no_metric():
    state = Binary.of(pa.array([0.5] * 300), pa.nulls(300))
    found = compute("recall", state, {"threshold": 0.5})
    assert (found.value, found.number, found.samples, found.status) == (None, None, 0, "insufficient_data")
    assert found.reason == "no row is labelled"
    assert compute("label_coverage", state).value == 0
    assert compute("label_coverage", Binary()).status == "undefined"
    assert calibration(state) == []


def test_columns_must_belong_together():
    with pytest.raises(ValidationError, match="2 predictions and 1 labels"):
        made([0.5, 0.6], [True])
    with pytest.raises(ValidationError, match="The column must contain numbers, not list"):
        Binary.of(pa.array([[0.5]]), pa.array([True]))
    with pytest.raises(ValidationError, match="The column must contain numbers, not struct"):
        Binary.of(pa.array([0.5]), pa.array([{"a": 1}]))
    with pytest.raises(ValidationError, match="The column must contain numbers, not timestamp"):
        Binary.of(pa.array([0.5]), pa.array([1], pa.timestamp("us")), Options(positive="fraud"))


def test_options_are_checked():
    with pytest.raises(ValidationError) as caught:
        Options(
            edges=(1.0, 0.0),
            classes=("a", "a"),
            threshold=1.5,
            candidates="ids",  # type: ignore[arg-type]
            relevant_above=-1.0,
        )
    assert len(caught.value.problems) == 5
    for edges in ((0.0,), (0.0, math.inf), (0.0, math.nan), (0.0, 0.0)):
        with pytest.raises(ValidationError, match="edges"):
            Options(edges=edges)


def test_states_of_different_options_do_not_add():
    with pytest.raises(ValidationError, match=r"edges: \[0.0, 1.0\] and \[0.0, 2.0\]"):
        made([0.5], [True]) + made([0.5], [True], edges=(0.0, 2.0))
    with pytest.raises(ValidationError, match="positive"):
        made([0.5], [True]) + made([0.5], [True], positive="1")


def test_an_unknown_metric_or_parameter_names_the_known():
    state = made([0.5], [True])
    with pytest.raises(
        ValidationError, match=r"no metric 'rmse' of binary models; available: accuracy, .*auc_roc"
    ):
        compute("rmse", state)
    with pytest.raises(ValidationError, match="did you mean 'threshold'"):
        compute("recall", state, {"treshold": 0.5})
    with pytest.raises(ValidationError, match="no model type 'ternary'"):
        state_class("ternary")
