"""Syncs as tasks: in DAGs that Airflow runs, against the embedded backend and a real S3."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import task
from deltalake import write_deltalake

from aporia_provider.assets import data_changed
from aporia_provider.data_sources import JDBCDataSource, S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import TransientError
from aporia_provider.hooks.sync import SyncHook
from aporia_provider.operators.model import CreateModelOperator
from aporia_provider.operators.retirement import RetireModelVersionsOperator
from aporia_provider.operators.sync import MAP_INDEX_TEMPLATE, SyncDatasetOperator
from tests import servers
from tests.airflow.connected_lake import (
    BROKEN,
    SCHEMA,
    SERVING,
    Lake,
    break_dataset,
    connected_lake,
    events,
    outcome,
    rows,
)
from tests.airflow.running import execute, finish, new_dag
from tests.conftest import S3

DAG_FILE = Path(__file__).parents[2] / "dags" / "monitor_models.py"

pytestmark = pytest.mark.usefixtures("airflow_database", "registry")


@pytest.fixture(autouse=True)
def running_engine(s3_engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use an engine that is running already, unless a test names another one."""
    monkeypatch.setenv("AIRFLOW__APORIA__ENGINE", s3_engine)


@pytest.fixture
def lake(aws: S3, registry: Any) -> Lake:
    return connected_lake(aws, registry)


def test_a_sync_follows_the_table_and_tells_when_something_changed(lake: Lake) -> None:
    with new_dag("follows") as dag:
        SyncDatasetOperator(
            task_id="sync", model_id="m", model_version="{{ params.version }}", role="{{ params.role }}"
        )
    dag.params["role"] = "serving"
    ((state, first),) = outcome(finish(dag))
    assert state == "success"
    assert json.loads(json.dumps(first)) == first
    uri = lake.s3.uri("serving")
    expected = {
        "model_id": "m",
        "model_version": "v1",
        "dataset": "serving",
        "enabled": True,
        "status": "synced",
        "changed": True,
        "table_uri": uri,
        "previous_table_version": None,
        "table_version": 0,
        "lag": 0,
        "rows": 3,
        "buckets": 1,
        "buckets_recomputed": 1,
        "last_error": None,
    }
    assert {name: first[name] for name in expected} == expected

    ((_, second),) = outcome(finish(dag))
    assert (second["changed"], second["previous_table_version"], second["table_version"]) == (False, 0, 0)

    lake.write("serving", rows(range(24, 26)))
    ((_, third),) = outcome(finish(dag))
    assert (third["changed"], third["previous_table_version"], third["table_version"]) == (True, 0, 1)
    assert (third["rows"], third["buckets"], third["buckets_recomputed"]) == (5, 2, 1)

    # The second one found nothing new, so nobody has to hear of it.
    extra = {
        "event": "data_changed",
        "environment": "prod",
        "model_id": "m",
        "model_version": "v1",
        "dataset": "serving",
        "status": "synced",
        "table_uri": uri,
        "changed_parts": ["fields"],
    }
    aliases = [data_changed().name, data_changed("m").name]
    assert events("follows") == [
        (
            "aporia://prod/m/v1/serving",
            {**extra, "previous_table_version": before, "table_version": after},
            aliases,
        )
        for before, after in ((None, 0), (0, 1))
    ]


@pytest.mark.very_slow
def test_all_that_is_due_is_mapped_and_one_that_is_broken_stops_no_other(lake: Lake) -> None:
    lake.write("training", rows(range(5)))
    lake.connect("training", "training")
    break_dataset(lake)
    with new_dag("mapped_over_what_is_due") as dag:

        @task
        def list_due_datasets() -> list[dict[str, str]]:
            return SyncHook().get_due_datasets()

        SyncDatasetOperator.partial(
            task_id="sync", aws_conn_id="aws_default", map_index_template=MAP_INDEX_TEMPLATE, retries=3
        ).expand_kwargs(list_due_datasets())
    finished = finish(dag)
    states = {ti.rendered_map_index: ti.state for ti in finished.get_task_instances() if ti.task_id == "sync"}
    assert states == {"m v1 training": "success", "m v1 serving": "success", "broken v1 serving": "failed"}
    training, serving, (_, broken) = outcome(finished)
    assert (training[1]["rows"], serving[1]["rows"], broken) == (5, 3, None)
    status = lake.registry.get_dataset_sync_status("broken", "v1", "serving")
    assert (status["status"], "'amount'" in status["last_error"]) == ("failed", True)
    # The alias of a model that is known only when the task runs reaches who is scheduled on it.
    told = [(uri, aliases) for uri, _, aliases in events("mapped_over_what_is_due")]
    aliases = [data_changed().name, data_changed("m").name]
    # Mapped tasks run in any order.
    assert sorted(told) == [(f"aporia://prod/m/v1/{role}", aliases) for role in ("serving", "training")]


