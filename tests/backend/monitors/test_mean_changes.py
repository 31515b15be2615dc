"""Monitors of performance that judge the mean of all labelled rows, from states."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy.stats import norm
from sqlalchemy import select

from aporia_provider.backend.store.monitor_tables import VerdictRow
from aporia_provider.monitor_definitions import MonitorDefinition
from tests.backend.monitors.monitored_model import MonitoredModel, labelled, on, usual

BAD = labelled(80, 20, 30, 170)
"""250 of 300 labels are predicted; of a usual day, 270."""
MONITOR = MonitorDefinition(
    name="accuracy", type="performance_degradation", metric="accuracy", predictions=["proba"]
)


def outcomes(model: MonitoredModel) -> dict[int, str]:
    """The outcome of each day that was judged."""
    with model.registry.database.read_transaction() as session:
        rows = session.execute(select(VerdictRow.start, VerdictRow.outcome))
        return {int((start - on(0).timestamp()) / 86_400): outcome for start, outcome in rows}


def failed(model: MonitoredModel) -> dict[str, Any]:
    """The failed verdict of the last day."""
    with model.registry.database.read_transaction() as session:
        query = select(VerdictRow.findings).order_by(VerdictRow.start.desc())
        return session.scalars(query).first()["failed"][0]  # type: ignore[index, no-any-return]


def fails(*hits: int) -> bool:
    """
    Whether the mean of these days, at most seven, is below that of 28 usual days: by a test on each day of a
    year, or by the published formula of the confidence sequence.
    """
    count, baseline, usual = 300 * len(hits), 8400, 0.9
    mean = sum(hits) / count
    squares = count * mean * (1 - mean) + baseline * usual * (1 - usual)
    error = math.sqrt(squares / (count + baseline - 2) * (1 / count + 1 / baseline))
    alpha, information = 0.01, 1 / (1 / count + 1 / baseline)
    best = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / 2000
    inside = 1 + information * best
    bound = math.sqrt(2 * inside / (information * best) * math.log(1 + math.sqrt(inside) / (2 * alpha)))
    return (mean - usual) / error < -min(-norm.ppf(0.04 / 365), bound)


@pytest.fixture
def accuracy(model: MonitoredModel) -> MonitoredModel:
    model.registry.create_monitor(MONITOR.to_monitor("m"))
    return model


def add(model: MonitoredModel, first: int, *days: Any) -> None:
    """Store days with labels."""
    model.store({first + place: usual() for place in range(len(days))})
    model.store({first + place: day for place, day in enumerate(days)}, part="performance")


def test_a_drop_is_found_as_the_formula_says(accuracy: MonitoredModel) -> None:
    add(accuracy, 30, *[BAD] * 5)
    accuracy.evaluate(35, start=on(28))
    found = outcomes(accuracy)
    first = next(bad for bad in range(1, 6) if fails(270, 270, *[250] * bad))
    assert 1 < first <= 5
    assert [found[day] for day in range(28, 30 + first)] == ["pass"] * (1 + first) + ["fail"]


def test_labels_that_arrive_late_count_once(accuracy: MonitoredModel) -> None:
    """Day 31 is judged twice; the mean of the seven days has its labels of now, once."""
    add(accuracy, 30, *[BAD] * 5)
    accuracy.evaluate(35, start=on(28))
    assert failed(accuracy)["baseline_samples"] == 28 * 300
    accuracy.store({31: labelled(0, 100, 110, 90), 34: labelled(80, 20, 31, 169)}, part="performance")
    assert accuracy.evaluate(35)["windows"] == 2
    # Days that failed before are left out.
    alarmed = [day for day, outcome in outcomes(accuracy).items() if outcome == "fail" and day < 34]
    counted = {28: 270, 29: 270, 30: 250, 31: 90, 32: 250, 33: 250, 34: 249}
    kept = [hits for day, hits in counted.items() if day not in alarmed]
    assert (
        f"{sum(kept) / (300 * len(kept)):.6g} in the last {len(kept)} windows" in failed(accuracy)["reason"]
    )


def test_the_rule_of_the_protocol_is_not_changed(model: MonitoredModel) -> None:
    """With a sensitivity, a day is compared with the days before: these are all equal."""
    body = MONITOR.to_monitor("m").to_wire()
    rule = body["configuration"]["configuration"]["logicEvaluations"][0]
    del rule["falseAlarmsAYear"]
    model.monitor("performance_degradation", body["configuration"])
    add(model, 30, BAD)
    model.evaluate(31)
    assert outcomes(model) == {30: "fail"}
