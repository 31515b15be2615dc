"""The operators for monitors and alerts, against the embedded backend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, BaseNotifier
from sqlalchemy import select

from aporia_provider import settings
from aporia_provider.alerts import Alert, AlertEvent
from aporia_provider.assets import alert_opened
from aporia_provider.backend.store.monitor_tables import AlertRow
from aporia_provider.errors import AporiaError, TransientError
from aporia_provider.hooks.monitors import MonitorsHook
from aporia_provider.models import Model, Monitor
from aporia_provider.monitor_definitions import MonitorDefinition
from aporia_provider.operators.alerts import (
    EvaluateMonitorsOperator,
    MonitorModelOperator,
    NotifyAlertsOperator,
)
from aporia_provider.operators.monitors import (
    ApplyMonitorsOperator,
    CreateMonitorOperator,
    DeleteMonitorOperator,
)
from tests import servers
from tests.airflow.running import asset_events, execute, finish, new_dag, run
from tests.backend.monitors.monitored_model import MonitoredModel, numbers, on, usual
from tests.conftest import S3
from tests.lake import histories

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")


@pytest.fixture
def model() -> Iterator[MonitoredModel]:
    """A model with 30 usual days and no monitors."""
    with MonitoredModel(settings.database_url(), settings.environment()) as found:
        found.store({day: usual() for day in range(10)}, role="training")
        found.store({day: usual() for day in range(30)})
        found.complete_until(on(30))
        yield found


def names(model: MonitoredModel) -> list[str]:
    return [each["name"] for each in model.registry.get_monitors("m")]


def test_a_monitor_is_created_updated_and_deleted(model: MonitoredModel) -> None:
    with new_dag("monitors") as dag:
        create = CreateMonitorOperator(
            task_id="create",
            model_id="m",
            monitor={"name": "Age {{ params.version }}", "type": "values_range", "features": ["age"]},
        )
        update = CreateMonitorOperator(
            task_id="update",
            model_id="m",
            monitor=MonitorDefinition(
                name="Age {{ params.version }}", type="values_range", features=["age"], max=99
            ),
        )
        delete = DeleteMonitorOperator(task_id="delete", model_id="m", name="Age {{ params.version }}")
        again = DeleteMonitorOperator(task_id="again", model_id="m", name="Age v1")
        create >> update >> delete >> again
    results = run(dag)
    monitor_id = results["create"]["monitor_id"]
    assert results["create"] == {"monitor_id": monitor_id, "name": "Age v1", "status": "created"}
    assert results["update"] == {"monitor_id": monitor_id, "name": "Age v1", "status": "updated"}
    assert [results[task]["status"] for task in ("delete", "again")] == ["deleted", "missing"]
    assert names(model) == []


def test_faults_fail_without_a_retry(model: MonitoredModel) -> None:
    wrong = {"name": "n", "type": "data_drift", "min": 1, "features": ["age"]}
    with pytest.raises(AirflowFailException, match="n: min is no option of data_drift"):
        execute(CreateMonitorOperator(task_id="t", model_id="m", monitor=wrong))
    with pytest.raises(AirflowFailException, match="monitor 1: A value of type MonitorDefinition is"):
        execute(CreateMonitorOperator(task_id="s", model_id="m", monitor="activity"))  # type: ignore[arg-type]
    with pytest.raises(AirflowFailException, match="Model 'm' has no monitor 'x'"):
        execute(DeleteMonitorOperator(task_id="d", model_id="m", name="x", ignore_if_missing=False))
    with pytest.raises(AirflowFailException, match="A list of monitors requires model_id"):
        execute(ApplyMonitorsOperator(task_id="a", monitors=[]))
    text = "model: other\nmonitors:\n- {name: a, type: data_drift}"
    with pytest.raises(AirflowFailException, match="of model 'other', not of 'm'"):
        execute(ApplyMonitorsOperator(task_id="b", monitors=text, model_id="m"))


def test_a_file_beside_the_dag_is_rendered_and_applied(model: MonitoredModel, tmp_path: Path) -> None:
    (tmp_path / "monitors.yaml").write_text(
        "model: m\nmonitors:\n- {name: 'Rows of {{ params.version }}', type: model_activity, min: 10}\n"
    )
    protocol = MonitorDefinition(name="Other", type="model_activity", min=1).to_monitor("m")
    with new_dag("applied") as dag:
        dag.template_searchpath = [str(tmp_path)]
        first = CreateMonitorOperator(task_id="other", model_id="m", monitor=protocol)
        preview = ApplyMonitorsOperator(
            task_id="preview", monitors="monitors.yaml", delete_others=True, dry_run=True
        )
        keep = ApplyMonitorsOperator(task_id="keep", monitors="monitors.yaml")
        only = ApplyMonitorsOperator(task_id="only", monitors="monitors.yaml", delete_others=True)
        first >> preview >> keep >> only
    results = run(dag)
    actions = {
        task: [(change["name"], change["action"]) for change in results[task]["changes"]]
        for task in ("preview", "keep", "only")
    }
    assert actions == {
        "preview": [("Rows of v1", "created"), ("Other", "deleted")],
        "keep": [("Rows of v1", "created")],
        "only": [("Rows of v1", "unchanged"), ("Other", "deleted")],
    }
    assert names(model) == ["Rows of v1"]


class Recorded(BaseNotifier):
    """A notifier that records what its template becomes."""

    template_fields = ("text",)
    texts: list[str] = []

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        self.texts.append(self.text)


@pytest.fixture
def alerted(model: MonitoredModel) -> MonitoredModel:
    """The ages of the last day are those of the younger half."""
    model.store({29: usual(age=numbers(np.arange(300) % 50))})
    model.complete_until(on(30))
    low = {"name": "Mean age", "type": "metric_change", "metric": "mean", "features": ["age"], "min": 40}
    CreateMonitorOperator(task_id="c", model_id="m", monitor=low).execute({})
    model.evaluate(30)
    return model


def test_each_event_is_sent_once_to_functions_and_notifiers(alerted: MonitoredModel) -> None:
    sent: list[tuple[str, str]] = []

    def send(alert: Alert, event: AlertEvent) -> None:
        sent.append((alert.monitor, event.kind))

    Recorded.texts.clear()
    notifier = Recorded("{{ alert.severity }} {{ event.kind }}: {{ alert_text }}")
    task = NotifyAlertsOperator(task_id="n", notify=[send, notifier])
    assert execute(task) == {"sent": 1, "emitted": 1}
    assert sent == [("Mean age", "opened")]
    (text,) = Recorded.texts
    assert text.startswith(
        "MEDIUM opened: MEDIUM alert opened: Mean age of model m, version v1, 1 window from"
    )
    assert "Failed: features.age" in text
    assert execute(task)["sent"] == 0
    # The next day is as usual.
    alerted.store({30: usual()})
    alerted.complete_until(on(31))
    alerted.evaluate(31)
    assert execute(task)["sent"] == 1
    assert "alert resolved: Mean age" in Recorded.texts[-1]


def test_an_event_that_was_not_sent_fails_the_task_and_is_sent_by_the_next(alerted: MonitoredModel) -> None:
    def fails(alert: Alert, event: AlertEvent) -> None:
        raise OSError("the webhook does not answer")

    with pytest.raises(TransientError, match=r"0 notifications were sent, and 1 were not.*\n.*webhook"):
        execute(NotifyAlertsOperator(task_id="n", notify=fails))
    texts: list[Alert] = []
    assert (
        execute(NotifyAlertsOperator(task_id="n", notify=lambda alert, _: texts.append(alert)))["sent"] == 1
    )


def test_an_opened_alert_is_one_asset_event(alerted: MonitoredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/base/")
    with new_dag("emitting") as dag:
        NotifyAlertsOperator(task_id="emit")
    assert run(dag)["emit"] == {"sent": 0, "emitted": 1}
    (alert,) = MonitorsHook().get_alerts("m")
    ((uri, extra, aliases),) = asset_events("emitting")
    assert uri == f"aporia://{settings.environment()}/m/v1"
    assert aliases == [alert_opened().name, alert_opened("m").name]
    told = {
        "model_version": "v1",
        "segment": None,
        "alert_id": alert.id,
        "dashboard_link": f"https://airflow.example/base/aporia/models/m/alerts/{alert.id}",
        "monitor": "Mean age",
        "monitor_type": "metric_change",
        "severity": "MEDIUM",
        "start": "2024-01-30T00:00:00+00:00",
        "end": "2024-01-31T00:00:00+00:00",
        "description": alert.description,
        "metric": "mean",
        "field": "features.age",
        # Six times each of the ages 0 to 49.
        "value": 24.5,
        "low": 40,
        "high": None,
    }
    subject = {"event": "alert_opened", "environment": settings.environment(), "model_id": "m"}
    assert extra == {**subject, **told, "alerts": [told]}
    # Another run emits nothing, and neither does the same alert when it recurs.
    assert run(dag)["emit"]["emitted"] == 0
    alerted.store({30: usual(age=numbers(np.arange(300) % 50))})
    alerted.complete_until(on(31))
    alerted.evaluate(31)
    assert run(dag)["emit"]["emitted"] == 0


def test_a_task_that_runs_again_emits_its_events_again(alerted: MonitoredModel) -> None:
    hook = MonitorsHook()
    (alert,) = hook.get_alerts("m")
    hook.snooze_alert(alert.id, timedelta(hours=1))
    assert hook.claim_opened_alerts("dag/run/task/-1") == []
    hook.snooze_alert(alert.id, timedelta(hours=-1))
    assert [each.alert.id for each in hook.claim_opened_alerts("dag/run/task/-1")] == [alert.id]
    assert [each.alert.id for each in hook.claim_opened_alerts("dag/run/task/-1")] == [alert.id]
    assert hook.claim_opened_alerts("dag/other-run/task/-1") == []


def test_the_events_of_a_task_that_failed_are_emitted_by_the_next_one(alerted: MonitoredModel) -> None:
    def fail(*_: object) -> None:
        raise OSError("the worker has no disk space left")

    with new_dag("lost") as failing:
        NotifyAlertsOperator(task_id="emit", post_execute=fail)
    assert finish(failing).state == "failed"
    assert asset_events("lost") == []
    with new_dag("found") as dag:
        NotifyAlertsOperator(task_id="emit")
    # A retry may emit them for an hour.
    assert run(dag)["emit"]["emitted"] == 0
    with alerted.registry.database.write_transaction() as session:
        (alert,) = session.scalars(select(AlertRow))
        assert alert.claimed_until is not None
        alert.claimed_until -= timedelta(hours=1)
    assert run(dag)["emit"]["emitted"] == 1
    assert len(asset_events("found")) == 1
    # Airflow has called the callback of the success, so the event is not emitted again.
    with alerted.registry.database.write_transaction() as session:
        (alert,) = session.scalars(select(AlertRow))
        assert alert.claimed_until is None
        assert str(alert.emitted_by).startswith("found/")


def test_the_callbacks_of_the_user_remain(alerted: MonitoredModel) -> None:
    called: list[str] = []
    with new_dag("called") as dag:
        NotifyAlertsOperator(task_id="emit", on_success_callback=lambda context: called.append("success"))
    assert run(dag)["emit"]["emitted"] == 1
    assert called == ["success"]
    assert MonitorsHook().claim_opened_alerts("called/again/emit/-1") == []


def test_a_notifier_that_succeeded_is_not_called_again_by_the_retry(alerted: MonitoredModel) -> None:
    def refuses(alert: Alert, event: AlertEvent) -> None:
        raise OSError("the webhook does not answer")

    texts: list[str] = []
    Recorded.texts.clear()
    notifiers = [Recorded("first"), Recorded("second")]
    with pytest.raises(TransientError, match="refuses: OSError: the webhook"):
        execute(NotifyAlertsOperator(task_id="n", notify=[*notifiers, refuses]))
    assert Recorded.texts == ["first", "second"]
    later = [Recorded("first"), Recorded("second"), Recorded("third"), lambda *_: texts.append("function")]
    assert execute(NotifyAlertsOperator(task_id="n", notify=later))["sent"] == 1
    assert (Recorded.texts, texts) == (["first", "second", "third"], ["function"])


def test_an_alert_that_was_resolved_has_no_asset_event(alerted: MonitoredModel) -> None:
    alerted.store({30: usual()})
    alerted.complete_until(on(31))
    alerted.evaluate(31)
    assert execute(NotifyAlertsOperator(task_id="n"))["emitted"] == 0


def test_alerts_of_one_model_are_one_event_with_the_most_severe_first(alerted: MonitoredModel) -> None:
    union = MonitorDefinition(
        name="Rows", type="model_activity", min=1000, version="all_versions", severity="HIGH"
    )
    MonitorsHook().apply_monitors("m", [union])
    alerted.evaluate(30)
    with new_dag("several") as dag:
        NotifyAlertsOperator(task_id="emit")
    assert run(dag)["emit"]["emitted"] == 2
    ((uri, extra, _),) = asset_events("several")
    assert uri == f"aporia://{settings.environment()}/m/v1"
    assert (extra["monitor"], extra["model_version"]) == ("Rows", None)
    assert [each["monitor"] for each in extra["alerts"]] == ["Rows", "Mean age"]


def test_an_alert_about_all_versions_refers_to_the_latest(alerted: MonitoredModel) -> None:
    union = {"name": "Rows", "type": "model_activity", "min": 1000, "version": "all_versions"}
    execute(CreateMonitorOperator(task_id="c", model_id="m", monitor=union))
    alerted.evaluate(30)
    found = {each.alert.monitor: each for each in MonitorsHook().claim_opened_alerts("x")}
    assert (found["Rows"].model_version, found["Rows"].event_extra()["model_version"]) == ("v1", None)


def test_the_monitors_of_all_models_are_evaluated_in_one_task(
    model: MonitoredModel, capsys: pytest.CaptureFixture[str]
) -> None:
    model.store({29: usual(age=numbers(np.arange(300) % 50))})
    low = {"name": "Mean age", "type": "metric_change", "metric": "mean", "features": ["age"], "min": 40}
    hook = MonitorsHook()
    hook.apply_monitors("m", [low])
    model.registry.create_model(Model(id="unmonitored", name="Unmonitored"))
    # The data is complete until the end of 2024; the first evaluation judges the latest window only.
    hook.evaluate_monitors("m", start=on(29), end=on(30))
    sent: list[str] = []
    task = EvaluateMonitorsOperator(task_id="e", notify=lambda alert, event: sent.append(event.kind))
    result = execute(task)
    assert (result["models"], result["sent"], result["emitted"], sent) == (["m"], 1, 1, ["opened"])
    assert "Model 'm':" in capsys.readouterr().out
    again = execute(EvaluateMonitorsOperator(task_id="e", model_id="m"))
    assert (again["models"], again["opened"]) == (["m"], 0)


def test_one_task_sets_up_evaluates_and_notifies(model: MonitoredModel) -> None:
    mine = MonitorDefinition(name="Mine", type="model_activity", min=1)
    MonitorsHook().apply_monitors("m", [mine])
    with new_dag("whole") as dag:
        MonitorModelOperator(task_id="monitor", model_id="m", max_version_age="8w")
    result = run(dag)["monitor"]
    created = [change["name"].removeprefix("Standard: ") for change in result["changes"]]
    inputs = ["missing values", "data drift", "prediction drift", "new values"]
    expected = ["freshness", "activity", *inputs, "staleness"]
    assert created == expected
    assert result["left_out"] == {"performance": "the latest version has no actuals dataset"}
    assert (result["sent"], len(result["evaluation"]["monitors"])) == (0, 8)
    again = run(dag)["monitor"]
    assert {change["action"] for change in again["changes"]} == {"unchanged"}
    # Without a limit of the age, there is no monitor of it.
    third = execute(MonitorModelOperator(task_id="third", model_id="m"))
    assert [c["name"] for c in third["changes"] if c["action"] == "deleted"] == ["Standard: staleness"]
    assert names(model) == ["Mine", *(f"Standard: {name}" for name in expected[:-1])]


@pytest.mark.very_slow
def test_the_tasks_read_the_logs_of_the_tables(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {
        "conn_type": "aws",
        "login": servers.S3_KEY,
        "password": servers.S3_SECRET,
        "extra": {"endpoint_url": s3.endpoint, "region_name": servers.S3_REGION},
    }
    monkeypatch.setenv("AIRFLOW_CONN_LAKE", json.dumps(connection))
    # Written each day, until three days ago.
    times = [datetime.now(UTC) - timedelta(days=day) for day in range(3, 40)][::-1]
    for name, content in histories.written_log(times).items():
        s3.client().put_object(Bucket=s3.bucket, Key=f"lake/serving/_delta_log/{name}", Body=content)
    with MonitoredModel(settings.database_url(), settings.environment(), lake=s3.uri("lake")) as model:
        # Nothing is synced: a table without new commits is not due.
        late = {"name": "Late", "type": "table_freshness", "max_gap": "1d"}
        MonitorsHook().apply_monitors("m", [late])
        evaluated = execute(EvaluateMonitorsOperator(task_id="evaluate", aws_conn_id="lake"))
        assert (evaluated["opened"], evaluated["emitted"]) == (1, 1)
        MonitorsHook().delete_monitor("m", "Late")
        task = MonitorModelOperator(task_id="monitor", model_id="m", aws_conn_id="lake")
        evaluation = execute(task)["evaluation"]
        assert evaluation["monitors"][0]["verdicts"] == {"pass": 0, "fail": 1, "insufficient": 0}
        (alert,) = model.registry.get_alerts("m")
    assert (alert.monitor, alert.status) == ("Standard: freshness", "open")
    assert [verdict.field for verdict in alert.failed] == ["datasets.serving"]


def test_the_standard_monitors_of_a_model_without_a_version(registry: Any) -> None:
    from aporia_provider.models import Model

    registry.create_model(Model(id="empty", name="Empty"))
    with pytest.raises(AporiaError, match="has no version: register one first"):
        MonitorsHook().apply_standard_monitors("empty")


def test_the_hook_lists_alerts_and_acknowledges(alerted: MonitoredModel) -> None:
    hook = MonitorsHook()
    (alert,) = hook.get_alerts("m", status="open")
    assert hook.acknowledge_alert(alert.id, "ann").acknowledged_by == "ann"
    assert [Monitor.from_wire(_body(each)).name for each in hook.get_monitors("m")] == ["Mean age"]


def _body(listed: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in listed.items() if key not in ("id", "model_id", "created_at", "problems")
    }
