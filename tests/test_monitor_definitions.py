"""Monitors in short form, in YAML, and the standard monitors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aporia_provider.errors import ValidationError
from aporia_provider.models import MONITOR_TYPES
from aporia_provider.monitor_configuration import parse_configuration
from aporia_provider.monitor_definitions import MonitorDefinition, parse_monitor_file, standard_monitors
from aporia_provider.schema import VersionSchema

pytestmark = pytest.mark.fast

SCHEMA = VersionSchema(
    model_type="binary",
    features={"age": "numeric", "plan": "categorical"},
    predictions={"proba": "numeric"},
)
LEARNED = {"name": "TIME_SERIES_ANOMALY", "testOnlyIncrease": False, "falseAlarmsAYear": 1}
WEEKS = {"source": "SERVING", "timePeriod": "18w"}
TRAINING = {"source": "TRAINING"}
CASES: list[tuple[dict[str, Any], str, dict[str, Any], Any]] = [
    ({"type": "model_activity"}, "count", LEARNED, WEEKS),
    ({"type": "model_activity", "min": 10}, "count", {"name": "RANGE", "min": 10.0}, None),
    (
        {"type": "missing_values", "only_increase": True, "false_alarms_a_year": 2},
        "missing_ratio",
        {"name": "TIME_SERIES_ANOMALY", "testOnlyIncrease": True, "falseAlarmsAYear": 2.0},
        WEEKS,
    ),
    (
        {"type": "metric_change", "metric": "mean", "max_ratio": 1.5},
        "mean",
        {"name": "RATIO", "max": 1.5},
        {"source": "SERVING", "timePeriod": "2w"},
    ),
    (
        {"type": "performance_degradation", "metric": "f1", "min_ratio": 0.9, "baseline": "training"},
        "f1",
        {"name": "RATIO", "min": 0.9},
        TRAINING,
    ),
    (
        {"type": "data_drift", "max": 0.2},
        "histogram",
        {
            "name": "APORIA_DRIFT_SCORE",
            "thresholds": {"numeric": 0.2, "categorical": 0.2, "vector": 0.2},
        },
        TRAINING,
    ),
    (
        {"type": "prediction_drift"},
        "histogram",
        {"name": "APORIA_DRIFT_SCORE", "falseAlarmsAYear": 1},
        WEEKS,
    ),
    ({"type": "values_range"}, "min_max", {"name": "VALUES_RANGE", "distance": 0}, TRAINING),
    ({"type": "values_range", "max": 99}, "min_max", {"name": "VALUES_RANGE", "max": 99.0}, None),
    (
        {"type": "new_values"},
        "unique_values",
        {"name": "VALUES_RANGE", "new_values_count_threshold": 0},
        TRAINING,
    ),
    (
        {"type": "new_values", "max_new_values_ratio": 0.1, "baseline": "4w"},
        "unique_values",
        {"name": "VALUES_RANGE", "new_values_ratio_threshold": 0.1},
        {"source": "SERVING", "timePeriod": "4w"},
    ),
    (
        {"type": "model_staleness", "max_age": "8w"},
        "last_version_creation",
        {"name": "MODEL_STALENESS", "max": "8w"},
        None,
    ),
]


@pytest.mark.parametrize(
    ("options", "metric", "rule", "baseline"),
    CASES,
    ids=["-".join(map(str, case[0].values())) for case in CASES],
)
def test_each_type_has_its_metric_rule_and_baseline(
    options: dict[str, Any], metric: str, rule: dict[str, Any], baseline: Any
) -> None:
    monitor = MonitorDefinition(name="n", **options).to_monitor("m")
    settings = monitor.configuration["configuration"]
    assert settings["metric"] == {"type": metric}
    assert settings["logicEvaluations"] == [rule]
    assert settings.get("baseline") == baseline
    assert settings["focal"] == {"source": "SERVING", "timePeriod": "1d"}
    assert (monitor.name, monitor.type, monitor.is_active) == ("n", options["type"], True)


def test_all_options_are_used() -> None:
    monitor = MonitorDefinition(
        name="Recall",
        type="performance_degradation",
        metric="recall_at_k",
        parameters={"metricAtK": 5},
        features=["age"],
        version="latest",
        period="1w",
        delay="2d",
        min=0.5,
        min_rows=100,
        severity="HIGH",
        description="Low recall",
        active=False,
    ).to_monitor("m")
    assert monitor.configuration == {
        "identification": {"models": {"id": "m", "version": "latest"}, "features": ["age"]},
        "configuration": {
            "focal": {"source": "SERVING", "timePeriod": "1w", "skipPeriod": "2d"},
            "metric": {"type": "recall_at_k", "metricAtK": 5},
            "actions": [{"type": "ALERT", "severity": "HIGH"}],
            "logicEvaluations": [{"name": "RANGE", "min": 0.5}],
            "preConditions": [{"name": "MIN_FOCAL_DATA_POINTS", "value": 100}],
        },
    }
    assert (monitor.is_active, monitor.custom_alert_description) == (False, "Low recall")


def test_the_configuration_of_the_protocol_is_kept() -> None:
    body = MonitorDefinition(name="n", type="model_activity", min=1).to_monitor("m").configuration
    short = MonitorDefinition(name="n", type="model_activity", configuration=body)
    assert short.to_monitor("m").configuration == body
    with pytest.raises(ValidationError, match="there must not be min, period"):
        MonitorDefinition(name="n", type="model_activity", configuration=body, min=1, period="2d")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"type": "data_drift", "min": 1, "max_age": "1w"}, ["max_age is no option", "min is no option"]),
        ({"type": "metric_change"}, ["metric_change requires metric"]),
        ({"type": "model_staleness"}, ["model_staleness requires max_age"]),
        ({"type": "model_activity", "min": 1, "max_ratio": 2}, ["use only one of min and max_ratio"]),
        ({"type": "custom_metric"}, ["custom_metric requires metric"]),
        ({"type": "model_activity", "period": "1 day", "severty": "LOW"}, ["period", "'severity'"]),
    ],
)
def test_faults_are_told_at_once(options: dict[str, Any], expected: list[str]) -> None:
    with pytest.raises(ValidationError) as fault:
        MonitorDefinition(name="n", **options)
    assert [text for text in expected if text not in fault.value.message] == []


def test_a_configuration_that_is_not_valid_names_the_monitor() -> None:
    wrong = MonitorDefinition(name="n", type="model_activity", min=3, max=1)
    with pytest.raises(ValidationError, match=r"Monitor 'n' is not valid\n.*min 3 is greater than max 1"):
        wrong.to_monitor("m")


FILE = """
model: insurance
monitors:
  - &ages {name: Missing ages, type: missing_values, features: [age], max: 0.1, severity: HIGH}
  - {<<: *ages, name: Missing plans, features: [plan]}
