"""Intervals, errors of areas, detectable effects and judgements, against independent computations."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.confidence.areas import delong
from aporia_provider.monitoring.confidence.detectable_effects import minimum_detectable_effect, rows_needed
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.non_inferiority import difference, judge
from aporia_provider.monitoring.confidence.proportions import wilson
from aporia_provider.monitoring.confidence.quantiles import normal_quantile, student_quantile
from aporia_provider.monitoring.performance import METRICS, Options, Parameters, compute, state_class
from aporia_provider.monitoring.states.state import unpack_state

BINARY = state_class("binary")


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_delong_equals_the_comparison_of_all_pairs_of_rows(share: float) -> None:
    random = np.random.default_rng(3)
    true = random.random(700) < share
    bins = np.clip((random.normal(np.where(true, 0.3, -0.3)) + 2) * 12, 0, 49).astype(int)
    counts = [np.bincount(bins[true == side], minlength=50) for side in (True, False)]
    above, below = bins[true][:, None], bins[~true][None, :]
    wins = (above > below) + (above == below) / 2
    expected = wins.mean(axis=1).var(ddof=1) / true.sum() + wins.mean(axis=0).var(ddof=1) / (~true).sum()
    found = delong(*counts)
    assert found is not None
    assert found.variance == pytest.approx(expected, rel=1e-12)


def test_wilson_is_that_of_scipy() -> None:
    expected = stats.binomtest(17, 120).proportion_ci(0.9, method="wilson")
    found = wilson(17 / 120, 120, normal_quantile(0.9))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


@pytest.mark.parametrize("degrees", [1, 2, 3, 10, 1999])
def test_quantiles_of_t_are_those_of_scipy(degrees: int) -> None:
    assert student_quantile(0.95, degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-2)


def test_a_detectable_effect_is_detected_in_four_of_five_comparisons() -> None:
    random = np.random.default_rng(8)
    n, m, variance, baseline = 900, 400, 4.0, 1.0
    effect = minimum_detectable_effect(variance, n, m, baseline_variance=baseline)
    errors = math.sqrt(variance / n + baseline / m)
    found = random.normal(effect, errors, 200_000)
    assert (np.abs(found) > NormalDist().inv_cdf(0.975) * errors).mean() == pytest.approx(0.8, abs=0.01)


def test_the_rows_needed_detect_the_effect() -> None:
    rows = rows_needed(0.09, 0.02, baseline_variance=0.09)
    assert rows is not None
    assert (
        minimum_detectable_effect(0.09, rows, rows)
        <= 0.02
        < minimum_detectable_effect(0.09, rows - 1, rows - 1)
    )
    # (1.959964 + 0.841621)² · 0.18 / 0.0004
    assert rows == 3532
    assert rows_needed(0.09, 0.0) is None


def test_a_difference_is_that_of_newcombe() -> None:
    # Newcombe 1998, table II, case (a): 56/70 - 48/80, method 10.
    z = normal_quantile(0.95)
    found = difference(wilson(56 / 70, 70, z), wilson(48 / 80, 80, z))
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.005, 0.02, "pass"),
        (-0.02, 0.02, "insufficient"),
        (-0.05, -0.02, "fail"),
        (-0.01, 0.1, "insufficient"),
    ],
)
def test_a_loss_within_the_margin_passes(low: float, high: float, outcome: str) -> None:
    assert judge(Interval((low + high) / 2, low, high), 0.01) == outcome


def _scored(rows: int = 500) -> tuple[pa.Array, pa.Array]:
    random = np.random.default_rng(5)
    scores = random.random(rows)
    return pa.array(scores), pa.array(random.random(rows) < scores)


def test_the_interval_of_the_log_loss_is_that_of_its_terms() -> None:
    scores, labels = _scored()
    chances = np.where(labels, scores, 1 - scores.to_numpy())
    terms = -np.log(chances)
    expected = stats.t.interval(0.9, len(terms) - 1, terms.mean(), stats.sem(terms))
    found = compute("logloss", BINARY.of(scores, labels), {"confidence": 0.9})
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-6)


def test_states_of_an_older_release_have_no_interval_and_say_why() -> None:
    state = BINARY.of(*_scored())
    packed = {name: value for name, value in state.to_packed().items() if name not in ("squares", "squared")}
    older = unpack_state(packed)
    assert isinstance(older, BINARY)
    assert (compute("logloss", older).low, compute("logloss", older).high) == (None, None)
    assert "the squares of 500 rows are not known" in str(compute("logloss", older).reason)
    assert compute("logloss", older).value == compute("logloss", state).value
    assert "the squares of 500 rows are not known" in str(compute("brier", state + older).reason)
    # Counts suffice for these.
    assert compute("auc_roc", older) == compute("auc_roc", state)
    assert compute("f1", older).low is not None


@pytest.mark.parametrize("name", [name for name, metric in METRICS["binary"].items() if metric.better])
@pytest.mark.parametrize("rows", [2, 3, 40])
def test_intervals_contain_the_number_and_are_within_its_limits(name: str, rows: int) -> None:
    right = BINARY.of(pa.array([1.0, 0.0] * (rows // 2)), pa.array([True, False] * (rows // 2)))
    for state in (right, BINARY.of(*_scored(rows))):
        found = compute(name, state)
        if found.low is None:
            assert name == "calibration_error" or found.number is None or name == "auc_roc"
            continue
        assert 0 <= found.low <= found.number <= found.high
        assert found.high <= 1 or name == "logloss"


def test_an_interval_is_widened_by_the_bound() -> None:
    state = BINARY.of(*_scored(), Options(edges=tuple(np.arange(51) / 50)))
    # The bin from 0.50 to 0.52 contains the second threshold, whose rates are those of its lower edge.
    exact, binned = (compute("recall", state, {"threshold": threshold}) for threshold in (0.5, 0.505))
    assert (binned.value, exact.bound) == (exact.value, 0.0)
    assert binned.bound > 0
    assert (binned.low, binned.high) == (exact.low - binned.bound, exact.high + binned.bound)


@pytest.mark.parametrize("confidence", [0.4, 1.0, math.nan, True, "0.9"])
def test_an_impossible_confidence_is_an_error(confidence: object) -> None:
    with pytest.raises(ValidationError, match="parameters of the metric") as error:
        Parameters.read({"confidence": confidence})
    assert error.value.problems == [f"confidence must be from 0.5 to 0.999, not {confidence!r}"]
