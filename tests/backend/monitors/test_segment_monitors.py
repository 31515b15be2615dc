"""Monitors of segments and of custom metrics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from aporia_provider.backend.store.monitor_tables import VerdictRow
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.errors import ValidationError
from aporia_provider.health import HealthRequest
from aporia_provider.health.checking import check_health
from aporia_provider.monitoring.profiles.plan import ROWS
from aporia_provider.triggers.api_conditions import Answer, LabelCondition
from tests.backend.monitors.monitored_model import (
    Day,
    MonitoredModel,
    configuration,
    labelled,
    numbers,
    on,
    rows,
    usual,
)

TODAY = 30
"""The first day that the fixture does not have."""
ACCURACY = {"type": "accuracy", "threshold": 0.5}
EACH = {"group": "plan", "value": None}
AT_LEAST = {"name": "RANGE", "min": 0.85}
AT_MOST = {"name": "RANGE", "max": 5.0}


def verdicts(model: MonitoredModel) -> dict[str, str]:
    """The outcomes by segment."""
    with model.registry.database.read_transaction() as session:
        found = session.scalars(select(VerdictRow).order_by(VerdictRow.key))
        return {row.segment: row.outcome for row in found}


def judge(model: MonitoredModel, day: int = TODAY) -> dict[str, Any]:
    model.complete_until(on(day + 1))
    report: dict[str, Any]
    (report,) = model.evaluate(day + 1)["monitors"]
    assert report["problems"] == []
    return report


def aged(age: float) -> Day:
    return {"features.age": numbers([age] * 50)}


def test_each_value_has_its_own_verdicts_and_alerts(model: MonitoredModel) -> None:
    segment = model.segment("plan", "gold", "basic", "none")
    model.store({TODAY: usual()})
    good, bad = labelled(tp=90, tn=80, fp=10, fn=20), labelled(tp=50, tn=50, fp=50, fn=50)
    model.store_terms("plan", {"gold": {TODAY: good}, "basic": {TODAY: bad}}, part="performance")
    body = configuration(
        ACCURACY,
        AT_LEAST,
        segment={"group": segment, "value": None},
        description="{focal_segment} and {baseline_segment}",
    )
    model.monitor("performance_degradation", body)
    report = judge(model)
    assert verdicts(model) == {"plan = gold": "pass", "plan = basic": "fail", "plan = none": "insufficient"}
    (alert,) = model.registry.get_alerts("m")
    assert (alert.segment, alert.failed[0].value) == ("plan = basic", 0.5)
    assert alert.description == "plan = basic and plan = basic"
    assert report["notes"][0].startswith("plan = none: rows: ")
    # The next day, accuracy is as before.
    model.store({TODAY + 1: usual()})
    model.store_terms("plan", {"gold": {TODAY + 1: good}, "basic": {TODAY + 1: good}}, part="performance")
    judge(model, TODAY + 1)
    assert [alert.status for alert in model.registry.get_alerts("m")] == ["resolved"]


@pytest.mark.parametrize("value", ["gold", "GOLD"])
def test_one_value(model: MonitoredModel, value: str) -> None:
    model.segment("plan", "gold", "basic")
    model.store({TODAY: usual()})
    model.store_terms("plan", {"gold": {TODAY: {ROWS: rows(7)}}})
    body = configuration("count", {"name": "RANGE", "min": 10}, segment={"group": "plan", "value": value})
    model.monitor("model_activity", body)
    judge(model)
    assert verdicts(model) == {"plan = gold": "fail"}
    assert model.registry.get_alerts("m")[0].failed[0].value == 7


def test_a_change_of_the_segment_is_judged_again(model: MonitoredModel) -> None:
    model.segment("plan", "gold", "basic")
    model.store({TODAY: usual()})
    body = configuration("count", {"name": "RANGE", "min": 10}, segment={"group": "plan", "value": "gold"})
    model.monitor("model_activity", body)
    judge(model)
    assert judge(model)["windows"] == 0
    model.store_terms("plan", {"gold": {TODAY: {ROWS: rows(12)}}})
    assert judge(model)["windows"] == 1
    assert verdicts(model) == {"plan = gold": "pass"}


def test_a_segment_that_was_not_synced_is_insufficient(model: MonitoredModel) -> None:
    model.segment("plan", "gold", synced=False)
    model.store({TODAY: usual()})
    rule = {"name": "RATIO", "min": 0.9}
    body = configuration("missing_ratio", rule, baseline={}, segment={"group": "plan"}, features=["age"])
    model.monitor("missing_values", body)
    report = judge(model)
    assert verdicts(model) == {"plan = gold": "insufficient"}
    assert report["notes"] == [
        "plan = gold: features.age: value 'gold' of segment 'plan' has not been computed for the serving "
        "dataset of version 'v1': sync the dataset"
    ]


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        ({}, 10.0),
        ({"segmentGroupId": "plan", "segmentValue": "basic"}, 20.0),
        ({"segmentGroupId": None, "segmentValue": None}, 49.5),
        ({"source": "TRAINING"}, 30.0),
    ],
)
def test_baselines(model: MonitoredModel, baseline: dict[str, Any], expected: float) -> None:
    """Without a segment, the baseline has that of the rows that are judged."""
    model.segment("plan", "gold", "basic")
    model.store({TODAY: usual()})
    gold = {day: aged(40.0 if day == TODAY else 10.0) for day in range(TODAY - 14, TODAY + 1)}
    model.store_terms("plan", {"gold": gold, "basic": dict.fromkeys(gold, aged(20.0))})
    model.store_terms("plan", {"gold": {0: aged(30.0)}}, role="training")
    rule = {"name": "RATIO", "max": 0.5}
    body = configuration(
        "mean", rule, baseline=baseline, segment={"group": "plan", "value": "gold"}, features=["age"]
    )
    model.monitor("metric_change", body)
    judge(model)
    (alert,) = model.registry.get_alerts("m")
    assert (alert.failed[0].value, alert.failed[0].baseline_value) == (40.0, expected)


@pytest.mark.slow
def test_only_the_value_whose_accuracy_drops_has_an_alert(model: MonitoredModel) -> None:
    """Forty values, a month of usual days with chance differences, and a drop of one of them."""
    labels = [f"v{number}" for number in range(40)]
    model.segment("plan", *labels)
    random = np.random.default_rng(15)

    def day(accuracy: float) -> Day:
        right = int(random.binomial(200, accuracy))
        return labelled(tp=right, tn=0, fp=200 - right, fn=0)

    days = {
        label: {each: day(0.5 if (label, each) == ("v17", TODAY + 1) else 0.9) for each in range(TODAY + 2)}
        for label in labels
    }
    model.store_terms("plan", days, part="performance")
    model.store({TODAY: usual(), TODAY + 1: usual()})
    body = configuration(
        ACCURACY,
        {"name": "TIME_SERIES_ANOMALY", "falseAlarmsAYear": 1},
        baseline={"timePeriod": "4w", "aggregationPeriod": "1d"},
        segment={"group": "plan"},
    )
    model.monitor("performance_degradation", body)
    model.complete_until(on(TODAY + 2))
    model.evaluate(TODAY + 2, start=on(TODAY))
    with model.registry.database.read_transaction() as session:
        found = {(row.segment, row.start): row.outcome for row in session.scalars(select(VerdictRow))}
    dropped = "plan = v17", int(on(TODAY + 1).timestamp())
    assert len(found) == 80
    assert {place for place, outcome in found.items() if outcome != "pass"} == {dropped}
    (alert,) = model.registry.get_alerts("m")
    assert (alert.segment, alert.occurrences, alert.status) == ("plan = v17", 1, "open")


def test_a_custom_metric(model: MonitoredModel) -> None:
    """Ages are 0 to 99, so their mean is 49.5."""
    model.registry.create_custom_metric("m", CustomMetric(name="gap", code="mean(column='age') - 40"))
    model.store({TODAY: usual()})
    model.monitor("custom_metric", configuration({"type": "custom_metric", "id": "gap"}, AT_MOST))
    judge(model)
    (alert,) = model.registry.get_alerts("m")
    assert (alert.failed[0].value, alert.failed[0].high) == (pytest.approx(9.5), 5.0)
    assert "custom metric gap" in str(alert.description)


def test_what_does_not_exist_is_refused_at_once(model: MonitoredModel) -> None:
    model.segment("plan", "gold", "basic")
    body = configuration(
        {"type": "custom_metric", "id": "gop"},
        {"name": "RATIO", "min": 0.9},
        baseline={"segmentGroupId": "plain", "segmentValue": "basic"},
        segment={"group": "plan", "value": "glod"},
    )
    with pytest.raises(ValidationError) as error:
        model.monitor("custom_metric", body)
    assert [problem.partition(":")[0] for problem in error.value.problems] == [
        "segment",
        "baseline",
        "metric.id",
    ]
    assert "'gold'" in error.value.problems[0]
    assert "'plan'" in error.value.problems[1]


def test_staleness_has_no_segments(model: MonitoredModel) -> None:
    model.segment("plan", "gold")
    rule = {"name": "MODEL_STALENESS", "max": "10d"}
    body = configuration("last_version_creation", rule, segment={"group": "plan", "value": None})
    with pytest.raises(ValidationError) as error:
        model.monitor("model_staleness", body)
    assert error.value.problems == ["segment: model_staleness is about all rows, not about a segment"]


def test_drift_is_ranked_among_the_fields_of_all_values(model: MonitoredModel) -> None:
    """Two fields are too few for ranks; those of three values are enough. One of them shifts."""
    values = ("gold", "basic", "none")
    model.segment("plan", *values)
    random = np.random.default_rng(7)

    def day(shift: float) -> Day:
        return {
            name: numbers(np.clip(random.normal(50 + shift, 15, 300), 0, 99))
            for name in ("features.age", "raw_inputs.latency")
        }

    days = {
        value: {each: day(25.0 if (value, each) == ("basic", TODAY) else 0.0) for each in range(TODAY + 1)}
        for value in values
    }
    model.store_terms("plan", days)
    model.store({TODAY: usual()})
    rule = {"name": "APORIA_DRIFT_SCORE", "falseAlarmsAYear": 1}
    fields = {"features": ["age"], "raw_inputs": ["latency"]}
    body = configuration("histogram", rule, baseline={}, segment={"group": "plan"}, **fields)
    model.monitor("data_drift", body)
    judge(model)
    assert verdicts(model) == {"plan = gold": "pass", "plan = basic": "fail", "plan = none": "pass"}
    (alert,) = model.registry.get_alerts("m")
    assert {verdict.field for verdict in alert.failed} == {"features.age", "raw_inputs.latency"}
    assert not any("by effect" in str(verdict.reason) for verdict in alert.failed)


def test_all_versions_together(model: MonitoredModel) -> None:
    model.add_version("v2")
    model.segment("plan", "gold")
    model.store({TODAY: usual()})
    model.store({TODAY: usual()}, version="v2")
    model.store_terms("plan", {"gold": {TODAY: {ROWS: rows(7)}}})
    model.store_terms("plan", {"gold": {TODAY: {ROWS: rows(8)}}}, version="v2")
    body = configuration(
        "count", {"name": "RANGE", "max": 10}, segment={"group": "plan"}, version="all_versions"
    )
    model.monitor("model_activity", body)
    judge(model)
    (alert,) = model.registry.get_alerts("m")
    assert (alert.model_version, alert.segment, alert.failed[0].value) == (None, "plan = gold", 15)


def test_the_latest_verdicts_name_the_value(model: MonitoredModel) -> None:
    model.segment("plan", "gold", "basic")
    model.store({TODAY: usual()})
    model.store_terms("plan", {"gold": {TODAY: {ROWS: rows(7)}}, "basic": {TODAY: {ROWS: rows(20)}}})
    model.monitor("model_activity", configuration("count", {"name": "RANGE", "min": 10}, segment=EACH))
    judge(model)
    found = model.registry.get_verdicts("m", "v1")
    assert [(each.segment, each.outcome) for each in found] == [
        ("plan = basic", "pass"),
        ("plan = gold", "fail"),
    ]
    request = HealthRequest(
        model_id="m",
        model_version="v1",
        monitors="all",
        alerts="LOW",
        metrics=[{"metric": "count", "min": 15, "segment": {"id": "plan", "value": "basic"}}],
        until=on(TODAY + 1),
        evaluate=False,
    )
    report = check_health(model.registry, request)
    assert [(each.check, each.name, each.outcome) for each in report.sorted_findings] == [
        ("alert", "monitor, plan = gold", "fail"),
        ("monitor", "monitor, plan = gold", "fail"),
        ("monitor", "monitor, plan = basic", "pass"),
        ("metric", "count, plan = basic", "pass"),
    ]


def test_labels_of_a_value_are_waited_for(model: MonitoredModel) -> None:
    """Of 300 predictions of the value, all have labels; of the other one, none."""
    model.segment("plan", "gold", "basic")
    model.store_terms("plan", {"gold": {TODAY: usual()}, "basic": {TODAY: usual()}})
    model.store_terms("plan", {"gold": {TODAY: labelled()}}, part="performance")
    given = {"model_id": "m", "model_version": "v1", "start": on(TODAY), "end": on(TODAY + 1)}

    def answer(value: str) -> Answer:
        segment = {"id": "plan", "value": value}
        condition = LabelCondition(**given, min_coverage=0.9, segment=segment)  # type: ignore[arg-type]
        name, arguments = LabelCondition.from_json(condition.to_json()).call
        return condition.answer(getattr(model.registry, name)(*arguments))

    found, _ = answer("gold")
    assert found is not None
    assert (found["coverage"], found["labels"], found["segment"]["value"]) == (1.0, 300, "gold")
    assert answer("basic")[0] is None
