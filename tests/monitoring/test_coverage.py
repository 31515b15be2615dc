"""
Simulated coverage of the intervals of performance metrics.

Each sample has 2,000 rows. The interval of a metric at a confidence of 95 % has to contain the number of
the distribution in 93 to 97 % of the samples, and what chance allows in addition. The environment variable
``APORIA_COVERAGE_SAMPLES`` sets the number of samples: with 4,000, chance allows one percentage point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pytest

from aporia_provider.monitoring.performance import PerformanceState, compute, state_class
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.statistics.field_statistics import StatisticParameters, statistic
from tests.conftest import COVERAGE_SAMPLES

ROWS = 2_000
MANY = 400_000
RATES = ("accuracy", "precision", "recall", "f1", "fp_rate", "miss_rate", "specificity", "balanced_accuracy")

Draw = Callable[[np.random.Generator, int], PerformanceState]


def binary(share: float, spread: float = 1.0) -> Draw:
    """Scores are calibrated on another sample: their logits are correct, except for noise."""

    def draw(random: np.random.Generator, rows: int) -> PerformanceState:
        true = random.random(rows) < share
        logit = random.normal(np.where(true, 1.0, -1.0), spread) * 0.9 + math.log(share / (1 - share))
        return state_class("binary").of(pa.array(1 / (1 + np.exp(-logit))), pa.array(true))

    return draw


def regression(random: np.random.Generator, rows: int) -> PerformanceState:
    labels = 5 + random.normal(size=rows)
    predictions = labels + random.standard_t(8, size=rows) * (0.3 + 0.1 * np.abs(labels - 5))
    return state_class("regression").of(pa.array(predictions), pa.array(labels))


def multiclass(random: np.random.Generator, rows: int) -> PerformanceState:
    labels = random.choice(3, rows, p=(0.6, 0.3, 0.1))
    scores = random.gamma(np.where(np.arange(3) == labels[:, None], 2.0, 0.8))
    scores /= scores.sum(axis=1, keepdims=True)
    return state_class("multiclass").of(pa.array(list(scores)), pa.array(labels.astype(str)))


def multilabel(random: np.random.Generator, rows: int) -> PerformanceState:
    common = random.normal(size=rows)
    names = np.array(list("abc"))
    true = random.normal(size=(rows, 3)) + common[:, None] > (0.0, 1.0, 2.0)
    predicted = true ^ (random.random((rows, 3)) < 0.2)
    sides = (pa.array([list(names[row]) for row in side]) for side in (predicted, true))
    return state_class("multi-label").of(*sides)


def ranking(random: np.random.Generator, rows: int) -> PerformanceState:
    relevances = random.choice(3, (rows, 8), p=(0.7, 0.2, 0.1))
    scores = relevances + random.normal(size=(rows, 8)) * 1.5
    return state_class("ranking").of(pa.array(list(scores)), pa.array(list(relevances)))


K = {"k": 3}
CASES: dict[str, tuple[Draw, list[tuple[str, dict[str, object]]]]] = {
    f"binary {share}": (
        binary(share),
        [
            *((name, {"threshold": threshold}) for name in RATES),
            *(
                (name, {})
                for name in ("auc_roc", "average_precision", "logloss", "brier", "calibration_bias")
            ),
        ],
    )
    for share, threshold in ((0.5, 0.5), (0.1, 0.2))
}
CASES |= {
    "regression": (
        regression,
        [(name, {}) for name in ("mse", "rmse", "mae", "mean_error", "mape", "wape", "r2", "rmsle")],
    ),
    "multiclass": (
        multiclass,
        [
            ("accuracy", {}),
            ("balanced_accuracy", {}),
            ("logloss", {}),
            ("auc_roc", {"class_name": "2"}),
            ("recall_per_class", {"class_name": "2"}),
            *(
                (name, {"average": average})
                for name in ("precision", "recall", "f1", "fp_rate")
                for average in ("micro", "macro", "weighted")
            ),
        ],
    ),
    "multi-label": (
        multilabel,
        [
            *((name, {}) for name in ("hamming", "subset_accuracy", "example_f1")),
            ("f1_per_class", {"class_name": "c"}),
        ],
    ),
    "ranking": (
        ranking,
        [
            (name, K)
            for name in (
                "accuracy_at_k",
                "precision_at_k",
                "recall_at_k",
                "map_at_k",
                "mrr_at_k",
                "ndcg_at_k",
            )
        ],
    ),
}
# Python makes arrays and text for these.
SLOW = ("multi-label", "multiclass", "ranking")


def allowed(samples: int) -> tuple[float, float]:
    """Return the numbers of intervals that contain the number, between which 99 % of simulations are."""
    chance = 2.58 * math.sqrt(0.05 * 0.95 / samples)
    return samples * (0.93 - chance), samples * (0.97 + chance)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_intervals_contain_the_number(case: str) -> None:
    draw, metrics = CASES[case]
    random = np.random.default_rng(20)
    truth = draw(random, MANY if case not in SLOW else MANY // 4)
    samples = COVERAGE_SAMPLES
    states = [draw(random, ROWS) for _ in range(samples)]
    low, high = allowed(samples)
    found = {str(metric): _hits(*metric, truth, states) for metric in metrics}
    assert {name: hits / samples for name, hits in found.items() if not low <= hits <= high} == {}


def _hits(
    name: str, parameters: dict[str, object], truth: PerformanceState, states: list[PerformanceState]
) -> int:
    number = compute(name, truth, parameters).number
    results = (compute(name, state, parameters) for state in states)
    return sum(result.low <= number <= result.high for result in results)


def _fields(random: np.random.Generator) -> Iterator[NumericState]:
    for _ in range(COVERAGE_SAMPLES):
        values = random.exponential(3.0, ROWS)
        values = values[random.random(ROWS) > 0.02]
        yield NumericState.of(values, ROWS - len(values), None)


@pytest.mark.parametrize(("name", "number"), [("mean", 3.0), ("missing_ratio", 0.02)])
def test_intervals_of_fields_contain_the_number(name: str, number: float) -> None:
    low, high = allowed(COVERAGE_SAMPLES)
    states = _fields(np.random.default_rng(4))
    results = (statistic(name, "numeric", state, StatisticParameters()) for state in states)
    assert low <= sum(result.low <= number <= result.high for result in results) <= high
