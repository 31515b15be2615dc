"""The page on getting started, followed, and the DAG whose tasks are the examples of the how-to guides."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from aporia_provider import settings
from aporia_provider.cli.main import main
from aporia_provider.hooks.delta_lake import DeltaLakeHook
from aporia_provider.hooks.monitors import MonitorsHook
from aporia_provider.monitor_definitions import MonitorDefinition
from tests.airflow.conftest import delete_bucket
from tests.airflow.running import START, finish, run
from tests.backend.monitors.monitored_model import MonitoredModel, labelled, on, usual

DOCS = Path(__file__).parents[2] / "docs"
GETTING_STARTED = (DOCS / "getting_started.md").read_text()
FIRST_MODEL = DOCS / "examples" / "first_model.py"
OPERATORS = DOCS / "examples" / "operators.py"
GATES = DOCS / "examples" / "gates.py"
ENDPOINT = "http://127.0.0.1:5000"
IDS = [f"id-{number}" for number in range(6)]
TIMES = pa.array([START] * len(IDS), pa.timestamp("us", "UTC"))
SERVING = {
    "id": IDS,
    "predicted_at": TIMES,
    "channel": ["web", "shop"] * 3,
    "amount": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    "will_buy": [True, False] * 3,
    "proba": [0.9, 0.1] * 3,
}
LABELS = {"bought": [True, True, False] * 2}
TABLES = {
    "serving": SERVING,
    "training": {**SERVING, **LABELS},
    "testing": {**SERVING, **LABELS},
    "actuals": {"id": IDS, "known_at": TIMES, **LABELS},
}


pytestmark = [pytest.mark.usefixtures("airflow_database", "registry"), pytest.mark.very_slow]


def executed(code: str, file: Path) -> dict[str, Any]:
    """Execute the code of a file; its variables."""
    variables: dict[str, Any] = {"__name__": file.stem}
    # Airflow reads the file that a DAG names.
    exec(compile(code, file, "exec"), variables)
    return variables


@pytest.fixture
def getting_started(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the bucket of the page on getting started, and export its connection."""
    (export,) = re.findall(r"^\$ export AIRFLOW_CONN_AWS_DEFAULT=(.*)$", GETTING_STARTED, re.MULTILINE)
    (connection,) = shlex.split(export)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection.replace(ENDPOINT, s3_endpoint))
    (code,) = re.findall(r"```python\n(import boto3.*?)```", GETTING_STARTED, re.DOTALL)
    s3 = executed(code.replace(ENDPOINT, s3_endpoint), Path("bucket.py"))["s3"]
    yield
    delete_bucket(s3, "lake")


@pytest.mark.usefixtures("getting_started")
def test_the_page_on_getting_started_can_be_followed(capsys: pytest.CaptureFixture[str]) -> None:
    names = executed(FIRST_MODEL.read_text(), FIRST_MODEL)
    run(names["connect"][0].dag)
    capsys.readouterr()
    (block,) = re.findall(r"^\$ aporia-provider (.*--column amount)$", GETTING_STARTED, re.MULTILINE)
    assert main(shlex.split(block)) == 0
    printed = capsys.readouterr()
    (expected,) = re.findall(r"```text\n(.*?)```", GETTING_STARTED, re.DOTALL)
    first, _, table = expected.partition("\n")
    assert printed.err.splitlines()[-1] == first
    assert stripped(printed.out) == stripped(table)


def stripped(table: str) -> list[str]:
    """The lines of a table without the blanks that fill the last column."""
    return [line.rstrip() for line in table.splitlines()]


@pytest.mark.usefixtures("getting_started")
def test_the_examples_of_the_how_to_guides_run(s3_engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The page on getting started is followed with the embedded engine.
    monkeypatch.setenv("AIRFLOW__APORIA__ENGINE", s3_engine)
    storage_options = DeltaLakeHook().delta_options()
    for name, columns in TABLES.items():
        write_deltalake(f"s3://lake/insurance/{name}", pa.table(columns), storage_options=storage_options)
    names = executed(OPERATORS.read_text(), OPERATORS)
    results = run(names["create_model"].dag)
    assert results["add_tags"] == {"team": "pricing", "stage": "production"}
    assert results["infer_version"]["fields"] == {"raw_inputs": 1, "features": 1, "predictions": 2}
    assert results["complete"]["datasets"] == ["actuals", "serving", "testing", "training"]
    assert (results["sync"]["changed"], results["sync"]["rows"]) == (True, len(IDS))
    assert results["sync_several"] == []
    assert results["wait_for_table"]["latest"] == START.isoformat()
    assert results["wait_for_sync"]["table_version"] == 0
    assert (results["wait_for_labels"]["coverage"], results["wait_for_labels"]["labels"]) == (1.0, len(IDS))
    assert results["grant_access"]["prefixes"] == ["s3://lake/insurance"]
    assert [change["action"] for change in results["apply_monitors"]["changes"]] == ["created"] * 3
    assert results["create_monitor"]["status"] == "created"
    for name in ("segment", "custom_metric"):
        assert results[f"create_{name}"]["status"] == "created"
        assert results[f"delete_{name}"]["status"] == "deleted"
    assert results["monitor_model"]["left_out"].keys() == {"freshness", "performance", "new values"}
    assert results["notify_alerts"] == {"sent": 0, "emitted": 0}
    assert results["evaluate_monitors"]["models"] == ["insurance"]
    # The window is the day before the run, and the rows are older.
    exported = results["export_metrics"]
    assert exported["windows_without_rows"] == exported["windows"] == 1
    assert (exported["profile_rows"], exported["drift_rows"]) == (5, 0)
    assert results["delete_monitor"]["status"] == "deleted"
    # The only other version has no serving data, so it does not count towards those that are kept.
    assert results["retire"]["retired"] == []
    assert results["delete_model"]["status"] == "deleted"


def test_the_examples_of_gates_run() -> None:
    names = {"insurance": "m", "amount": "age", "will_buy": "proba", "Mean amount": "Mean age"}
    code = GATES.read_text()
    for name, stored in names.items():
        code = code.replace(f'"{name}"', f'"{stored}"')
    tasks = executed(code.replace("datetime(2026, 1", "datetime(2024, 1"), GATES)
    with MonitoredModel(settings.database_url(), settings.environment()) as model:
        model.store({day: usual() for day in range(10)}, role="training")
        model.store({day: usual() for day in range(30)})
        model.complete_until(on(30))
        mean = MonitorDefinition(
            name="Mean age", type="metric_change", metric="mean", features=["age"], min=40, severity="HIGH"
        )
        MonitorsHook().apply_monitors("m", [mean])
        states, results = _finished(tasks["check"].dag, logical_date=on(30))
        assert states == {"check_health": "success", "branch_on_health": "success", "serve": "success"}
        assert [each["outcome"] for each in results["check_health"]["findings"]] == ["pass"] * 4
        for version, days in (("v1", 30), ("v2", 1)):
            if version == "v2":
                model.add_version("v2")
            model.store({day: labelled() for day in range(days)}, part="performance", version=version)
        # The task of a human decision would wait.
        states, results = _finished(tasks["compare"].dag, mark_success_pattern="decide")
    assert results["branch_on_comparison"]["followed"] == ["compare_versions"]
    assert states["compare_versions"] == "success"
    assert results["compare_versions"]["markdown"].startswith("Model m: **insufficient**.")


def _finished(dag: Any, **run: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """The states of the tasks that were not skipped, and the results."""
    instances = finish(dag, **run).get_task_instances()
    states = {ti.task_id: str(ti.state) for ti in instances if ti.state != "skipped"}
    return states, {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in instances}
