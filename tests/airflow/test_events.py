"""The events that operators emit, and how often the DAGs run that are scheduled on them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from airflow.sdk import DAG, chain, task
from deltalake import write_deltalake

from aporia_provider.assets import data_changed, model_alias, registered, version_completed
from aporia_provider.data_sources import GlueDataSource, S3DataSource
from aporia_provider.models import Model
from aporia_provider.operators.completion import CompleteModelVersionOperator
from aporia_provider.operators.dataset import (
    ConnectActualsOperator,
    ConnectServingOperator,
    ConnectTrainingOperator,
)
from aporia_provider.operators.model import CreateModelOperator
from aporia_provider.operators.sync import SyncDatasetOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema
from tests.airflow.running import (
    START,
    asset_events,
    consume,
    consumed,
    finish,
    look_for_dags_to_run,
    new_dag,
    runs,
)
from tests.sizes import sized

SCHEMA = VersionSchema(model_type="binary", features={"amount": "numeric"}, predictions={"proba": "numeric"})
DAG_FILE = Path(__file__).parents[2] / "dags" / "retrain_and_register.py"
ROLES = ("training", "serving", "actuals")
CONNECT = (ConnectTrainingOperator, ConnectServingOperator, ConnectActualsOperator)
COLUMNS: dict[str, Any] = {"id_column": "id", "timestamp_column": "at"}

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder with a Delta table for each role."""
    for role in ROLES:
        append(tmp_path / role, 0)
    return tmp_path


def append(path: Path, number: int) -> None:
    rows = {
        "id": [f"{number}"],
        "at": pa.array([START], pa.timestamp("us", "UTC")),
        "amount": [1.0],
        "proba": [0.5],
        "label": [True],
    }
    write_deltalake(path, pa.table(rows), mode="append")


def retrain(dag_id: str, tables: Path, **version: str) -> DAG:
    """A DAG that registers a version, connects data in three roles, and completes it."""
    with new_dag(dag_id, model="templated") as dag:
        model = CreateModelOperator(task_id="model", model_id=version["model_id"])
        create = CreateModelVersionOperator(task_id="version", schema=SCHEMA, **version)
        connect = []
        for make in CONNECT:
            source = S3DataSource(object_path=str(tables / make.role), object_format="delta")
            labels = None if make.role == "serving" else {"proba": "label"}
            connect.append(make(task_id=make.role, data_source=source, labels=labels, **COLUMNS, **version))
        complete = CompleteModelVersionOperator(task_id="complete", **version)
        model >> create >> connect >> complete
    return dag


def test_a_run_without_a_date_emits_its_events_through_the_rendered_model(tables: Path) -> None:
    dag = retrain(
        "undated",
        tables,
        model_id="{{ params.model }}",
        model_version="{{ dag_run.run_after | ts_nodash }}",
    )
    run = finish(dag, logical_date=None, run_after=datetime.fromisoformat("2026-11-02T03:04:05+00:00"))
    assert (run.state, run.logical_date) == ("success", None)

    version = "aporia://prod/templated/20261102T030405"
    told = asset_events("undated")
    assert {uri for uri, _, _ in told} == {version, *(f"{version}/{role}" for role in ROLES)}
    for uri, extra, aliases in told[:-1]:
        assert extra["event"] == "registered", uri
        assert aliases == [registered().name, registered("templated").name]
    assert len(told) == 5
    assert told[-1] == (
        version,
        {
            "event": "version_completed",
            "environment": "prod",
            "model_id": "templated",
            "model_version": "20261102T030405",
            "datasets": ",".join(sorted(ROLES)),
        },
        [version_completed().name, version_completed("templated").name],
    )
    # Before the id is rendered, there is no alias of a model with such a name.
    assert dag.get_task("complete").outlets == [version_completed()]


@pytest.mark.very_slow
@pytest.mark.usefixtures("lake")
def test_the_dag_that_users_copy_runs_without_a_date(registry: Any) -> None:
    names: dict[str, Any] = {"__name__": "retrain_and_register_dag", "__file__": str(DAG_FILE)}
    exec(compile(DAG_FILE.read_text(), DAG_FILE, "exec"), names)
    dag = names["retrain_and_register"]()
    # The data ends in 2018.
    run = finish(dag, logical_date=None, run_after=datetime.fromisoformat("2027-01-01T00:00:00+00:00"))
    assert run.state == "success"
    assert [version["name"] for version in registry.get_model_versions("employment")] == ["20270101T000000"]
    completed = [uri for uri, extra, _ in asset_events(dag.dag_id) if extra["event"] == "version_completed"]
    assert completed == ["aporia://prod/employment/20270101T000000"]