@pytest.mark.very_slow
def test_the_dag_that_users_copy(lake: Lake) -> None:
    names: dict[str, Any] = {"__name__": "monitor_models_dag"}
    exec(compile(DAG_FILE.read_text(), DAG_FILE, "exec"), names)
    from airflow.sdk import DAG

    dag = names["monitor_models"]()
    assert isinstance(dag, DAG)
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    assert dag.get_task("sync_failed").max_active_tis_per_dagrun == 2

    lake.registry.connect_dataset(
        "m",
        "v1",
        DatasetConnection(
            role="actuals",
            data_source=S3DataSource(object_path=lake.s3.uri("serving"), object_format="delta"),
            id_column="id",
            timestamp_column="at",
            labels={"proba": "proba"},
            schedule="0 0 29 2 *",
        ),
    )
    finished = finish(dag)
    ((state, synced),) = outcome(finished)
    assert (state, roles(finished), synced) == ("success", ["serving", "actuals"], [])
    assert [state for state, _ in outcome(finished, "sync_failed")] == ["skipped"]
    # Nothing is new.
    assert outcome(finish(dag)) == [("skipped", None)]
    # The serving dataset has no schedule; the other one is now synced until a 29 February.
    lake.write("serving", rows(range(24, 26)))
    assert roles(finish(dag)) == ["serving"]

    lake.registry.set_sync_enabled("m", "v1", False)
    assert outcome(finish(dag)) == [("skipped", None)]


def roles(finished: Any) -> list[str]:
    """Roles of the datasets that the task has synced."""
    pushed = finished.get_task_instances()[0].xcom_pull(task_ids="sync", key="synced")
    return [dataset["role"] for dataset in pushed]


@pytest.mark.very_slow
def test_in_the_dag_that_users_copy_a_broken_dataset_has_a_task_of_its_own(lake: Lake) -> None:
    """And the events of the others are not lost."""
    break_dataset(lake)
    names: dict[str, Any] = {"__name__": "monitor_models_dag"}
    exec(compile(DAG_FILE.read_text(), DAG_FILE, "exec"), names)
    finished = finish(names["monitor_models"]())
    ((state, synced),) = outcome(finished)
    assert (state, roles(finished), synced) == ("success", ["serving"], [BROKEN])
    retried = [ti for ti in finished.get_task_instances() if ti.task_id == "sync_failed"]
    assert [(ti.rendered_map_index, ti.state) for ti in retried] == [("broken v1 serving", "failed")]
    assert [uri for uri, *_ in events("monitor_models")][-1:] == ["aporia://prod/m/v1/serving"]


def test_a_dataset_that_is_turned_off_is_skipped_and_left_alone(lake: Lake) -> None:
    lake.registry.set_sync_enabled("m", "v1", False)
    with new_dag("disabled") as dag:
        SyncDatasetOperator(task_id="sync", full=True, **SERVING)
    assert outcome(finish(dag)) == [("skipped", None)]
    assert lake.registry.get_dataset_sync_status("m", "v1", "serving")["status"] == "never_synced"
    with pytest.raises(
        AirflowSkipException, match="serving dataset of version 'v1' of model 'm' are disabled"
    ):
        execute(SyncDatasetOperator(task_id="sync", **SERVING))


