"""Syncs of several datasets in one task: failures, retries, engines, events and links."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import task

from aporia_provider.assets import data_changed
from aporia_provider.data_sources import S3DataSource
from aporia_provider.errors import TransientError
from aporia_provider.hooks.sync import SyncHook
from aporia_provider.operators.sync_datasets import SyncDatasetsOperator
from tests import servers
from tests.airflow.connected_lake import (
    BROKEN,
    SERVING,
    Lake,
    break_dataset,
    connected_lake,
    events,
    outcome,
    rows,
)
from tests.airflow.running import consume, consumed, execute, finish, look_for_dags_to_run, new_dag, runs
from tests.conftest import S3

TRAINING = {**SERVING, "role": "training"}

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")


@pytest.fixture
def lake(aws: S3, registry: Any, s3_engine: str, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Predictions and a training set, for an engine that is running already."""
    monkeypatch.setenv("AIRFLOW__APORIA__ENGINE", s3_engine)
    lake = connected_lake(aws, registry)
    lake.write("training", rows(range(5)))
    lake.connect("training", "training")
    return lake


class Instance:
    """A task instance that remembers what is pushed."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


def run(**arguments: Any) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
    """Sync datasets; what was synced, and what failed."""
    instance = Instance()
    failed = execute(SyncDatasetsOperator(task_id="t", **arguments), ti=instance)
    return synced(instance.pushed["synced"]), failed


def synced(pushed: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (done["model_id"], done["role"], done["changed"], done["table_version"], done["rows"])
        for done in pushed
    ]


def engine_starts(log: pytest.LogCaptureFixture) -> int:
    return sum(message.startswith("An embedded engine was started") for message in log.messages)


def test_all_that_is_due_is_synced_in_one_task(lake: Lake) -> None:
    consume("consumer", data_changed("m"))
    with new_dag("one_task") as dag:

        @task
        def list_due_datasets() -> list[dict[str, str]]:
            return SyncHook().get_due_datasets()

        SyncDatasetsOperator(task_id="sync", datasets=list_due_datasets())  # type: ignore[arg-type]
    finished = finish(dag)
    assert outcome(finished) == [("success", [])]
    pushed = finished.get_task_instances()[0].xcom_pull(task_ids="sync", key="synced")
    # The training set comes first, since the bins are made from it.
    assert synced(pushed) == [("m", "training", True, 0, 5), ("m", "serving", True, 0, 3)]
    aliases = [data_changed().name, data_changed("m").name]
    assert [(uri, told) for uri, _, told in events("one_task")] == [
        (f"aporia://prod/m/v1/{role}", aliases) for role in ("training", "serving")
    ]
    (_, extra, _) = events("one_task")[-1]
    assert (extra["dataset"], extra["previous_table_version"], extra["table_version"]) == ("serving", None, 0)
    # Nothing is due.
    assert outcome(finish(dag)) == [("skipped", None)]
    # Airflow starts one run for the events of the task.
    look_for_dags_to_run()
    look_for_dags_to_run()
    assert runs(["consumer"]) == {"consumer": 1}
    # The next event starts the next run, which has the events that the first one does not have.
    lake.write("serving", rows([9]))
    assert outcome(finish(dag))[0][0] == "success"
    look_for_dags_to_run()
    assert runs(["consumer"]) == {"consumer": 2}
    assert sorted(consumed("consumer")) == [
        f"aporia://prod/m/v1/{role}" for role in ("serving", "serving", "training")
    ]


@pytest.mark.very_slow
def test_one_that_fails_stops_no_other_and_is_named_at_the_end(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    break_dataset(lake)
    sync = SyncDatasetsOperator(
        task_id="t", datasets=[BROKEN, TRAINING, {**SERVING, "model_id": "n"}, SERVING]
    )
    with pytest.raises(AirflowFailException) as caught:
        execute(sync)
    heading, broken, missing = str(caught.value).split("\n- ")
    assert heading == "2 of 4 datasets could not be synced"
    assert "serving dataset of version 'v1' of model 'broken': " in broken
    assert "'amount'" in broken
    assert "model 'n'" in missing
    said = capsys.readouterr().out
    for part in (
        "Dataset 1 of 4, serving dataset of version 'v1' of model 'broken': failed: ",
        "Dataset 2 of 4, training dataset of version 'v1' of model 'm':",
        "Table version none -> 0, lag 0: 5 rows in 1 buckets",
        "data_changed of the training dataset of version 'v1' of model 'm', the serving dataset",
    ):
        assert part in said
    # A retry finds nothing to do in the datasets that were synced.
    again, failed = run(datasets=sync.datasets, failures="return")
    assert again == [("m", "training", False, 0, 5), ("m", "serving", False, 0, 3)]
    assert failed == [BROKEN, {**SERVING, "model_id": "n"}]


@pytest.mark.very_slow
def test_a_failure_that_may_pass_is_retried(lake: Lake, set_connection: Callable[..., None]) -> None:
    break_dataset(lake)
    extra = {"endpoint_url": f"http://127.0.0.1:{servers.free_port()}", "region_name": "eu-west-1"}
    set_connection("away", conn_type="aws", login="key", password="secret", extra=extra)
    with new_dag("retried") as dag:
        SyncDatasetsOperator(
            task_id="sync",
            retries=1,
            retry_delay=timedelta(0),
            datasets=[BROKEN, {**SERVING, "aws_conn_id": "away"}],
        )
    with pytest.raises(TransientError, match=r"2 of 2 datasets(?s:.)*model 'broken'(?s:.)*model 'm'"):
        execute(dag.get_task("sync"))
    (instance,) = finish(dag).get_task_instances()
    assert (instance.state, instance.try_number) == ("failed", 2)


@pytest.mark.very_slow
def test_one_engine_serves_all_datasets_with_the_same_credentials(
    lake: Lake,
    set_connection: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("AIRFLOW__APORIA__ENGINE", "embedded")
    extra = {"endpoint_url": lake.s3.endpoint, "region_name": servers.S3_REGION}
    set_connection("other", conn_type="aws", login="other-key", password="other-secret", extra=extra)
    lake.register("n")
    lake.connect("serving", "serving", model="n")
    with_other = {**SERVING, "model_id": "n", "aws_conn_id": "other"}
    with caplog.at_level("INFO"):
        result, _ = run(datasets=[TRAINING, with_other, SERVING])
    assert [done[2:] for done in result] == [(True, 0, 5), (True, 0, 3), (True, 0, 3)]
    assert engine_starts(caplog) == 2
    # Where nothing has changed, no engine is started.
    caplog.clear()
    with caplog.at_level("INFO"):
        result, _ = run(datasets=[TRAINING, with_other, SERVING])
    assert [done[2] for done in result] == [False] * 3
    assert engine_starts(caplog) == 0


@pytest.mark.very_slow
def test_an_engine_that_dies_of_one_dataset_is_replaced_for_the_next(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW__APORIA__ENGINE", "embedded")
    monkeypatch.setenv("AIRFLOW__APORIA__ENGINE_MEMORY_LIMIT", "700")
    lake.register("large")
    large = "cast(length(repeat('x', 1000000000 + cast(amount AS int))) AS double)"
    lake.connect(
        "serving",
        "",
        "large",
        source=S3DataSource(
            object_path=lake.s3.uri("serving"),
            object_format="delta",
            select_expr=["id", "at", "proba", f"{large} AS amount"],
        ),
    )
    datasets = [{**SERVING, "model_id": "large"}, SERVING]
    with caplog.at_level("INFO"):
        result, failed = run(datasets=datasets, failures="return")
    assert failed == [datasets[0]]
    assert [done[0] for done in result] == ["m"]
    # The first dataset was tried again with smaller batches.
    assert engine_starts(caplog) == 3


def test_datasets_whose_syncs_are_disabled_are_left_alone(lake: Lake) -> None:
    lake.register("n")
    lake.connect("serving", "serving", model="n")
    lake.registry.set_sync_enabled("m", "v1", False)
    result, _ = run(datasets=[SERVING, {**SERVING, "model_id": "n"}])
    assert [done[0] for done in result] == ["n"]
    with pytest.raises(AirflowSkipException):
        execute(SyncDatasetsOperator(task_id="t", datasets=[SERVING]))


@pytest.mark.very_slow
def test_links_and_lineage_have_all_tables_and_versions(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = SyncDatasetsOperator(task_id="t", datasets=[TRAINING, SERVING])
    execute(sync)
    table, page = sync.operator_extra_links
    assert table.get_link(sync, ti_key=None).endswith(f"/buckets/{lake.s3.bucket}")  # type: ignore[arg-type]
    monkeypatch.setenv("AIRFLOW__APORIA__PAGE_URL", "https://example.com/page")
    assert page.get_link(sync, ti_key=None) == "https://example.com/page/"  # type: ignore[arg-type]
    lineage = sync.get_openlineage_facets_on_complete(None)
    assert [data.name for data in lineage.inputs] == ["training", "serving"]
    assert [data.name for data in lineage.outputs] == ["m/v1"]


@pytest.mark.parametrize(
    ("datasets", "faults"),
    [
        ("m", ["datasets is a str; write a list of dicts with model_id, model_version and role"]),
        (
            [{"model_id": "m", "role": "servng", "engine": "embedded"}, "m"],
            [
                "datasets[0]: it has no model_version",
                "datasets[0]: it has unknown keys: engine",
                "datasets[0]: role: 'servng' is not",
                "datasets[1]: it is a str",
            ],
        ),
    ],
)
def test_faults_of_the_list_are_all_named(datasets: Any, faults: list[str]) -> None:
    with pytest.raises(AirflowFailException) as caught:
        SyncDatasetsOperator(task_id="t", datasets=datasets)
    assert all(fault in str(caught.value) for fault in faults), str(caught.value)
