"""Replayed monitors raise the alerts that evaluations after each day raise."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aporia_provider.cli.main import main
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.monitor_definitions import MonitorDefinition
from tests.backend.monitors.monitored_model import MonitoredModel, numbers, on, rows, usual

LOW = {"age": numbers(np.arange(300) % 40)}
LIMIT = MonitorDefinition(name="Mean age", type="metric_change", metric="mean", features=["age"], min=40)
LEARNED = MonitorDefinition(name="Learned", type="metric_change", metric="mean", features=["age"])
DRIFT = MonitorDefinition(name="Drift", type="data_drift", false_alarms_a_year=20)
MISSING = MonitorDefinition(name="Missing", type="missing_values", max=0.05, features=["age"])
ACTIVITY = MonitorDefinition(name="Rows", type="model_activity", min=100)
DAYS = 85
CHANGED: dict[int, dict[str, Any]] = {
    **dict.fromkeys((60, 61, 65), LOW),
    70: {"rows": rows(20)},
    71: {"age": numbers(np.arange(200) % 100, nulls=100)},
    **dict.fromkeys(range(78, 81), LOW),
}


@pytest.fixture
def long(model: MonitoredModel) -> MonitoredModel:
    """A model whose ages vary from day to day, with some days that differ."""
    rng = np.random.default_rng(3)

    def day(number: int) -> Any:
        ages = numbers(rng.integers(0, 100, 300).astype(float))
        return usual(**({"age": ages} | CHANGED.get(number, {})))

    model.store({number: day(number) for number in range(DAYS)})
    model.complete_until(on(DAYS))
    return model


def test_a_replay_raises_the_alerts_of_daily_evaluations(long: MonitoredModel) -> None:
    monitors = [each.to_monitor("m") for each in (LIMIT, LEARNED, DRIFT, MISSING, ACTIVITY)]
    first = 55
    reports = {
        monitor.name: long.registry.replay_monitor("m", monitor, start=on(first), end=on(DAYS))
        for monitor in monitors
    }
    long.registry.apply_monitors("m", monitors)
    for day in range(first + 1, DAYS + 1):
        long.complete_until(on(day))
        long.evaluate(day, start=on(day - 1))
    alerts = sorted(long.registry.get_alerts("m"), key=lambda alert: alert.start)
    for name, report in reports.items():
        assert (report["monitor"], report["windows"], report["problems"]) == (name, DAYS - first, [])
        assert report["alerts"]
        assert report["alerts"] == [
            {
                "model_version": alert.model_version,
                "segment": None,
                "start": alert.start,
                "end": alert.end,
                "occurrences": alert.occurrences,
                "failed": [verdict.field or verdict.metric for verdict in alert.failed],
                "description": alert.description,
            }
            for alert in alerts
            if alert.monitor == name
        ]


def test_the_alerts_of_a_limit_are_those_of_the_changed_days(long: MonitoredModel) -> None:
    report = long.registry.replay_monitor("m", LIMIT.to_monitor("m"), start=on(50), end=on(75))
    found = [(alert["start"], alert["end"], alert["occurrences"]) for alert in report["alerts"]]
    assert found == [
        (on(60).isoformat(), on(62).isoformat(), 2),
        (on(65).isoformat(), on(66).isoformat(), 1),
    ]
    assert report["verdicts"] == {"pass": 22, "fail": 3, "insufficient": 0}
    assert long.registry.get_monitors("m") == []


def test_what_cannot_be_replayed(model: MonitoredModel) -> None:
    model.registry.apply_monitors("m", [LIMIT.to_monitor("m")])
    with pytest.raises(NotFoundError, match="has no monitor 'Mean ag'; did you mean 'Mean age'"):
        model.registry.replay_monitor("m", "Mean ag", start=on(0), end=on(1))
    with pytest.raises(ValidationError, match="more than 1000 windows"):
        model.registry.replay_monitor("m", "Mean age", start=on(0) - timedelta(days=1000), end=on(1))
    with pytest.raises(ValidationError, match="The monitor cannot be replayed") as told:
        model.registry.replay_monitor("m", "Mean age", start=on(2), end=on(1))
    assert told.value.problems == [f"start {on(2).isoformat()} is not before end {on(1).isoformat()}"]


def test_the_command_replays_monitors_of_the_registry_and_of_a_file(
    long: MonitoredModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--database-url", long.registry.database.url.render_as_string(), "--environment", "e"]
    times = ["--from", on(50).date().isoformat(), "--to", on(63).date().isoformat()]
    long.registry.apply_monitors("m", [LIMIT.to_monitor("m")])
    assert main(["monitors", "replay", "m", "Mean age", *times, *where]) == 0
    told = capsys.readouterr()
    window = f"{on(60).isoformat()}/{on(62).isoformat()}"
    assert told.out == f"v1\t{window}\t2\tfeatures.age\n"
    assert told.err == "13 windows: 11 pass, 2 fail, 0 insufficient; 1 alerts.\n"
    path = tmp_path / "monitors.yaml"
    path.write_text("model: m\nmonitors:\n- {name: Higher, type: metric_change, metric: mean, max: 1000}")
    assert main(["monitors", "replay", "m", "Higher", "--file", str(path), "--json", *times, *where]) == 0
    assert json.loads(capsys.readouterr().out)["alerts"] == []
    assert main(["monitors", "replay", "m", "Highr", "--file", str(path), *times, *where]) == 2
    assert "has no monitor 'Highr' of model 'm'; did you mean 'Higher'?" in capsys.readouterr().err
