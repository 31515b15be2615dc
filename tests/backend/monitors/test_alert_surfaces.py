"""Alerts over HTTP and in the command line interface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from aporia_provider.backend.server.auth.tokens import create_token
from aporia_provider.backend.store.database import Database
from aporia_provider.cli.main import main
from aporia_provider.client import AporiaClient
from aporia_provider.errors import AporiaError, AuthenticationError, NotFoundError, ValidationError
from tests.backend.monitors.test_alerts import MonitoredModel
from tests.backend.running import Served, token_for


@pytest.fixture
def client(server: Served, shared_sqlite_url: str, environment: str) -> Iterator[AporiaClient]:
    with AporiaClient(server.url, token_for(shared_sqlite_url, environment)) as client:
        yield client


def test_the_client_lists_acknowledges_and_snoozes_alerts(
    client: AporiaClient, shared_sqlite: Database, environment: str
) -> None:
    model = MonitoredModel(shared_sqlite, environment)
    model.record(0, "FpF")
    assert client.get_alerts() == model.registry.get_alerts()
    (alert,) = client.get_alerts("m", status="open", limit=1)
    assert (alert.status, alert.start) == ("open", "1970-01-03T00:00:00+00:00")
    assert client.acknowledge_alert(alert.id, "ann@example.com").acknowledged_by == "ann@example.com"
    until = datetime(2100, 1, 1, tzinfo=UTC)
    assert client.snooze_alert(alert.id, until).snoozed_until == until.isoformat()
    assert client.get_alerts("m", status="open") == model.registry.get_alerts("m", status="open")


def test_the_server_refuses_what_is_not_valid(client: AporiaClient) -> None:
    with pytest.raises(NotFoundError):
        client.get_alerts("unknown")
    with pytest.raises(NotFoundError):
        client.acknowledge_alert("unknown")
    with pytest.raises(ValidationError, match="status"):
        client.get_alerts(status="closed")  # type: ignore[arg-type]
    with pytest.raises(AporiaError, match="limit"):
        client.get_alerts(limit=100_000)
    with pytest.raises(ValidationError, match="with a time zone"):
        client.snooze_alert("x", "tomorrow")


def test_a_read_only_token_lists_alerts_and_changes_none(
    server: Served, shared_sqlite: Database, environment: str
) -> None:
    model = MonitoredModel(shared_sqlite, environment)
    model.record(0, "F")
    token = create_token(shared_sqlite, environment, "dashboard", read_only=True)
    with AporiaClient(server.url, token) as client:
        (alert,) = client.get_alerts("m")
        with pytest.raises(AuthenticationError):
            client.acknowledge_alert(alert.id)
    assert model.alerts[0].acknowledged_at is None


def test_the_commands_list_acknowledge_and_snooze(
    shared_sqlite: Database, shared_sqlite_url: str, environment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = MonitoredModel(shared_sqlite, environment)
    model.record(0, "pF")
    (alert,) = model.alerts
    where = ("--environment", environment, "--database-url", shared_sqlite_url)

    def run(*arguments: str) -> str:
        assert main(["alerts", *arguments, *where]) == 0
        return capsys.readouterr().out

    columns = run("list", "m").strip().split("\t")
    window = "1970-01-02T00:00:00+00:00/1970-01-03T00:00:00+00:00"
    assert columns == [alert.id, "open", "HIGH", "m", "v1", "Rows", "count", window, "1"]
    assert json.loads(run("list", "--json")) == [alert.to_json()]
    assert run("list", "--status", "resolved") == ""
    run("acknowledge", alert.id, "--by", "ann")
    run("snooze", alert.id, "--for", "2d")
    (changed,) = model.alerts
    assert changed.acknowledged_by == "ann"
    assert changed.snoozed_until is not None
    left = datetime.fromisoformat(changed.snoozed_until) - datetime.now(UTC)
    assert timedelta(days=1, hours=23) < left <= timedelta(days=2)
    assert main(["alerts", "acknowledge", "unknown", *where]) == 2
