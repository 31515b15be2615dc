"""The metrics of a planted state are those of rows that are really shifted."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.performance.computation import compute
from aporia_provider.monitoring.performance.states.binary_state import Binary
from aporia_provider.monitoring.performance.states.multiclass_state import Multiclass
from aporia_provider.monitoring.performance.states.regression_state import Regression
from aporia_provider.monitoring.planting.category_shift import NEW_VALUE, rarest, replaced
from aporia_provider.monitoring.planting.missing_values import with_more_missing
from aporia_provider.monitoring.planting.number_shift import shifted
from aporia_provider.monitoring.planting.proportions import taken
from aporia_provider.monitoring.planting.row_counts import with_fewer_rows
from aporia_provider.monitoring.planting.wrong_predictions import (
    greater_errors,
    less_accurate_binary,
    less_accurate_multiclass,
)
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.value_state import ValueState

pytestmark = pytest.mark.fast

SAMPLES = {
    "normal": np.random.default_rng(1).normal(0.0, 3.0, 5000),
    "skewed": np.random.default_rng(2).lognormal(0.0, 1.0, 5000),
    "integers": np.random.default_rng(3).integers(0, 8, 5000).astype(float),
    "constant": np.full(50, 4.0),
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("distance", [0.7, 2.0, -1.5, 50.0])
def test_shifted_numbers(name: str, distance: float) -> None:
    values = SAMPLES[name]
    bins = NumericBins.of(np.random.default_rng(9).permutation(values)[:1000])
    assert bins is not None
    before, real = NumericState.of(values, 7, bins), NumericState.of(values + distance, 7, bins)
    state = shifted(before, bins, distance)
    assert (state.rows, state.nulls, state.finite) == (real.rows, 7, real.finite)
    assert (state.least, state.greatest) == (real.least, real.greatest)
    assert float(state.total) == pytest.approx(float(real.total), rel=1e-9)
    assert float(state.squares) == pytest.approx(float(real.squares), rel=1e-9)
    assert sum(state.counts) == len(values)
    assert min(state.counts) >= 0
    # An edge is wrong by at most the values of the bin in which it lies.
    edges = np.asarray(bins.edges)
    found, expected = np.cumsum(state.counts)[:-1], np.cumsum(real.counts)[:-1]
    holding = np.asarray(before.counts)[np.searchsorted(edges, edges - distance, "right")]
    assert (np.abs(found - expected) <= holding + 1).all()
    # So are the sums of distances, by at most the width of the bins.
    if name in ("normal", "skewed"):
        assert float(state.below) == pytest.approx(float(real.below), rel=0.05, abs=5.0)
        assert float(state.above) == pytest.approx(float(real.above), rel=0.05, abs=5.0)
        assert float(state.negative_sum) == pytest.approx(float(real.negative_sum), rel=0.05, abs=5.0)


def test_no_shift_changes_nothing() -> None:
    state = NumericState.of(SAMPLES["normal"], 3, None)
    assert shifted(state, None, 0.0) is state
    assert with_more_missing(state, 0.0) is state
    values = ValueState.of({"a": 3}, 3, 0, CategoryBins(("a",)))
    assert replaced(values, CategoryBins(("a",)), 0.0, "b") is values
    binary = Binary.of(pa.array([0.9, 0.1]), pa.array([True, False]))
    assert less_accurate_binary(binary, 0.0) is binary


def test_missing_values_are_doubled_to_at_least_a_twentieth() -> None:
    values = SAMPLES["normal"]
    bins = NumericBins.of(values)
    state = with_more_missing(NumericState.of(values[:900], 100, bins), 1.0)
    assert (state.rows, state.nulls, state.finite, sum(state.counts)) == (1000, 200, 800, 800)  # type: ignore[attr-defined]
    # The distribution of the rest is the same.
    before = NumericState.of(values[:900], 100, bins)
    assert state.total / 800 == before.total / 900  # type: ignore[attr-defined]
    none = with_more_missing(NumericState.of(values[:1000], 0, bins), 1.0)
    assert none.nulls == 50  # type: ignore[attr-defined]
    categories = ValueState.of({"a": 60, "b": 30, "z": 5}, 100, 5, CategoryBins(("a", "b")))
    fewer = with_more_missing(categories, 5.0)
    assert isinstance(fewer, ValueState)
    assert (fewer.nulls, fewer.known, fewer.other_count) == (30, {"a": 43, "b": 22}, 5)


def test_replaced_categories() -> None:
    bins = CategoryBins(("a", "b", "c"))
    state = ValueState.of({"a": 60, "b": 30, "c": 10}, 100, 0, bins)
    assert rarest(state, bins) == "c"
    real = ValueState.of({"a": 53, "b": 27, "c": 20}, 100, 0, bins)
    assert replaced(state, bins, 0.1, "c") == real
    new = replaced(state, bins, 0.1, NEW_VALUE)
    assert new == ValueState.of({"a": 54, "b": 27, "c": 9, NEW_VALUE: 10}, 100, 0, bins)
    with pytest.raises(ValidationError, match="fewer than 10 values"):
        replaced(ValueState.of({"z": 100}, 100, 0, bins), bins, 0.1, "c")


def test_a_binary_model_becomes_less_accurate() -> None:
    rng = np.random.default_rng(5)
    scores = rng.uniform(0, 1, 4000)
    labels = rng.uniform(0, 1, 4000) < scores
    before = Binary.of(pa.array(scores), pa.array(labels))
    after = less_accurate_binary(before, 0.02)
    assert _number("accuracy", after) == pytest.approx(_number("accuracy", before) - 0.02, abs=1e-9)
    # Rows that were right, chosen at random, get the other label.
    right = np.flatnonzero((scores >= 0.5) == labels)
    flipped = labels.copy()
    chosen = rng.permutation(right)[:80]
    flipped[chosen] = ~flipped[chosen]
    real = Binary.of(pa.array(scores), pa.array(flipped))
    for metric, tolerance in (("auc_roc", 0.01), ("logloss", 0.01), ("brier", 0.005), ("f1", 0.01)):
        assert _number(metric, after) == pytest.approx(_number(metric, real), abs=tolerance)
        assert _number(metric, after) != pytest.approx(_number(metric, before), abs=tolerance)


def test_a_multiclass_model_becomes_less_accurate() -> None:
    predicted = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    true = ["a"] * 50 + ["b"] * 40 + ["c"] * 10
    before = Multiclass.of(pa.array(predicted), pa.array(true))
    after = less_accurate_multiclass(before, 0.1)
    assert _number("accuracy", before) == 0.9
    assert _number("accuracy", after) == pytest.approx(0.8)
    assert after.labelled == sum(sum(row.values()) for row in (after.confusion or {}).values()) == 100
    with pytest.raises(ValidationError, match="fewer than two classes"):
        less_accurate_multiclass(Multiclass.of(pa.array(["a"]), pa.array(["a"])), 0.1)


def test_errors_of_a_regression_become_greater() -> None:
    rng = np.random.default_rng(6)
    labels = rng.uniform(5, 50, 800)
    errors = rng.normal(0, 1, 800)
    before = Regression.of(pa.array(labels + errors), pa.array(labels))
    after = greater_errors(before, 0.25)
    real = Regression.of(pa.array(labels + 1.25 * errors), pa.array(labels))
    for metric in ("mse", "rmse", "mae", "mean_error", "mape", "wape", "r2"):
        found, expected = compute(metric, after), compute(metric, real)
        assert found.number == pytest.approx(expected.number, rel=1e-9)
        assert found.low == pytest.approx(expected.low, rel=1e-6)
    assert _number("rmsle", after) == pytest.approx(_number("rmsle", real), rel=0.02)


def test_rows_are_missing() -> None:
    assert with_fewer_rows(RowState(rows=300), 0.5).rows == 150
    assert with_fewer_rows(RowState(rows=300), 0.0).rows == 300


def test_parts_of_counts_have_the_sum_that_is_taken() -> None:
    assert taken([3, 3, 1], 5) == [2, 2, 1]
    assert taken([0, 0], 4) == [0, 0]
    assert sum(taken([5, 7, 11, 2], 13)) == 13
    assert Fraction(sum(taken([1, 2], 9))) == 3


def _number(metric: str, state: Any) -> float:
    found = compute(metric, state).number
    assert isinstance(found, int | float)
    return float(found)
