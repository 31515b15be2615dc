"""Each pair of type and method of a monitor: a day that passes, and one that fails."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from aporia_provider.backend.store.monitor_tables import VerdictRow
from aporia_provider.backend.store.tables import VersionRow
from aporia_provider.monitor_configuration import parse_configuration
from aporia_provider.verdicts import Verdict
from tests.backend.monitors.monitored_model import (
    Day,
    MonitoredModel,
    categories,
    configuration,
    labelled,
    numbers,
    on,
    rows,
    usual,
    vectors,
)

DAY = 30
"""The day that is judged. Days 0 to 29 are usual ones."""
FIELDS = {"raw_inputs": ["latency"], "features": ["age", "plan"]}
AGE, PLAN = {"features": ["age"]}, {"features": ["plan"]}
TWO_WEEKS = {"skipPeriod": "1d"}
PARTS = {"skipPeriod": "1d", "aggregationPeriod": "1d"}
TRAINING = {"source": "TRAINING"}
F1 = {"type": "f1", "threshold": 0.5}
MEAN = {"type": "mean"}
HALF = numbers(np.arange(300) % 50)
"""Ages of 0 to 49: the mean is 24.5, and the Jensen-Shannon distance from 0 to 99 that of halved support."""
JS = math.sqrt(0.5 * (0.5 * math.log2(1 / 1.5) + 0.5 * math.log2(1 / 0.5)) + 0.5 * math.log2(2 / 1.5))
BAD_LABELS = labelled(50, 50, 60, 140)
"""F1 is 100 / 210."""


@dataclass(frozen=True)
class Pair:
    """
    A type and a method.

    :param type: The type.
    :param configuration: The configuration.
    :param bad: States of a day that fails.
    :param expected: Attributes of the verdict on that day, by field; None for rows.
    :param good: States of a day that passes.
    :param labels: Whether the states are of performance.
    """

    type: str
    configuration: dict[str, Any]
    bad: Day
    expected: Mapping[str | None, Mapping[str, Any]]
    good: Day = field(default_factory=usual)
    labels: bool = False


def anomaly(**given: Any) -> dict[str, Any]:
    return {"name": "TIME_SERIES_ANOMALY", "sensitivity": 0.5, **given}


def ratio(low: float | None, high: float | None = None) -> dict[str, Any]:
    ends = {"min": low, "max": high}
    return {"name": "RATIO", **{name: end for name, end in ends.items() if end is not None}}


def drift(**thresholds: float) -> dict[str, Any]:
    return {"name": "APORIA_DRIFT_SCORE", "thresholds": thresholds}


BOTH = drift(numeric=0.3, categorical=0.2)
ALIGNED = {"alignBinsWithBaseline": True}
OTHERS = {"features.age": {"outcome": "pass"}, "features.plan": {"outcome": "pass"}}
MISSING = {"baseline_value": 0.1, "value": 0.2}
VALUES = {"name": "VALUES_RANGE"}
COUNT = {"new_values_count_threshold": 1}
WIDE = usual(age=numbers([*np.arange(299) % 100, 130.0]))
NEW = usual(plan=categories(basic=200, gold=98, silver=1, iron=1))
ONE_NEW = usual(plan=categories(basic=200, gold=99, silver=1))
DRIFTED = {
    "features.age": {"value": JS, "high": 0.3},
    "features.plan": {"value": math.sqrt(1 - math.sqrt(1 / 3)), "high": 0.2},
    "raw_inputs.latency": {"outcome": "pass"},
}
LOW_MEAN = {"features.age": {"value": 24.5, "baseline_value": 49.5, "low": 44.55, "high": 54.45}}
LOW_F1 = {
    "predictions.proba": {
        "value": 100 / 210,
        "baseline_value": 6 / 7,
        "low": 0.9 * 6 / 7,
        "high": 1.1 * 6 / 7,
    }
}
SHIFTED = usual(age=HALF, plan=categories(gold=300))
PREDICTED = usual(proba=HALF)
MISSED = usual(latency=numbers(np.arange(240) % 100, nulls=60))

PAIRS = {
    "activity, anomaly": Pair(
        "model_activity",
        configuration("count", anomaly(sensitivity=0.3), baseline=PARTS),
        usual(rows=rows(30)),
        {None: {"value": 30, "baseline_value": 300}},
    ),
    "activity, percentage": Pair(
        "model_activity",
        configuration("count", ratio(0.8, 1.2), baseline=TWO_WEEKS),
        usual(rows=rows(200)),
        {None: {"value": 200, "baseline_value": 300, "low": 240, "high": 360, "effect": (0.8 - 2 / 3) / 0.8}},
    ),
    "activity, percentage, lower limit": Pair(
        "model_activity",
        configuration("count", ratio(0.5), baseline=TWO_WEEKS),
        usual(rows=rows(100)),
        {None: {"value": 100, "low": 150, "high": None}},
        usual(rows=rows(1000)),
    ),
    "activity, absolute": Pair(
        "model_activity",
        configuration("count", {"name": "RANGE", "min": 100.0}),
        usual(rows=rows(99)),
        {None: {"value": 99, "low": 100, "effect": 0.01}},
        usual(rows=rows(100)),
    ),
    "drift, anomaly": Pair(
        "data_drift",
        configuration("histogram", BOTH, baseline=TWO_WEEKS, focal=ALIGNED, **FIELDS),
        SHIFTED,
        DRIFTED,
    ),
    "drift, training": Pair(
        "data_drift",
        configuration("histogram", BOTH, baseline=TRAINING, focal=ALIGNED, **FIELDS),
        SHIFTED,
        DRIFTED,
    ),
    "drift, psi": Pair(
        "data_drift",
        configuration("psi", BOTH, baseline=TRAINING, **PLAN),
        usual(plan=categories(basic=100, gold=200)),
        {"features.plan": {"value": 2 / 3 * math.log(2), "high": 0.2}},
    ),
    "drift of embeddings": Pair(
        "data_drift",
        configuration(
            "euclidean_distance",
            {"name": "RANGE", "min": 0.0, "max": 0.7},
            baseline=TWO_WEEKS,
            focal=ALIGNED,
            features=["emb"],
        ),
        usual(emb=vectors(4.0, 6.0)),
        {"features.emb": {"value": 5.0, "high": 0.7}},
    ),
    "drift of predictions, anomaly": Pair(
        "prediction_drift",
        configuration("histogram", BOTH, baseline=TWO_WEEKS, predictions=["proba"]),
        PREDICTED,
        {"predictions.proba": {"value": JS, "high": 0.3}},
    ),
    "drift of predictions, training": Pair(
        "prediction_drift",
        configuration("histogram", drift(numeric=0.1), baseline=TRAINING, predictions=["proba"]),
        PREDICTED,
        {"predictions.proba": {"value": JS, "high": 0.1}},
    ),
    "missing, anomaly": Pair(
        "missing_values",
        configuration(
            "missing_ratio",
            anomaly(testOnlyIncrease=True),
            baseline=PARTS,
            conditions=[{"name": "FOCAL_DATA_VALUE_IN_RANGE", "min": 0.01}],
            **FIELDS,
        ),
        MISSED,
        {"raw_inputs.latency": MISSING | {"low": None}, **OTHERS},
    ),
    "missing, percentage": Pair(
        "missing_values",
        configuration("missing_ratio", ratio(0.7, 1.3), baseline=TWO_WEEKS, **FIELDS),
        MISSED,
        {"raw_inputs.latency": MISSING | {"low": 0.07, "high": 0.13}, **OTHERS},
    ),
    "missing, absolute": Pair(
        "missing_values",
        configuration("missing_ratio", {"name": "RANGE", "max": 0.1}, **FIELDS),
        MISSED,
        {"raw_inputs.latency": {"value": 0.2, "high": 0.1}, **OTHERS},
    ),
    "performance, anomaly": Pair(
        "performance_degradation",
        configuration(F1, anomaly(), baseline=PARTS, predictions=["proba"]),
        BAD_LABELS,
        {"predictions.proba": {"value": 100 / 210, "baseline_value": 6 / 7}},
        labelled(),
        labels=True,
    ),
    "performance, percentage": Pair(
        "performance_degradation",
        configuration(F1, ratio(0.9, 1.1), baseline=TWO_WEEKS, predictions=["proba"]),
        BAD_LABELS,
        LOW_F1,
        labelled(),
        labels=True,
    ),
    "performance, absolute": Pair(
        "performance_degradation",
        configuration(F1, {"name": "RANGE", "min": 0.5, "max": 2.0}, predictions=["proba"]),
        BAD_LABELS,
        {"predictions.proba": {"value": 100 / 210, "low": 0.5}},
        labelled(),
        labels=True,
    ),
    "performance, training": Pair(
        "performance_degradation",
        configuration(F1, ratio(0.9, 1.1), baseline=TRAINING, predictions=["proba"]),
        BAD_LABELS,
        LOW_F1,
        labelled(),
        labels=True,
    ),
    "metric, anomaly": Pair(
        "metric_change",
        configuration(MEAN, anomaly(), baseline=PARTS, **AGE),
        SHIFTED,
        {"features.age": {"value": 24.5, "baseline_value": 49.5}},
    ),
    "metric, percentage": Pair(
        "metric_change", configuration(MEAN, ratio(0.9, 1.1), baseline=TWO_WEEKS, **AGE), SHIFTED, LOW_MEAN
    ),
    "metric, absolute": Pair(
        "metric_change",
        configuration({"type": "quantile", "quantile": 0.9}, {"name": "RANGE", "min": 80.0}, **AGE),
        SHIFTED,
        {"features.age": {"low": 80.0}},
    ),
    "metric, training": Pair(
        "metric_change", configuration(MEAN, ratio(0.9, 1.1), baseline=TRAINING, **AGE), SHIFTED, LOW_MEAN
    ),
    "range, percentage": Pair(
        "values_range",
        configuration("min_max", VALUES | {"distance": 0.2}, baseline=TWO_WEEKS, **AGE),
        WIDE,
        {"features.age": {"value": 130.0, "low": -19.8, "high": 118.8}},
    ),
    "range, absolute": Pair(
        "values_range",
        configuration("min_max", VALUES | {"min": 0.0, "max": 120.0}, **AGE),
        WIDE,
        {"features.age": {"value": 130.0, "low": 0.0, "high": 120.0}},
    ),
    "range, training": Pair(
        "values_range",
        configuration("min_max", VALUES | {"distance": 0.2}, baseline=TRAINING, **AGE),
        WIDE,
        {"features.age": {"value": 130.0, "low": -19.8, "high": 118.8}},
    ),
    "range, allowed values": Pair(
        "values_range",
        configuration("min_max", VALUES | {"values": ["basic", "gold"]}, **PLAN),
        ONE_NEW,
        {"features.plan": {"value": 1, "high": 0, "reason": "values that are not expected: 'silver'"}},
    ),
    "new values, percentage": Pair(
        "new_values",
        configuration(
            "unique_values", VALUES | {"new_values_count_threshold": 1}, baseline=TWO_WEEKS, **PLAN
        ),
        NEW,
        {
            "features.plan": {
                "value": 2,
                "high": 1,
                "reason": "values that are not expected: 'iron', 'silver'",
            }
        },
        ONE_NEW,
    ),
    "new values, training": Pair(
        "new_values",
        configuration(
            "unique_values",
            VALUES | {"new_values_count_threshold": 2, "new_values_ratio_threshold": 0.5},
            baseline=TRAINING,
            **PLAN,
        ),
        NEW,
        {"features.plan": {"value": 2, "high": 1}},
        ONE_NEW,
    ),
}


def judged(model: MonitoredModel, pair: Pair, states: Day) -> VerdictRow:
    """The stored verdict on the day with these states."""
    if pair.labels:
        model.store({DAY: usual()})
        model.store({DAY: states}, part="performance")
    else:
        model.store({DAY: states})
    model.monitor(pair.type, pair.configuration)
    report = model.evaluate(DAY + 1)
    assert report["monitors"][0]["problems"] == []
    with model.registry.database.read_transaction() as session:
        (row,) = session.scalars(select(VerdictRow))
        session.expunge(row)
    assert (row.start, row.end) == (int(on(DAY).timestamp()), int(on(DAY + 1).timestamp()))
    return row


@pytest.mark.parametrize("name", [name for name in PAIRS if name.count(",") == 1])
def test_the_method_is_inferred(name: str) -> None:
    """The JSON does not have it."""
    method = name.partition(", ")[2]
    exceptions = {"psi": "training", "allowed values": "absolute"}
    found = parse_configuration(PAIRS[name].type, PAIRS[name].configuration).method
    assert found == exceptions.get(method, method)


@pytest.mark.parametrize("name", PAIRS)
def test_a_day_that_fails(model: MonitoredModel, name: str) -> None:
    pair = PAIRS[name]
    row = judged(model, pair, pair.bad)
    assert row.outcome == "fail"
    found = {each["field"]: Verdict.from_json(each) for each in row.findings["failed"]}
    failing = {key for key, values in pair.expected.items() if values.get("outcome") != "pass"}
    assert found.keys() == failing
    for key in failing:
        for attribute, expected in pair.expected[key].items():
            value = getattr(found[key], attribute)
            assert value == (
                pytest.approx(expected, rel=1e-9) if isinstance(expected, int | float) else expected
            )
        assert found[key].effect > 0
    assert row.findings["passed"] == len(pair.expected) - len(failing)


@pytest.mark.parametrize("name", PAIRS)
def test_a_day_that_passes(model: MonitoredModel, name: str) -> None:
    pair = PAIRS[name]
    row = judged(model, pair, pair.good)
    assert row.outcome == "pass"
    assert row.findings["passed"] == len(pair.expected)


@pytest.mark.parametrize(
    ("limit", "outcome"), [("10d", "fail"), ("12d", "pass"), ("1w", "fail"), ("1M", "pass")]
)
def test_staleness(model: MonitoredModel, limit: str, outcome: str) -> None:
    with model.registry.database.write_transaction() as session:
        session.execute(update(VersionRow).values(created_at=on(20)))
    rule = {"name": "MODEL_STALENESS", "max": limit}
    row = judged(
        model, Pair("model_staleness", configuration("last_version_creation", rule), {}, {}), usual()
    )
    assert row.outcome == outcome
    if outcome == "fail":
        assert row.findings["failed"][0]["value"] == 11