def test_full_reads_everything_again(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        execute(SyncDatasetOperator(task_id="t", **SERVING))
        again = execute(SyncDatasetOperator(task_id="t", full=True, **SERVING))
    assert caplog.messages.count("serving dataset: first sync; reading all rows") == 2
    assert (again["changed"], again["rows_read"]) == (False, 3)


@pytest.mark.very_slow
def test_what_a_sync_did_can_be_read_in_its_log(
    lake: Lake, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    lake.write("actuals", rows(range(2), proba=[1.0, 0.0]))
    lake.connect("actuals", "actuals", labels={"proba": "proba"})
    capsys.readouterr()
    with caplog.at_level("INFO"):
        execute(SyncDatasetOperator(task_id="t", **SERVING))
    said = capsys.readouterr().out
    for part in (
        "Syncing the serving dataset of version 'v1' of model 'm'",
        "Table version none -> 0, lag 0: 3 rows in 1 buckets, ",
        "Provisional bins, from fewer than 1,000 values: features.amount, predictions.proba",
        "Last recomputed: 1 buckets from 3 rows in 1 files of 1.",
        "kB; first sync",
        "Performance last recomputed: 1 buckets from ",
    ):
        assert part in said, (part, said)
    assert "serving dataset: first sync; reading all rows" in caplog.messages
    execute(SyncDatasetOperator(task_id="t", **SERVING))
    said = capsys.readouterr().out
    assert "Table version 0 -> 0" in said
    assert "Nothing has changed" in said
    assert "Last recomputed" not in said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"role": "training"}, "no training dataset"),
        ({"model_version": "v2"}, "'v2'"),
        ({"model_id": "n"}, "'n'"),
        ({"aws_conn_id": "elsewhere"}, "no Airflow connection 'elsewhere'"),
        ({"aporia_conn_id": "elsewhere"}, "no Airflow connection 'elsewhere'"),
        ({"engine": "spark://host"}, "is not an engine"),
    ],
)
def test_what_cannot_be_fixed_by_waiting_fails_at_once(
    lake: Lake, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(AirflowFailException, match=message):
        execute(SyncDatasetOperator(task_id="t", **{**SERVING, **changes}))


@pytest.mark.parametrize("configured", [True, False])
def test_an_engine_that_is_down_is_worth_a_retry(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, configured: bool
) -> None:
    engine = f"sc://127.0.0.1:{servers.free_port()}/;token=planted-token"
    monkeypatch.setenv("AIRFLOW__APORIA__ENGINE", engine if configured else "embedded")
    sync = SyncDatasetOperator(task_id="t", engine=None if configured else engine, **SERVING)
    with pytest.raises(TransientError, match="does not respond") as failure:
        execute(sync)
    assert "planted-token" not in str(failure.value)
    link, _ = sync.operator_extra_links
    assert link.get_link(sync, ti_key=None).endswith(f"/{lake.s3.bucket}?prefix=serving/")


@pytest.mark.parametrize(
    ("option", "value", "error", "message"),
    [
        ("ENGINE_MEMORY_LIMIT", "1", AirflowFailException, "and may use 1 MiB"),
        ("ENGINE_DEADLINE", "0.1", TransientError, "because it ran longer than 0.1 seconds"),
        ("ENGINE_DEADLINE", "soon", AirflowFailException, "engine_deadline is 'soon', which is not a number"),
    ],
)
def test_limits_of_the_engine(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, option: str, value: str, error: type[Exception], message: str
) -> None:
    """More time may help, and is tried; more memory is not there the next time either."""
    monkeypatch.setenv(f"AIRFLOW__APORIA__{option}", value)
    with pytest.raises(error, match=message):
        execute(SyncDatasetOperator(task_id="t", engine="embedded", **SERVING))


def test_a_server_is_told_apart_from_the_embedded_backend(
    lake: Lake, set_connection: Callable[..., None]
) -> None:
    set_connection("a_server", conn_type="aporia", host="https://aporia.example.com", password="some-token")
    with pytest.raises(AirflowFailException, match=r"'a_server' refers to a server.*database_url"):
        execute(SyncDatasetOperator(task_id="t", aporia_conn_id="a_server", **SERVING))
    set_connection("other", conn_type="aporia", extra={"environment": "staging"})
    with pytest.raises(AirflowFailException, match="'m'"):
        execute(SyncDatasetOperator(task_id="t", aporia_conn_id="other", **SERVING))
    assert SyncHook("other").get_due_datasets() == []
    assert SyncHook().get_due_datasets() == [SERVING]


def test_the_hook_looks_at_the_tables_through_the_connection(
    lake: Lake, set_connection: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    execute(SyncDatasetOperator(task_id="t", **SERVING))
    assert SyncHook().get_due_datasets() == []
    (turn,) = SyncHook().explain_due_datasets()
    assert turn == {**SERVING, "due": False, "reason": "its table has no new commit", "detail": None}
    # Where it cannot look, it leaves nothing out.
    assert SyncHook(aws_conn_id="elsewhere").get_due_datasets() == [SERVING]
    assert "There is no Airflow connection 'elsewhere'" in caplog.text
    extra = {"endpoint_url": f"http://127.0.0.1:{servers.free_port()}", "region_name": "eu-west-1"}
    set_connection("nowhere", conn_type="aws", login="key", password="secret", extra=extra)
    assert SyncHook(aws_conn_id="nowhere").get_due_datasets() == [SERVING]


@pytest.mark.very_slow
def test_versions_retire_in_a_dag(lake: Lake) -> None:
    execute(SyncDatasetOperator(task_id="t", **SERVING))
    lake.registry.create_model_version("m", "v2", SCHEMA)
    source = S3DataSource(object_path=lake.s3.uri("later"), object_format="delta")
    lake.registry.connect_dataset(
        "m",
        "v2",
        DatasetConnection(role="serving", data_source=source, id_column="id", timestamp_column="at"),
    )
    lake.write("later", rows(range(48, 50)))
    execute(SyncDatasetOperator(task_id="t", **{**SERVING, "model_version": "v2"}))
    with new_dag("retires") as dag:
        RetireModelVersionsOperator(task_id="would", model_id="{{ params.model }}", keep=1, dry_run=True)
        RetireModelVersionsOperator(task_id="retire", model_id="{{ params.model }}", keep=1)
    dag.params["model"] = "m"
    dag.get_task("would") >> dag.get_task("retire")
    finished = finish(dag)
    ((state, result),) = outcome(finished, "retire")
    assert (state, outcome(finished, "would")) == ("success", [("success", result)])
    assert ([one["model_version"] for one in result["retired"]], result["kept"]) == (["v1"], ["v2"])
    ((_, again),) = outcome(finish(dag), "retire")
    assert (again["retired"], again["already_disabled"]) == ([], ["v1"])
    with pytest.raises(AirflowFailException, match="Give keep, ended_for or both"):
        execute(RetireModelVersionsOperator(task_id="t", model_id="m"))
    with pytest.raises(AirflowFailException, match="'n'"):
        execute(RetireModelVersionsOperator(task_id="t", model_id="n", ended_for=timedelta(days=30)))


def test_aws_is_asked_for_credentials_only_if_something_lies_on_s3(lake: Lake, tmp_path: Path) -> None:
    lake.register("local")
    write_deltalake(tmp_path / "table", rows(range(2)))
    local = S3DataSource(object_path=str(tmp_path / "table"), object_format="delta")
    lake.connect("serving", "", model="local", source=local)
    sync = SyncDatasetOperator(task_id="t", aws_conn_id="elsewhere", **{**SERVING, "model_id": "local"})
    assert execute(sync)["rows"] == 2

    # The bins come from the training set, which lies on S3.
    lake.write("training", rows(range(5)))
    lake.connect("training", "training", model="local")
    with pytest.raises(AirflowFailException, match="no Airflow connection 'elsewhere'"):
        execute(sync)


def test_a_source_that_cannot_be_read_says_so(lake: Lake) -> None:
    lake.connect("training", "", source=JDBCDataSource(url="jdbc:postgresql://db/shop", query="select 1"))
    with pytest.raises(AirflowFailException, match="jdbc"):
        execute(SyncDatasetOperator(task_id="t", **{**SERVING, "role": "training"}))


def test_no_secret_is_in_what_airflow_or_the_registry_keeps(lake: Lake, database_url: str) -> None:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.utils.session import create_session

    with new_dag("secrets") as dag:
        SyncDatasetOperator(task_id="sync", engine="embedded", **SERVING)
    (result,) = outcome(finish(dag))
    with create_session() as session:
        rendered = session.query(RenderedTaskInstanceFields).filter_by(dag_id="secrets").one().rendered_fields
        serialized = session.query(SerializedDagModel).filter_by(dag_id="secrets").one().data
    connections = {"aporia_conn_id": "aporia_default", "aws_conn_id": "aws_default", "spark_conn_id": None}
    assert rendered == {**SERVING, **connections, "full": False}
    kept = json.dumps([result, events("secrets"), rendered, serialized], default=str)
    assert "aws_default" in kept
    assert servers.S3_SECRET not in kept
    folder = Path(database_url.removeprefix("sqlite:///")).parent
    assert all(servers.S3_SECRET.encode() not in file.read_bytes() for file in folder.glob("aporia.db*"))


@pytest.mark.parametrize(("period", "buckets"), [(None, 1), ("hourly", 3)])
def test_buckets_are_as_long_as_the_model_says(aws: S3, registry: Any, period: Any, buckets: int) -> None:
    create = CreateModelOperator(task_id="t", model_id="m", aggregation_period=period)
    assert [execute(create)["status"] for _ in range(2)] == ["created", "unchanged"]
    lake = Lake(aws, registry)
    registry.create_model_version("m", "v1", SCHEMA)
    lake.write("serving", rows(range(3)))
    lake.connect("serving", "serving")
    assert execute(SyncDatasetOperator(task_id="t", **SERVING))["buckets"] == buckets
