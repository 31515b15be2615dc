"""Regression from exact sums, against scikit-learn."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from sklearn import datasets, metrics
from sklearn.linear_model import Ridge

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance import compute, state_class

Regression = state_class("regression")
EXACT = dict.fromkeys(("rel", "abs"), 1e-9)


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    x, y = datasets.load_diabetes(return_X_y=True)
    return Ridge().fit(x[:200], y[:200]).predict(x), y


def at_random() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(2)
    labels = random.lognormal(2, 2, 5000)
    return labels * random.lognormal(0, 0.3, 5000), labels


@pytest.fixture(params=[diabetes, at_random], scope="module")
def data(request):
    return request.param()


def made(predictions: object, labels: object):
    return Regression.of(pa.array(predictions), pa.array(labels))


def test_metrics_equal_those_of_scikit_learn(data):
    predictions, labels = data
    expected = {
        "mse": metrics.mean_squared_error(labels, predictions),
        "rmse": metrics.root_mean_squared_error(labels, predictions),
        "mae": metrics.mean_absolute_error(labels, predictions),
        "mape": metrics.mean_absolute_percentage_error(labels, predictions),
        "r2": metrics.r2_score(labels, predictions),
        "rmsle": metrics.root_mean_squared_log_error(labels, predictions),
        "mean_error": np.mean(predictions - labels),
        "wape": np.abs(predictions - labels).sum() / np.abs(labels).sum(),
    }
    state = made(predictions, labels)
    for name, number in expected.items():
        found = compute(name, state)
        assert found.value == pytest.approx(number, **EXACT), name
        assert (found.samples, found.bound, found.reason) == (len(labels), 0, None)


def test_negative_labels_count_with_their_size():
    state = made([1.0, 1.0], [-1.0, 2.0])
    assert compute("wape", state).number == 1.0
    assert compute("mape", state).number == 1.25
    assert compute("mean_error", state).number == 0.5


def test_r2_is_exact_far_from_zero():
    random = np.random.default_rng(4)
    labels = 1e9 + random.normal(0, 1e-3, 2000)
    predictions = labels + random.normal(0, 1e-4, 2000)
    mean = sum(map(Fraction, labels.tolist())) / 2000
    spread = sum((Fraction(y) - mean) ** 2 for y in labels.tolist())
    errors = sum(Fraction(e) ** 2 for e in (predictions - labels).tolist())
    assert compute("r2", made(predictions, labels)).value == pytest.approx(
        float(1 - errors / spread), rel=1e-12
    )


def test_labels_of_zero_are_left_out_of_mape_and_counted():
    state = made([1.0, 2.0, 3.0, 1.0, 0.0], [0.0, 1.0, 2.0, 5e-324, -0.0])
    found = compute("mape", state, {"minimum": 2})
    assert (found.value, found.number, found.samples, found.left_out) == (None, 0.75, 2, 3)
    assert found.reason == (
        "3 of 5 rows with a prediction and a label are left out; left out 3 rows whose label is 0"
    )
    few = compute("mape", made([1.0] * 100, [0.0] * 5 + [2.0] * 95), {"minimum": 95})
    assert (few.value, few.left_out, few.reason) == (0.5, 5, "left out 5 rows whose label is 0")
    assert compute("mape", state, {"minimum": 3}).status == "insufficient_data"
    nothing = compute("mape", made([1.0] * 200, [0.0] * 200))
    assert (nothing.number, nothing.status) == (None, "insufficient_data")
    assert compute("wape", made([1.0] * 200, [0.0] * 200)).reason == "all labels are 0"


def test_rmsle_leaves_out_negative_numbers():
    state = made([1.0, -1.0, 3.0, -0.0], [1.0, 1.0, -2.0, 1.0])
    found = compute("rmsle", state, {"minimum": 2})
    assert found.number == pytest.approx(math.log(2) / math.sqrt(2), **EXACT)
    assert (found.status, found.samples, found.left_out) == ("insufficient_data", 2, 2)
    assert found.reason is not None
    assert found.reason.endswith("; left out 2 rows with a negative label or prediction")
    assert compute("rmsle", made([-1.0], [1.0])).number is None


def test_equal_labels_have_no_r2():
    found = compute("r2", made([1.0, 2.0] * 100, [0.1] * 200))
    assert (found.value, found.reason) == (None, "all labels are equal")


def test_what_is_not_a_number_is_not_labelled():
    predictions = [1.0, None, math.nan, math.inf, 1.0, 1.0, 1e200, 1.0, 1e150]
    labels = [1.0, 1.0, 1.0, 1.0, None, -math.inf, 1.0, -2e150, -1e150]
    state = made(predictions, labels)
    assert (state.rows, state.labelled, state.unusable) == (9, 2, 5)
    assert state.faults == {"too_great": 2, "not_finite": 3}
    assert compute("mse", state).number == pytest.approx(2e300)
    assert compute("r2", state).number is not None


def test_a_number_beyond_floats_is_no_number():
    found = compute("r2", made([1e150, 1e150], [0.0, 5e-324]))
    assert (found.number, found.bound) == (None, 0)
    assert found.reason == "only 2 samples; 100 are needed; the number is too great for a float"


def test_booleans_are_numbers_and_text_is_not():
    assert made([True, False], [1, 1]) == made([1.0, 0.0], [1.0, 1.0])
    with pytest.raises(ValidationError, match="The column must contain numbers, not string"):
        made(["1"], [1.0])
