"""The view of monitors tells what they judge, and replays them with another rate of false alarms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.page.contents import monitor_replay
from aporia_provider.backend.page.contents.monitors_page import MonitorsPage, monitors_page
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.models import Model
from aporia_provider.monitor_definitions import MonitorDefinition
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import MonitoredModel, configuration, numbers, on, usual

DAYS = 100


def definition(name: str, type_: str, **given: Any) -> MonitorDefinition:
    return MonitorDefinition(name=name, type=type_, **given)


WORDS = (
    (
        definition("mean", "metric_change", metric="mean", features=["age"], min=40, max=60),
        (
            "The metric mean of age of each version is judged for every window of 1 day. It fails if the "
            "value is not from 40 to 60."
        ),
    ),
    (
        definition("learned", "missing_values", only_increase=True, false_alarms_a_year=2),
        (
            "The metric missing_ratio of all fields of each version is judged for every window of 1 day. It "
            "fails if the value is above what the 18 weeks of serving data before lets expect, with about 2 "
            "false alarms a year."
        ),
    ),
    (
        definition("drift", "data_drift", max=0.1, version="latest"),
        (
            "The distribution of all fields of the latest version is judged for every window of 1 day. It "
            "fails if the distance from the training data, less that expected without drift, is above 0.1."
        ),
    ),
    (
        definition("history", "prediction_drift"),
        (
            "The distribution of all fields of each version is judged for every window of 1 day. It fails if"
            " a field differs from its own history more than all fields usually do, with about 1 false alarm"
            " a year."
        ),
    ),
    (
        definition("f1", "performance_degradation", metric="f1", min_ratio=0.9, delay="2d", min_rows=50),
        (
            "The metric f1 of each version is judged for every window of 1 day, 2 days after its end. It "
            "fails if the value is below 0.9 times the value of the 2 weeks of serving data before. A window "
            "is not judged with fewer than 50 rows."
        ),
    ),
    (
        definition("age", "model_staleness", max_age="8w"),
        (
            "The age of the latest version is judged for every window of 1 day. It fails if it is more than "
            "8 weeks."
        ),
    ),
    (
        definition("new", "new_values", features=["plan"], max_new_values=3),
        (
            "The number of values of plan that the baseline does not have of each version is judged for "
            "every window of 1 day. It fails if it is more than 3."
        ),
    ),
    (
        definition("range", "values_range", features=["age"], max_distance=0.5),
        (
            "The least and the greatest value of age of each version is judged for every window of 1 day. It"
            " fails if a value is outside of the range of the training data, widened by 0.5 of its width."
        ),
    ),
    (
        definition("late", "table_freshness", max_gap="26h"),
        (
            "The time since the last write of the tables of each version is judged for every window of 1 "
            "hour. It fails if it is more than 26 hours."
        ),
    ),
    (
        definition("rows", "model_activity", min=100, severity="HIGH"),
        (
            "The number of rows of each version is judged for every window of 1 day. It fails if the value "
            "is below 100."
        ),
    ),
)


def page(model: MonitoredModel, **given: Any) -> MonitorsPage:
    return monitors_page(model.registry, "m", **given)


def apply(model: MonitoredModel, *definitions: MonitorDefinition) -> None:
    model.registry.apply_monitors("m", [each.to_monitor("m") for each in definitions])


def test_configurations_in_plain_words(model: MonitoredModel) -> None:
    apply(model, *(each for each, _ in WORDS))
    lines = {line.name: line for line in page(model).monitors}
    for each, words in WORDS:
        severity = f" Its alerts have the severity {each.severity}."
        assert lines[each.name].words == words + severity
        assert json.loads(lines[each.name].configuration) == each.to_monitor("m").configuration
    rates = {name: line.false_alarms_a_year for name, line in lines.items() if line.false_alarms_a_year}
    assert rates == {"learned": 2.0, "history": 1.0}


def test_the_latest_verdicts(model: MonitoredModel) -> None:
    apply(model, definition("mean", "metric_change", metric="mean", features=["age"], min=40))
    (missing,) = page(model).missing
    assert missing.what == "No monitor has judged version v1 yet."
    model.complete_until(on(30))
    model.evaluate(30)
    found = page(model)
    assert found.missing == ()
    assert list(found.monitors[0].verdicts) == model.registry.get_verdicts("m", "v1")
    assert found.monitors[0].verdicts[0].outcome == "pass"


@pytest.fixture(scope="module")
def long(month: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitoredModel]:
    """A model of 100 days whose mean age is slightly lower on every tenth day, and much lower on the last."""
    rng = np.random.default_rng(5)
    with MonitoredModel(copied(month, tmp_path_factory.mktemp("long")), "e") as model:

        def day(number: int) -> Any:
            width = 40 if number == DAYS - 1 else 85 if number % 10 == 5 else 100
            return usual(age=numbers(rng.integers(0, width, 300).astype(float)))

        model.store({number: day(number) for number in range(DAYS)})
        model.complete_until(on(DAYS))
        learned = definition(
            "learned", "metric_change", metric="mean", features=["age"], false_alarms_a_year=3
        )
        apply(model, learned, definition("fixed", "metric_change", metric="mean", features=["age"], min=1))
        yield model


def test_a_replay_with_another_rate(long: MonitoredModel) -> None:
    alerts = {}
    for rate in (None, "0.1", "52"):
        found = page(long, monitor="learned", false_alarms_a_year=rate).replay
        assert found is not None
        assert (found.days.start, found.days.end) == (on(DAYS - monitor_replay.REPLAY_DAYS), on(DAYS))
        assert (found.configured, found.problem) == (3.0, None)
        assert found.windows == monitor_replay.REPLAY_DAYS
        assert sum(found.verdicts.values()) == found.windows
        alerts[found.false_alarms_a_year] = found.alerts
        assert found.expected_false_alarms == pytest.approx(found.false_alarms_a_year * 90 / 365.25)
    assert set(alerts) == {3.0, 0.1, 52.0}
    report = long.registry.replay_monitor(
        "m",
        definition(
            "learned", "metric_change", metric="mean", features=["age"], false_alarms_a_year=52
        ).to_monitor("m"),
        start=on(DAYS - 90),
        end=on(DAYS),
    )
    assert [alert.start.isoformat() for alert in alerts[52.0]] == [each["start"] for each in report["alerts"]]
    assert [(alert.start, alert.failed) for alert in alerts[3.0]][-1] == (on(DAYS - 1), ("features.age",))
    assert len(alerts[0.1]) <= len(alerts[3.0]) < len(alerts[52.0])
    stored = long.registry.get_monitors("m")[0]["configuration"]["configuration"]["logicEvaluations"]
    assert stored[0]["falseAlarmsAYear"] == 3.0, "the stored monitor is not changed"


def test_a_replay_that_takes_too_long_is_told(long: MonitoredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor_replay, "REPLAY_SECONDS", 0.0)
    found = page(long, monitor="learned").replay
    assert found is not None
    assert (found.windows, found.alerts) == (0, ())
    assert found.problem is not None
    assert found.problem.startswith("The replay takes more than 0 seconds.")


def test_what_cannot_be_replayed_is_an_error(long: MonitoredModel) -> None:
    with pytest.raises(NotFoundError, match="has no monitor 'learnt'"):
        page(long, monitor="learnt")
    with pytest.raises(ValidationError, match="'fixed' has fixed limits"):
        page(long, monitor="fixed")
    for rate in ("0", "53", "many", "nan", True):
        with pytest.raises(ValidationError, match=r"false_alarms_a_year: .* is not a number from 0.1 to 52"):
            page(long, monitor="learned", false_alarms_a_year=rate)


def test_models_without_monitors_or_versions(tmp_path: Path, migrated: Path) -> None:
    with EmbeddedRegistry(copied(migrated, tmp_path), "e") as registry:
        registry.create_model(Model(id="m", name="New"))
        found = monitors_page(registry, "m")
        assert (found.monitors, found.version, found.replay) == ((), None, None)
        assert [each.what for each in found.missing] == ["The model has no monitors."]
        registry.apply_monitors("m", [definition("rows", "model_activity", min=1).to_monitor("m")])
        found = monitors_page(registry, "m")
        assert [each.what for each in found.missing] == ["The model has no versions that could be judged."]
        with pytest.raises(NotFoundError):
            monitors_page(registry, "other")


def test_a_configuration_that_is_not_valid(model: MonitoredModel) -> None:
    model.monitor("data_drift", configuration("mean", {"name": "RATIO", "min": 1}), "odd")
    (line,) = page(model).monitors
    assert (line.words, line.false_alarms_a_year) == (None, None)
    assert any("RATIO is not a rule of data_drift" in problem for problem in line.problems)
    with pytest.raises(ValidationError, match="not valid"):
        page(model, monitor="odd")
