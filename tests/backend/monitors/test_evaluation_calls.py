"""Monitors over HTTP and in the command, and after a sync."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from aporia_provider.backend.monitors.evaluation_calls import MonitorEvaluations
from aporia_provider.backend.server.auth.tokens import create_token
from aporia_provider.backend.store.monitor_tables import TableHistoryRow
from aporia_provider.cli.main import main
from aporia_provider.client import AporiaClient
from aporia_provider.monitor_definitions import MonitorDefinition
from tests.backend.monitors.monitored_model import MonitoredModel, configuration, numbers, on, usual
from tests.backend.running import serving
from tests.backend.syncing import SyncedVersion, spread

LOW = numbers(np.arange(300) % 50)
MEAN = configuration("mean", {"name": "RANGE", "min": 40.0}, features=["age"])


def url_of(model: MonitoredModel) -> str:
    return model.registry.database.url.render_as_string()


@pytest.mark.process
def test_a_client_evaluates_and_lists_the_monitors_of_a_server(model: MonitoredModel) -> None:
    model.monitor("metric_change", MEAN, "mean")
    model.store({29: usual(age=LOW)})
    model.complete_until(on(30))
    token = create_token(model.registry.database, "e", "test")
    with serving(url_of(model)) as served, AporiaClient(served.url, token, "e") as client:
        report = client.evaluate_monitors("m", start=on(28), end=datetime(2024, 1, 31, tzinfo=UTC))
        assert (report["windows"], report["opened"]) == (2, 1)
        assert report["verdicts"] == {"pass": 1, "fail": 1, "insufficient": 0}
        (listed,) = client.get_monitors("m")
        assert (listed["name"], listed["model_id"], listed["problems"]) == ("mean", "m", [])
        assert client.get_monitors() == [listed]


def test_the_command_evaluates_and_lists(model: MonitoredModel, capsys: pytest.CaptureFixture[str]) -> None:
    model.monitor("metric_change", MEAN, "mean")
    model.monitor("metric_change", configuration("mean", {"name": "RANGES"}), "bad")
    options = ["--database-url", url_of(model), "--environment", "e"]
    times = ["--from", "2024-01-29", "--to", "2024-01-31T00:00"]
    assert main(["monitors", "evaluate", "m", *times, *options]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[0] == (
        "mean\t2 windows: 2 pass, 0 fail, 0 insufficient; alerts: 0 opened, 0 resolved"
    )
    problem = "'RANGES' is not one of RANGE, RATIO"
    assert problem in told.err
    assert "2 active monitors, 2 windows" in told.err
    assert main(["monitors", "evaluate", "m", "--json", *options]) == 0
    assert json.loads(capsys.readouterr().out)["model_id"] == "m"
    assert main(["monitors", "list", *options]) == 0
    lines = [line.split("\t")[1:] for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["m", "metric_change", "active", "mean", "-"]
    assert problem in lines[1][-1]


def test_a_sync_evaluates_the_monitors_of_its_model(
    monitored: SyncedVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the evaluation does not fail the sync."""
    from aporia_provider.models import Monitor

    monitored.write("serving", spread(1, 3, per_day=4))
    monitored.connect("serving")
    assert "monitors" not in monitored.sync()
    rule: dict[str, Any] = {"name": "RANGE", "min": 5.0}
    given = configuration("count", rule)
    given["identification"]["models"]["id"] = "churn"
    activity = Monitor(name="rows", type="model_activity", scheduling="0 * * * *", configuration=given)
    monitored.registry.create_monitor(activity)
    days = {"start": datetime(2024, 1, 1, tzinfo=UTC), "end": datetime(2024, 1, 4, tzinfo=UTC)}
    report = monitored.registry.evaluate_monitors("churn", **days)
    assert report["verdicts"]["fail"] == report["windows"] == 3
    monitored.write("serving", spread(2, 2, per_day=4, seed=1))
    again = monitored.sync()["monitors"]
    assert again["model_id"] == "churn"

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr(MonitorEvaluations, "evaluate_monitors", fail)
    assert monitored.sync()["monitors"] == {
        "error": "RuntimeError: the monitors could not be evaluated, see the log"
    }


def test_a_sync_reads_the_logs_of_the_tables_whose_freshness_is_judged(monitored: SyncedVersion) -> None:
    monitored.write("serving", spread(1, 3, per_day=4))
    monitored.connect("serving")
    fresh = MonitorDefinition(name="fresh", type="table_freshness", max_gap="26h")
    monitored.registry.apply_monitors("churn", [fresh.to_monitor("churn")])
    (judged,) = monitored.sync()["monitors"]["monitors"]
    with monitored.registry.database.read_transaction() as session:
        row = session.scalars(select(TableHistoryRow)).one()
        assert (row.uri, row.error) == (f"file://{monitored.path('serving')}", None)
        assert row.history is not None
        assert row.history["last"][0] == monitored.delta("serving").version()
    assert judged["verdicts"]["fail"] == 0
    later = monitored.registry.evaluate_monitors("churn", now=datetime.now(UTC) + timedelta(hours=40))
    # It is not known whether the table has been written since the sync.
    assert later["verdicts"]["fail"] == 0
    assert later["verdicts"]["insufficient"] > 0
