"""The webhook notifier, against a server that records what it receives."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from aporia_provider import settings
from aporia_provider.alerts import Alert
from aporia_provider.errors import TransientError, ValidationError
from aporia_provider.hooks.monitors import MonitorsHook
from aporia_provider.monitor_definitions import MonitorDefinition
from aporia_provider.notifications.webhook import AporiaAlertNotifier
from aporia_provider.operators.alerts import NotifyAlertsOperator
from tests.airflow.running import execute, new_dag, run
from tests.backend.monitors.monitored_model import ROWS, MonitoredModel, on, rows, usual

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")


class Receiver(ThreadingHTTPServer):
    """Records requests, and answers them with ``status``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.requests: list[tuple[str, str | None, Any]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, self.headers["X-Key"], body))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    receiver = Receiver()
    connection = {
        "conn_type": "http",
        "host": f"http://127.0.0.1:{receiver.server_port}",
        "extra": {"X-Key": "planted-key"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_APORIA_WEBHOOK", json.dumps(connection))
    yield receiver
    receiver.shutdown()
    receiver.server_close()


@pytest.fixture
def model() -> Iterator[MonitoredModel]:
    """A model with an open alert: its days have 300 rows, and at least 1,000 are expected."""
    with MonitoredModel(settings.database_url(), settings.environment()) as model:
        model.store({day: usual() for day in range(30)})
        model.complete_until(on(30))
        MonitorsHook().apply_monitors("m", [MonitorDefinition(name="Rows", type="model_activity", min=1000)])
        model.evaluate(30)
        yield model


@pytest.fixture
def alert(model: MonitoredModel) -> Alert:
    (found,) = MonitorsHook().get_alerts("m")
    return found


def test_an_opened_alert_is_posted_with_the_keys_of_the_protocol(
    receiver: Receiver, model: MonitoredModel, alert: Alert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__APORIA__PAGE_URL", "https://monitoring.example/page/")
    with new_dag("webhook") as dag:
        NotifyAlertsOperator(task_id="n", notify=AporiaAlertNotifier(endpoint="/{{ params.version }}"))
    assert run(dag)["n"]["sent"] == 1
    body = {
        "alert_id": alert.id,
        "monitor_type": "model_activity",
        "monitor_id": alert.monitor_id,
        "monitor_name": "Rows",
        "model_id": "m",
        "model_name": "The <model>",
        "severity": "MEDIUM",
        "environment": settings.environment(),
        "pretty_description": alert.description,
        "dashboard_link": f"https://monitoring.example/page/models/m/alerts/{alert.id}",
    }
    assert receiver.requests == [("/v1", "planted-key", body)]
    # The webhook cannot tell a resolved alert from an opened one, so it is not sent.
    model.store({30: {**usual(), ROWS: rows(1000)}})
    model.complete_until(on(31))
    model.evaluate(31)
    assert run(dag)["n"]["sent"] == 1
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(("status", "told"), [(500, "500"), (302, "redirects to another URL")])
def test_a_webhook_that_refuses_is_asked_again(
    receiver: Receiver, alert: Alert, status: int, told: str
) -> None:
    receiver.status = status
    task = NotifyAlertsOperator(task_id="n", notify=AporiaAlertNotifier())
    with pytest.raises(TransientError, match=told) as failed:
        execute(task)
    assert "planted-key" not in str(failed.value)
    receiver.status = 200
    assert execute(task)["sent"] == 1
    assert [body["alert_id"] for _, _, body in receiver.requests] == [alert.id, alert.id]


def test_a_context_without_an_alert_is_refused() -> None:
    with pytest.raises(ValueError, match="pass it to NotifyAlertsOperator"):
        AporiaAlertNotifier().notify({})


def test_kinds_of_which_nothing_is_sent_are_an_error() -> None:
    with pytest.raises(ValidationError) as failure:
        AporiaAlertNotifier(kinds=("opend", "resolved", "snoozed"))
    assert [text.partition(" ")[0] for text in failure.value.problems] == ["'opend'", "'snoozed'"]
    with pytest.raises(ValidationError, match="kinds is the text 'opened': give a list"):
        AporiaAlertNotifier(kinds="opened")
