"""Explanations of alerts about performance: other inputs, or other labels."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aporia_provider.alerts import Alert
from aporia_provider.backend.monitors.alert_explanation import explain_alert
from aporia_provider.cli.main import main
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.monitor_definitions import MonitorDefinition
from tests.backend.monitors.monitored_model import MonitoredModel, labelled, numbers, on, usual


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
    told = explain_alert(model.registry, alert)
    assert (told.before, told.after) == pytest.approx((0.9, 0.8))
    assert told.other_inputs == pytest.approx(0, abs=1e-12)
    assert told.other_labels == pytest.approx(-0.1)
    assert (told.samples, told.baseline_samples) == (300, 28 * 300)
    where = ["--database-url", model.registry.database.url.render_as_string(), "--environment", "e"]
    assert main(["alerts", "explain", alert.id, *where]) == 0
    assert capsys.readouterr().out == told.to_markdown() + "\n"
    assert main(["alerts", "explain", alert.id, "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["other_labels"] == told.other_labels


def test_other_inputs_with_the_parameters_of_the_monitor(model: MonitoredModel) -> None:
    # At each score, the share of positive labels is the usual one: 0.9 and 0.1.
    day = labelled(18, 2, 28, 252)
    alert = alert_of(model, day, metric="recall", parameters={"threshold": 0.5}, min=0.6)
    told = explain_alert(model.registry, alert.id)
    assert told.before == pytest.approx(90 / 110)
    assert told.after == pytest.approx(18 / 46)
    assert told.other_labels == pytest.approx(0, abs=1e-12)
    assert told.other_inputs == pytest.approx(18 / 46 - 90 / 110)


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
