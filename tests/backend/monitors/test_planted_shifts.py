"""Replays tell after how many windows a monitor finds shifts that are planted into the states."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from aporia_provider.backend.metrics.state_series import StatesKey
from aporia_provider.backend.monitors.monitored_model import MonitoredModel as StoredModel
from aporia_provider.backend.monitors.planting.planted_version import PlantedShift, PlantedVersion
from aporia_provider.backend.store.sync_tables import StateBlockRow
from aporia_provider.cli.main import main
from aporia_provider.errors import ValidationError
from aporia_provider.monitor_definitions import MonitorDefinition
from aporia_provider.monitoring.profiles.plan import ROWS
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import (
    MonitoredModel,
    categories,
    labelled,
    numbers,
    on,
    rows,
    usual,
)

DAYS = 70
FIRST = 50
LOW = 61
"""A day on which the ages are low, so their monitors fail without any shift."""


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[MonitoredModel]:
    """A model whose values vary from day to day, as those of random rows do."""
    rng = np.random.default_rng(11)

    def day(number: int) -> dict[str, Any]:
        ages = rng.integers(0, 100, 300).astype(float)
        gold = int(rng.binomial(300, 1 / 3))
        missing = int(rng.binomial(300, 0.1))
        return usual(
            age=numbers(ages if number != LOW else ages % 40),
            plan=categories(basic=300 - gold, gold=gold),
            latency=numbers(rng.integers(0, 100, 300 - missing), nulls=missing),
            rows=rows(int(rng.normal(300, 10))),
        )

    def outcomes() -> dict[str, Any]:
        tp, fp, fn, tn = rng.multinomial(300, [0.3, 0.033, 0.067, 0.6]).tolist()
        return labelled(tp, fp, fn, tn)

    with MonitoredModel(copied(migrated, tmp_path_factory.mktemp("varied")), "e") as model:
        model.store({number: usual() for number in range(10)}, role="training")
        model.store({number: day(number) for number in range(DAYS)})
        model.store({number: outcomes() for number in range(DAYS)}, part="performance")
        model.complete_until(on(DAYS))
        yield model


def replayed(model: MonitoredModel, monitor: MonitorDefinition, plant: float | bool) -> dict[str, Any]:
    return model.registry.replay_monitor(
        "m", monitor.to_monitor("m"), start=on(FIRST), end=on(DAYS), plant=plant
    )


MONITORS = {
    "drift": MonitorDefinition(name="d", type="data_drift", features=["age", "plan"], false_alarms_a_year=1),
    "numbers": MonitorDefinition(name="a", type="data_drift", features=["age"], false_alarms_a_year=1),
    "threshold": MonitorDefinition(name="t", type="data_drift", features=["age"], max=0.1),
    "mean": MonitorDefinition(name="m", type="metric_change", metric="mean", features=["age"]),
    "missing": MonitorDefinition(name="n", type="missing_values", raw_inputs=["latency"]),
    "rows": MonitorDefinition(name="r", type="model_activity"),
    "accuracy": MonitorDefinition(name="p", type="performance_degradation", metric="accuracy"),
    "range": MonitorDefinition(name="v", type="values_range", features=["age"], max_distance=0),
    "new": MonitorDefinition(name="w", type="new_values", features=["plan"], max_new_values=0),
}
LARGE = {
    "drift": 0.55,
    "numbers": 2,
    "threshold": 2,
    "mean": 3,
    "missing": 4,
    "rows": 0.9,
    "accuracy": 0.3,
    "range": 2,
}


@pytest.mark.parametrize("kind", MONITORS)
def test_a_large_shift_is_found_on_the_first_window_and_none_never(varied: MonitoredModel, kind: str) -> None:
    plain = replayed(varied, MONITORS[kind], plant=False)
    assert "planted" not in plain
    found = replayed(varied, MONITORS[kind], plant=LARGE.get(kind, True))
    assert {name: found[name] for name in ("alerts", "verdicts", "windows")} == {
        name: plain[name] for name in ("alerts", "verdicts", "windows")
    }
    planted_at = [on(FIRST + 4 * step).isoformat() for step in range(5)]
    fields = {each["field"] for each in found["planted"]}
    for field in fields - {"features.age"} if kind == "drift" else fields:
        mine = [each for each in found["planted"] if each["field"] == field]
        assert [each["planted_at"] for each in mine] == planted_at
        assert [(each["found_after"], each["reason"]) for each in mine] == [(1, None)] * 5
    nothing = replayed(varied, MONITORS[kind], plant=0)
    assert [each["found_after"] for each in nothing["planted"]] == [None] * len(found["planted"])
    assert [each["windows"] for each in nothing["planted"]][-1] == 4


def test_the_shift_is_described_in_its_unit(varied: MonitoredModel) -> None:
    expected = {
        # The standard deviation of 0 to 99 is 28.9.
        "mean": r"values greater by 0.5 standard deviations \(14\.\d+\)",
        "missing": "share of missing values times 2",
        "rows": "50% fewer rows",
        "accuracy": "accuracy less by 0.02",
        "new": "10% of the values replaced by a new one",
    }
    for kind, text in expected.items():
        (shift,) = {each["shift"] for each in replayed(varied, MONITORS[kind], plant=True)["planted"]}
        assert re.fullmatch(text, shift)
    shifts = {
        each["field"]: each["shift"] for each in replayed(varied, MONITORS["drift"], plant=True)["planted"]
    }
    assert shifts["features.plan"] == "10% of the values replaced by 'gold'"


def test_windows_that_fail_without_the_shift_do_not_count(varied: MonitoredModel) -> None:
    low = MonitorDefinition(name="l", type="metric_change", metric="min", features=["age"], max=-1)
    found = replayed(varied, low, plant=5)
    assert found["verdicts"]["fail"] == DAYS - FIRST
    assert [each["found_after"] for each in found["planted"]] == [None] * 5


def test_what_cannot_be_planted_has_a_reason(varied: MonitoredModel) -> None:
    vectors = MonitorDefinition(name="e", type="data_drift", features=["emb"], max=0.1)
    expected = MonitorDefinition(
        name="x", type="performance_degradation", metric="expected_accuracy", min=0.1
    )
    stale = MonitorDefinition(name="s", type="model_staleness", max_age="8w")
    for monitor, reason in (
        (vectors, "there is no shift for vector fields"),
        (expected, "expected_accuracy is computed without the labels that would be changed"),
        (stale, "it does not depend on data"),
    ):
        planted = replayed(varied, monitor, plant=True)["planted"]
        assert [(each["shift"], each["windows"], each["reason"]) for each in planted] == [
            (None, 0, reason)
        ] * 5
    with pytest.raises(ValidationError, match="plant: -1 is neither a flag nor a number from 0 to 1000"):
        replayed(varied, MONITORS["mean"], plant=-1)


def test_states_are_shifted_from_a_time_on_and_nothing_is_stored(varied: MonitoredModel) -> None:
    second = int(on(60).timestamp())
    shift = PlantedShift(ROWS, "", lambda state: type(state)(rows=state.rows + 1000))
    with varied.registry.database.read_transaction() as session:
        stored = select(func.count(), func.sum(func.length(StateBlockRow.states)))
        before = session.execute(stored).one()
        version = StoredModel(session, "e", "m").version("v1")
        planted = PlantedVersion(session, version, shift, second)

        def rows_in(states: Any, start: int | None, end: int | None, **spans: Any) -> int:
            within = (
                None
                if start is None or end is None
                else (int(on(start).timestamp()), int(on(end).timestamp()))
            )
            state = states.merged(StatesKey("serving", ROWS, within or (None, None), **spans))
            return int(state.rows)

        for start, end, buckets in ((50, 60, 0), (58, 63, 3), (60, 61, 1), (65, 70, 5), (None, None, 10)):
            usual_rows = rows_in(version, start, end)
            by_bucket = rows_in(planted, start, end, spans=())
            assert by_bucket == usual_rows + 1000 * buckets
            # A sum is shifted as a whole.
            assert rows_in(planted, start, end) == usual_rows + (
                1000 * buckets if start is None else 1000 * min(buckets, 1)
            )
        assert session.execute(stored).one() == before


def test_the_command_prints_a_table(
    varied: MonitoredModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "monitors.yaml"
    path.write_text("model: m\nmonitors:\n- {name: Mean, type: metric_change, metric: mean, features: [age]}")
    where = ["--database-url", varied.registry.database.url.render_as_string(), "--environment", "e"]
    times = ["--from", on(FIRST).date().isoformat(), "--to", on(DAYS).date().isoformat()]
    command = ["monitors", "replay", "m", "Mean", "--file", str(path), *times, *where]
    assert main([*command, "--plant", "3"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    planted = [line[1:] for line in lines if line[0] == "planted"]
    assert [(line[0], line[1], line[2]) for line in planted] == [("Mean", "v1", "features.age")] * 5
    assert planted[0][4:] == [on(FIRST).isoformat(), "found after 1 window"]
    assert main([*command, "--plant", "0"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("not found in 4 windows")