"""


def test_a_file_may_use_anchors() -> None:
    first, second = parse_monitor_file(FILE).to_monitors()
    assert (first.name, second.name) == ("Missing ages", "Missing plans")
    found = parse_configuration(second.type, second.configuration)
    assert found.identification.fields == {"features": ["plan"]}
    assert found.action.severity == "HIGH"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: m\nmodel: n", "the key 'model' is repeated"),
        ("[", "is not YAML"),
        ("- 1", "needs the keys model and monitors"),
        ("model: m\nmonitors: []", "monitors: "),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
        ("[" * 5_000, "is not YAML"),
        ("model: 2024-13-45", "is not YAML: month must be in"),
        ("model: " + "9" * 5_000, "is not YAML: Exceeds the limit"),
        ("x" * 1_000_001, "more than 1000000 characters"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(
                f"{n}: &{n} [{','.join([f'*{p}'] * 10)}]\n"
                for p, n in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "more than 50000 values",
        ),
        (
            "model: m\nmonitors:\n- {name: a, type: model_activity}\n- {name: a, type: model_activity}",
            "a: there are several monitors of this name",
        ),
    ],
    ids=["key", "syntax", "list", "empty", "object", "depth", "day", "digits", "size", "aliases", "names"],
)
def test_files_that_are_not_valid(text: str, expected: str) -> None:
    with pytest.raises(ValidationError, match=expected.replace("[", r"\[")):
        parse_monitor_file(text).to_monitors()


@pytest.mark.slow
@given(st.fixed_dictionaries({"name": st.just("n"), "type": st.sampled_from(MONITOR_TYPES)}, optional={
    "metric": st.sampled_from(["mean", "f1"]),
    "min": st.floats(-1, 1),
    "max": st.floats(-1, 1),
    "min_ratio": st.floats(0, 1),
    "false_alarms_a_year": st.floats(0.1, 10),
    "max_age": st.sampled_from(["1d", "8w"]),
    "max_new_values": st.integers(0, 3),
    "max_distance": st.floats(0, 1),
    "values": st.lists(st.integers(), min_size=1),
    "baseline": st.sampled_from(["training", "2w"]),
    "features": st.just(["age"]),
    "period": st.sampled_from(["1h", "1d", "1M"]),
}))  # fmt: skip
def test_what_is_accepted_can_be_parsed(options: dict[str, Any]) -> None:
    try:
        monitor = MonitorDefinition(**options).to_monitor("m")
    except ValidationError:
        return
    found = parse_configuration(monitor.type, monitor.configuration)
    assert (found.type, found.unsupported) == (options["type"], None)


def shares(roles: list[str], **options: Any) -> dict[str, float]:
    found = standard_monitors("m", SCHEMA, roles, **options)
    parsed = {
        monitor.name: parse_configuration(monitor.type, monitor.configuration) for monitor in found.monitors
    }
    return {name: each.rule.false_alarms_a_year or 0 for name, each in parsed.items()}


def test_learned_monitors_share_the_false_alarms() -> None:
    learned = ["activity", "missing values", "data drift", "prediction drift"]
    assert shares(["serving"]) == shares(["serving"], false_alarms_a_year="1.0")
    assert shares(["serving"]) == {f"Standard: {name}": 0.25 for name in learned}
    everything = shares(["serving", "training", "actuals"], false_alarms_a_year=2, max_version_age="8w")
    assert everything == {
        **{f"Standard: {name}": 2 / 6 for name in [*learned, "performance", "calibration"]},
        "Standard: new values": 0,
        "Standard: staleness": 0,
    }


def test_tables_are_monitored_if_they_are_delta_tables() -> None:
    roles = ["serving", "training"]
    assert shares(roles, tables=["serving"])["Standard: freshness"] == 0.2
    assert "Standard: freshness" not in shares(roles, tables=["training"])
    (freshness, *_) = standard_monitors("m", SCHEMA, roles, tables=roles).monitors
    assert freshness.type == "table_freshness"
    assert freshness.configuration == {
        "identification": {"models": {"id": "m", "version": "latest"}},
        "configuration": {
            "focal": {"source": "SERVING", "timePeriod": "1h"},
            "metric": {"type": "late"},
            "actions": [{"type": "ALERT", "severity": "HIGH"}],
            "logicEvaluations": [{"name": "TABLE_FRESHNESS", "falseAlarmsAYear": 0.2}],
        },
    }
    left_out = standard_monitors("m", SCHEMA, roles, tables=["training"]).left_out
    assert left_out["freshness"] == "neither the serving dataset nor the actuals are a Delta table"


def test_performance_is_that_of_one_prediction_with_scores_if_there_is_one() -> None:
    two = VersionSchema(
        model_type="binary",
        features={"age": "numeric"},
        predictions={"will_buy": "boolean", "proba": "numeric"},
    )
    plain = VersionSchema(
        model_type="multiclass", features={"age": "numeric"}, predictions={"kind": "string"}
    )
    told = []
    for schema in (two, plain):
        found = standard_monitors("m", schema, ["serving", "actuals"])
        (monitor,) = [each for each in found.monitors if each.name == "Standard: performance"]
        parsed = parse_configuration(monitor.type, monitor.configuration)
        told.append((parsed.metric.type, parsed.identification.fields))
    assert told == [
        ("auc_roc", {"predictions": ["proba"]}),
        ("accuracy", {"predictions": ["kind"]}),
    ]


def test_what_is_left_out_is_told() -> None:
    assert standard_monitors("m", SCHEMA, ["serving"]).left_out == {
        "freshness": "the server does not return which datasets are Delta tables",
        "performance": "the latest version has no actuals dataset",
        "new values": "the latest version has no training dataset",
        "staleness": "max_version_age is not given",
    }
    numeric = VersionSchema(model_type="regression", features={"x": "numeric"}, predictions={"y": "numeric"})
    roles = ["serving", "training", "actuals"]
    found = standard_monitors("m", numeric, roles, max_version_age="1M", tables=roles)
    assert found.left_out == {
        "calibration": "the model has no scores of two classes",
        "new values": "the latest version has no categorical inputs",
    }
    metrics = [each.configuration["configuration"]["metric"]["type"] for each in found.monitors]
    assert metrics == [
        "late", "count", "missing_ratio", "histogram", "histogram", "rmse", "last_version_creation"
    ]  # fmt: skip


@pytest.mark.parametrize("false_alarms", [0.0, -1.0, float("nan"), "many", float("inf")])
def test_a_rate_that_is_not_positive_is_refused(false_alarms: Any) -> None:
    with pytest.raises(ValidationError, match="false_alarms_a_year"):
        standard_monitors("m", SCHEMA, ["serving"], false_alarms_a_year=false_alarms)
