"""The days that syncs change, as partitions of the asset of the model."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from aporia_provider.assets import changed_days, convert_asset_to_openlineage
from aporia_provider.operators.base import MAX_DAYS
from aporia_provider.operators.sync import SyncDatasetOperator
from aporia_provider.operators.sync_datasets import SyncDatasetsOperator
from tests.airflow.connected_lake import SERVING, Lake, rows
from tests.airflow.running import START, finish, look_for_dags_to_run, new_dag, store
from tests.conftest import S3

DATASET: dict[str, Any] = {**SERVING, "model_id": "days"}

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")


@pytest.fixture
def lake(aws: S3, registry: Any, s3_engine: str, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """
    Predictions of the first day of model ``days``, for an engine that is running already.

    No other test has a model of that name: once a DAG is scheduled on the asset, Airflow keeps its events.
    """
    monkeypatch.setenv("AIRFLOW__APORIA__ENGINE", s3_engine)
    lake = Lake(aws, registry)
    lake.register("days")
    lake.write("serving", rows(range(3)))
    lake.connect("serving", "serving", model="days")
    return lake


def consume(dag_id: str) -> None:
    """Store a DAG that is scheduled on the changed days. Airflow keeps no events of an asset without one."""
    from airflow.sdk import PartitionedAssetTimetable

    schedule = PartitionedAssetTimetable(assets=changed_days("days"))
    with DAG(dag_id, schedule=schedule, start_date=START) as dag:
        EmptyOperator(task_id="nothing")
    store(dag)


def emitted(dag_id: str) -> list[str]:
    """Partition keys of the events of the model's asset, in sorted order."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.query(AssetEvent).filter_by(source_dag_id=dag_id)
        return sorted(event.partition_key for event in found if event.uri == "aporia://prod/days")


@pytest.mark.very_slow
def test_each_changed_day_is_one_event(lake: Lake) -> None:
    consume("of_days")
    with new_dag("one") as one:
        SyncDatasetOperator(task_id="sync", **DATASET)
    with new_dag("many") as many:
        SyncDatasetsOperator(task_id="sync", datasets=[DATASET])
    assert finish(one).state == "success"
    assert emitted("one") == ["2026-01-01"]
    # Late rows of the first day, and the second and the fourth day.
    lake.write("serving", rows([5, 30, 80]))
    assert finish(many).state == "success"
    assert emitted("many") == ["2026-01-01", "2026-01-02", "2026-01-04"]
    # Nothing is due to change.
    assert finish(one).state == "success"
    assert emitted("one") == ["2026-01-01"]


@pytest.mark.very_slow
def test_only_the_latest_days_of_a_long_history_are_events(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    consume("of_days")
    lake.write("serving", rows(range(24, 24 * (MAX_DAYS + 1), 24)))
    with new_dag("long") as dag:
        SyncDatasetOperator(task_id="sync", **DATASET)
    assert finish(dag).state == "success"
    # The days 1 to 32 of the year have changed.
    assert emitted("long") == [*(f"2026-01-{day:02}" for day in range(2, 32)), "2026-02-01"]
    assert "32 days have changed; events are emitted for the latest 31 of them" in capsys.readouterr().out


@pytest.mark.very_slow
def test_the_dags_of_the_documentation_run_once_a_day_and_once_a_week(lake: Lake) -> None:
    example = Path(__file__).parents[2] / "docs" / "examples" / "changed_days.py"
    dags = runpy.run_path(str(example))
    for name in ("daily_dag", "weekly_dag"):
        store(dags[name])
        unpause(dags[name].dag_id)
    lake.register("insurance")
    # The days of the second week of 2026, a Monday to a Sunday, except the Sunday.
    lake.write("serving", rows(range(96, 240, 24)), "overwrite")
    lake.connect("serving", "serving", model="insurance")
    with new_dag("insurance_sync") as dag:
        SyncDatasetOperator(task_id="sync", **{**SERVING, "model_id": "insurance"})
    assert finish(dag).state == "success"
    for _ in range(10):
        look_for_dags_to_run()
    assert partitions("check_changed_day") == [f"2026-01-{day:02}" for day in range(5, 11)]
    assert partitions("report_of_week") == ["2026-01-05 (W02)"]


def unpause(dag_id: str) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.get_one(DagModel, dag_id).is_paused = False


def partitions(dag_id: str) -> list[str]:
    """Partition keys of the runs of a DAG, in sorted order."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    with create_session() as session:
        return sorted(run.partition_key for run in session.query(DagRun).filter_by(dag_id=dag_id))


def test_the_asset_of_a_model() -> None:
    assert changed_days("a/b", environment="x y").uri == "aporia://x%20y/a%2Fb"
    assert changed_days("m").uri == "aporia://prod/m"
    dataset = convert_asset_to_openlineage(changed_days("a/b"), None)
    assert (dataset.namespace, dataset.name) == ("aporia://prod", "a/b")
    with pytest.raises(ValueError, match="is a template"):
        changed_days("{{ params.model }}")
