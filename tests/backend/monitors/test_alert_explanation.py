"""Explanations of alerts about performance: other inputs, or other labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from aporia_provider.alerts import Alert
from aporia_provider.backend.monitors.alert_explanation import explain_alert
from aporia_provider.cli.main import main
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import AuthenticationError, NotFoundError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.monitor_definitions import MonitorDefinition
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import MonitoredModel, labelled, numbers, on, usual
from tests.conftest import S3
from tests.servers import S3_KEY, S3_REGION, S3_SECRET


def alert_of(model: MonitoredModel, day: Any, **options: Any) -> Alert:
    """The alert of a monitor on the last day, whose labels are given."""
    definition = MonitorDefinition(name="n", type="performance_degradation", **options)
    model.registry.apply_monitors("m", [definition.to_monitor("m")])
    model.store({29: usual()})
    model.store({29: day}, part="performance")
    model.complete_until(on(30))
    model.evaluate(30)
    (alert,) = model.registry.get_alerts("m")
    return alert


def test_other_labels_at_the_same_scores(model: MonitoredModel, capsys: pytest.CaptureFixture[str]) -> None:
    # On usual days 90 of 100 positive and 180 of 200 negative predictions are right.
    alert = alert_of(model, labelled(60, 40, 20, 180), metric="accuracy", min=0.85)
    explanation = explain_alert(model.registry, alert)
    assert (explanation.before, explanation.after) == pytest.approx((0.9, 0.8))
    assert explanation.other_inputs == pytest.approx(0, abs=1e-12)
    assert explanation.other_labels == pytest.approx(-0.1)
    assert (explanation.samples, explanation.baseline_samples) == (300, 28 * 300)
    where = ["--database-url", model.registry.database.url.render_as_string(), "--environment", "e"]
    assert main(["alerts", "explain", alert.id, *where]) == 0
    assert capsys.readouterr().out == explanation.to_markdown() + "\n"
    assert main(["alerts", "explain", alert.id, "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["other_labels"] == explanation.other_labels


@pytest.fixture
def in_lake(tmp_path: Path, migrated: Path, s3: S3) -> Iterator[MonitoredModel]:
    """A model whose tables exist: of serving data the days 28 and 29, and labels of both."""
    with MonitoredModel(copied(migrated, tmp_path), "e", lake=s3.uri("lake")) as model:
        model.store({day: usual() for day in range(29)})
        model.store({day: labelled() for day in range(29)}, part="performance")
        actuals = DatasetConnection(
            role="actuals",
            data_source=S3DataSource(object_path=s3.uri("lake/actuals"), object_format="delta"),
            id_column="i",
            timestamp_column="known",
            labels={"proba": "label"},
        )
        model.registry.connect_dataset("m", "v1", actuals)
        yield model


def credentials(s3: S3) -> AwsCredentials:
    return AwsCredentials(S3_KEY, S3_SECRET, region=S3_REGION, endpoint_url=s3.endpoint)


def append(s3: S3, name: str, column: str, first: float, last: float, **metadata: str) -> None:
    """Append rows with times from one day to another."""
    rows = pa.table({"i": ["a", "b"], column: pa.array([on(first), on(last)], pa.timestamp("us", "UTC"))})
    properties = CommitProperties(custom_metadata=metadata) if metadata else None
    options: Any = {"mode": "append", "storage_options": s3.delta_options, "commit_properties": properties}
    write_deltalake(s3.uri(f"lake/{name}"), rows, **options)


def test_the_first_commits_with_rows_of_the_windows_are_named(in_lake: MonitoredModel, s3: S3) -> None:
    alert = alert_of(in_lake, labelled(60, 40, 20, 180), metric="accuracy", min=0.85)
    assert (alert.start, alert.end) == (on(29).isoformat(), on(30).isoformat())
    append(s3, "serving", "t", 28, 28.99)
    append(s3, "serving", "t", 29.1, 29.2, dag_id="score", run_id="manual|1", task_id="write")
    append(s3, "serving", "t", 29.3, 29.4, dag_id="later")
    DeltaTable(s3.uri("lake/serving"), storage_options=s3.delta_options).optimize.compact()
    append(s3, "actuals", "known", 28.5, 28.9)
    append(s3, "actuals", "known", 30.5, 31, userMetadata='{"airflow_run_id": "r2", "password": "p"}')
    explanation = explain_alert(in_lake.registry, alert, find_credentials=lambda: credentials(s3))
    serving, actuals = explanation.first_commits
    assert (serving.role, serving.version, serving.operation, serving.reason) == ("serving", 1, "WRITE", None)
    assert (serving.dag_id, serving.run_id, serving.task_id) == ("score", "manual|1", "write")
    table = DeltaTable(s3.uri("lake/serving"), storage_options=s3.delta_options)
    committed = {each["version"]: each["timestamp"] for each in table.history()}
    assert serving.time is not None
    assert datetime.fromisoformat(serving.time).timestamp() * 1000 == committed[1]
    assert (actuals.role, actuals.version, actuals.run) == ("actuals", 1, "r2")
    assert f"| serving: version 1 (WRITE) | {serving.time} | delta-rs" in explanation.to_markdown()
    assert "score / manual\\|1 / write |" in explanation.to_markdown()
    assert explanation.to_dict()["first_commits"][0]["dag_id"] == "score"
    assert "password" not in json.dumps(explanation.to_dict())


def test_why_the_first_commit_is_not_known(in_lake: MonitoredModel, s3: S3) -> None:
    alert = alert_of(in_lake, labelled(60, 40, 20, 180), metric="accuracy", min=0.85)
    append(s3, "serving", "t", 20, 21)
    explanation = explain_alert(in_lake.registry, alert, find_credentials=lambda: credentials(s3))
    serving, actuals = explanation.first_commits
    assert serving.reason == "no commit added rows of these windows"
    assert actuals.reason is not None
    assert "lake/actuals" in actuals.reason
    assert f"| serving: unknown, since {serving.reason} |" in explanation.to_markdown()

    def no_credentials() -> AwsCredentials:
        raise AuthenticationError("the connection has no credentials")

    explanation = explain_alert(in_lake.registry, alert, find_credentials=no_credentials)
    assert {each.reason for each in explanation.first_commits} == {"the connection has no credentials"}
    assert explanation.change == pytest.approx(-0.1)


def test_other_inputs_with_the_parameters_of_the_monitor(model: MonitoredModel) -> None:
    # At each score, the share of positive labels is the usual one: 0.9 and 0.1.
    day = labelled(18, 2, 28, 252)
    alert = alert_of(model, day, metric="recall", parameters={"threshold": 0.5}, min=0.6)
    explanation = explain_alert(model.registry, alert.id)
    assert explanation.before == pytest.approx(90 / 110)
    assert explanation.after == pytest.approx(18 / 46)
    assert explanation.other_labels == pytest.approx(0, abs=1e-12)
    assert explanation.other_inputs == pytest.approx(18 / 46 - 90 / 110)


def test_an_alert_of_a_value_is_explained_from_its_rows(model: MonitoredModel) -> None:
    model.segment("plan", "gold", "basic")
    past = {day: usual() for day in range(29)}
    # Gold: at the same scores, fewer labels agree, and ages move. Basic and the whole are as before.
    moved = {29: usual(age=numbers([80.0, 90.0] * 150))}
    model.store_terms("plan", {"gold": past | moved, "basic": past | {29: usual()}})
    before = {day: labelled() for day in range(29)}
    gold = before | {29: labelled(60, 40, 20, 180)}
    model.store_terms("plan", {"gold": gold, "basic": before | {29: labelled()}}, part="performance")
    alert = alert_of(model, labelled(), metric="accuracy", min=0.85, segment="plan", segment_value="gold")
    assert alert.segment == "plan = gold"
    explanation = explain_alert(model.registry, alert)
    assert (explanation.before, explanation.after) == pytest.approx((270 / 300, 240 / 300))
    assert explanation.other_inputs == pytest.approx(0, abs=1e-12)
    assert explanation.other_labels == pytest.approx(-0.1)
    assert (explanation.samples, explanation.baseline_samples) == (300, 28 * 300)
    assert [change.field for change in explanation.fields] == ["features.age"]
    assert "not divided by segment" in str(explanation.reason)
    model.registry.delete_segment("m", "plan")
    with pytest.raises(NotFoundError, match="which is about plan = gold, was deleted"):
        explain_alert(model.registry, alert)


def test_alerts_that_cannot_be_explained(model: MonitoredModel) -> None:
    with pytest.raises(NotFoundError, match="There is no alert 'x' among the latest 1000"):
        explain_alert(model.registry, "x")
    low = MonitorDefinition(name="age", type="metric_change", metric="mean", features=["age"], min=60)
    model.registry.apply_monitors("m", [low.to_monitor("m")])
    model.store({29: usual(age=numbers([1.0] * 300))})
    model.complete_until(on(30))
    model.evaluate(30)
    (alert,) = model.registry.get_alerts("m")
    with pytest.raises(ValidationError, match=r"is about mean: alerts about accuracy, .* can be explained"):
        explain_alert(model.registry, alert)