def test_a_schedule_takes_no_templates() -> None:
    assert model_alias("m") == version_completed("m")
    assert len({kind("m").name for kind in (version_completed, data_changed, registered)}) == 3
    assert CompleteModelVersionOperator(task_id="t", model_id="m", model_version="v").outlets == [
        version_completed(),
        version_completed("m"),
    ]
    for kind in (version_completed, data_changed, registered, model_alias):
        with pytest.raises(ValueError, match="is a template, but Airflow does not render schedules"):
            kind("{{ params.model }}")


@pytest.mark.very_slow
def test_how_often_consumers_run_for_each_version(tables: Path, engine: str) -> None:
    schedules = {
        "of_completed": model_alias("three"),
        "of_changed": data_changed("three"),
        "of_registered": registered("three"),
        "of_all_models": version_completed(),
        "of_another_model": version_completed("other"),
    }
    for dag_id, schedule in schedules.items():
        consume(dag_id, schedule)

    versions = [f"v{number}" for number in range(sized(2, 3))]
    for version in versions:
        dag = retrain("three", tables, model_id="three", model_version=version)
        assert finish(prompt(dag)).state == "success"
    count = len(versions)
    expected = {"of_completed": count, "of_changed": 0, "of_registered": 4 * count, "of_all_models": count}
    assert runs(schedules) == {**expected, "of_another_model": 0}

    with new_dag("three_syncs") as syncs:
        given = {"model_id": "three", "engine": engine, "aws_conn_id": None}
        # Labels last: before the predictions, their sync would compare the new predictions with them.
        chain(
            *(
                SyncDatasetOperator.partial(task_id=role, role=role, **given).expand(model_version=versions)
                for role in ROLES
            )
        )
    assert finish(prompt(syncs)).state == "success"
    append(tables / "serving", 1)
    assert finish(prompt(syncs)).state == "success"
    # The first sync of each dataset found something new, and the second one of the predictions did.
    assert runs(schedules) == {**expected, "of_changed": 3 * count + count, "of_another_model": 0}
    assert consumed("of_completed") == [f"aporia://prod/three/{version}" for version in versions]


def prompt(dag: DAG) -> DAG:
    """Let the scheduler look for DAGs to run after every task, so that it finds the events one by one."""
    for operator in dag.tasks:
        operator.on_success_callback = [look_for_dags_to_run]  # type: ignore[attr-defined]
    return dag


@pytest.mark.very_slow
def test_a_version_is_complete_only_with_all_that_its_dag_connects(
    registry: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.create_model(Model(id="m", name="m"))
    version = {"model_id": "m", "model_version": "{{ params.version }}"}
    nowhere = {"model_id": "m", "model_version": "nowhere"}
    source = {"data_source": GlueDataSource(query="select 1"), **COLUMNS}
    with new_dag("incomplete") as dag:

        @task.short_circuit(ignore_downstream_trigger_rules=False)
        def there_is_a_training_set() -> bool:
            return False

        create = CreateModelVersionOperator(task_id="create", schema=SCHEMA, **version)
        serving = ConnectServingOperator(task_id="serving", **source, **version)
        training = ConnectTrainingOperator(task_id="training", **source, **version)
        create >> [serving, training]
        there_is_a_training_set() >> training
        [serving, training] >> CompleteModelVersionOperator(
            task_id="complete", trigger_rule="none_failed", **version
        )
        create >> CompleteModelVersionOperator(task_id="too_early", **version)
        create >> CompleteModelVersionOperator(
            task_id="not_connected", datasets=["training", "actuals"], **version
        )
        broken = ConnectServingOperator(task_id="broken", **source, **nowhere)
        broken >> CompleteModelVersionOperator(task_id="after_a_failure", trigger_rule="all_done", **nowhere)
        CompleteModelVersionOperator(task_id="not_registered", datasets=[], **nowhere)

    finished = finish(dag)
    states = {ti.task_id: ti.state for ti in finished.get_task_instances()}
    failed = {"too_early", "not_connected", "broken", "after_a_failure", "not_registered"}
    assert {name for name, state in states.items() if state == "failed"} == failed
    assert (states["training"], states["complete"]) == ("skipped", "success")
    completed = [
        (uri, extra["datasets"]) for uri, extra, _ in asset_events("incomplete") if "datasets" in extra
    ]
    assert completed == [("aporia://prod/m/v1", "serving")]

    said = capsys.readouterr().out
    for part in (
        "task 'serving' connects data to this version and is not upstream of 'too_early'",
        "task 'training' connects data to this version and is not upstream of 'too_early'",
        "Version 'v1' of model 'm' has no actuals and no training dataset",
        "task 'broken', which connects data, did not succeed; its state is failed",
        "Model 'm' has no version 'nowhere'",
    ):
        assert part in said, part
