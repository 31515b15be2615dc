"""The commands that apply and delete monitors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aporia_provider.cli.main import main
from aporia_provider.models import Model
from tests.backend.monitors.monitored_model import MonitoredModel

FILE = """
model: m
monitors:
  - name: Rows
    type: model_activity
    min: {low}
  - name: Missing ages
    type: missing_values
    features: [age]
    max: 0.1
"""


@pytest.fixture
def run(model: MonitoredModel, capsys: pytest.CaptureFixture[str]) -> Any:
    where = ["--database-url", model.registry.database.url.render_as_string(), "--environment", "e"]

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["monitors", *map(str, arguments), *where])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def test_a_file_is_applied_and_what_it_leaves_out_is_deleted_on_demand(
    model: MonitoredModel, run: Any, tmp_path: Path
) -> None:
    path = tmp_path / "monitors.yaml"
    path.write_text(FILE.format(low=10))
    status, out, err = run("apply", path, "--dry-run")
    assert (status, out) == (0, "created\tm\tRows\ncreated\tm\tMissing ages\n")
    assert err == "Model m: 2 created.\nNothing was changed.\n"
    assert model.registry.get_monitors("m") == []
    assert run("apply", path)[0] == 0
    assert run("apply", path)[1:] == (
        "unchanged\tm\tRows\nunchanged\tm\tMissing ages\n",
        "Model m: 2 unchanged.\n",
    )
    path.write_text(FILE.format(low=20).partition("  - name: Missing")[0])
    _, out, err = run("apply", path, "--delete-others")
    assert out == "updated\tm\tRows\ndeleted\tm\tMissing ages\n"
    assert "Rows: configuration.configuration.logicEvaluations: [{'name': 'RANGE', 'min': 10.0}] is" in err
    (listed,) = model.registry.get_monitors("m")
    (change,) = json.loads(run("apply", path, "--json")[1])[0]["changes"]
    assert change == {"name": "Rows", "action": "unchanged", "id": listed["id"], "differences": []}


def test_all_faults_of_all_files_are_told_and_nothing_changes(
    model: MonitoredModel, run: Any, tmp_path: Path
) -> None:
    model.registry.create_model(Model(id="n", name="N"))
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(FILE.format(low=10))
    bad.write_text("model: n\nmonitors:\n- {name: a, type: data_drift, min: 1}\n- {name: b, typ: c}")
    missing = tmp_path / "missing.yaml"
    status, _, err = run("apply", good, bad, missing)
    assert status == 2
    assert "bad.yaml: monitors.0: min is no option of data_drift: use max, false_alarms_a_year" in err
    assert "bad.yaml: monitors.1.typ: there is no such parameter; did you mean 'type'?" in err
    assert "missing.yaml: [Errno 2] No such file" in err
    bad.write_text("model: unknown\nmonitors:\n- {name: a, type: data_drift}")
    assert run("apply", good, bad)[0] == 2
    assert model.registry.get_monitors("m") == []


def test_monitors_are_deleted_by_id(model: MonitoredModel, run: Any, tmp_path: Path) -> None:
    path = tmp_path / "monitors.yaml"
    path.write_text(FILE.format(low=10))
    run("apply", path)
    first, second = (each["id"] for each in model.registry.get_monitors("m"))
    assert run("delete", first) == (0, "", f"Monitor {first} was deleted.\n")
    assert [each["id"] for each in model.registry.get_monitors("m")] == [second]
    status, _, err = run("delete", first)
    assert (status, f"There is no monitor '{first}'" in err) == (2, True)
