"""Results of performance metrics, and when they have a value."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.performance import METRICS, STATES, Parameters, compute, state_class
from aporia_provider.schema import MODEL_TYPES


def test_a_number_from_too_few_samples_is_only_shown():
    state = state_class("regression").of(pa.array([1.0] * 99), pa.array([1.5] * 99))
    found = compute("mae", state)
    assert (found.shown, found.value, found.samples, found.status) == (0.5, None, 99, "insufficient_data")
    assert found.shortage == (99, 100)
    assert found.reason == "only 99 samples; 100 are needed"
    with pytest.raises(TypeError):
        assert found.value < 1.0
    assert compute("mae", state, {"minimum": 99}).status == "ok"
    assert compute("mae", state, Parameters(minimum=0)).value == 0.5


def test_counts_of_rows_need_no_minimum():
    state = state_class("regression").of(pa.array([1.0, 2.0]), pa.array([1.5, None]))
    for name, number in {"prediction_count": 2, "actuals_count": 1, "label_coverage": 0.5}.items():
        found = compute(name, state)
        assert (found.value, found.samples, found.reason) == (number, 2, None)
    assert compute("actuals_ratio", state) == compute("label_coverage", state)


def test_parameters_are_checked_all_at_once():
    with pytest.raises(ValidationError) as caught:
        Parameters.read({"k": 13, "average": "mean", "gain": "log", "minimum": -1, "threshold": "x"})
    assert len(caught.value.problems) == 5
    for k in (0, 13, 1.0, True, "3"):
        with pytest.raises(ValidationError, match="k must be a whole number from 1 to 12"):
            Parameters.read({"k": k})
    for name in ("normaliser", "denominator", "queries", "minimum_each"):
        with pytest.raises(ValidationError, match=name):
            Parameters.read({name: "other"})
    with pytest.raises(ValidationError, match="class_name must be text"):
        Parameters.read({"class_name": 3})


def test_every_model_type_has_a_state_and_its_metrics():
    assert set(STATES) == set(METRICS) == set(MODEL_TYPES)
    assert len({made.kind for made in STATES.values()}) == 5
    for model_type, names in METRICS.items():
        for name in names:
            found = compute(name, STATES[model_type]())
            assert found.value is None or name.endswith("_count")
            assert found.reason or name.endswith("_count")


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_every_metric_answers_or_names_what_it_lacks(model_type):
    random = np.random.default_rng(0)
    rows = 400
    scores = pa.array(random.random(rows))
    arrays = pa.array(random.random((rows, 4)).tolist())
    names = pa.array([["a", "b"][: random.integers(0, 3)] for _ in range(rows)])
    texts = pa.array(random.choice(["a", "b"], rows))
    columns = {
        "binary": (scores, pa.array(random.random(rows) < 0.5)),
        "multiclass": (texts, texts),
        "multi-label": (names, names),
        "regression": (scores, scores),
        "ranking": (arrays, arrays),
    }
    state = STATES[model_type].of(*columns[model_type])
    for name in METRICS[model_type]:
        found = compute(name, state, {"threshold": 0.5, "k": 3, "class_name": "a"})
        assert found.value is not None or found.reason
