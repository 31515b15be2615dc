"""The fixtures, used as in a test of a user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, BaseHook, configuration, task
from airflow.secrets import BaseSecretsBackend
from deltalake import DeltaTable, write_deltalake

from aporia_provider.backend.registry import Registry
from aporia_provider.data_sources import S3DataSource
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.hooks.aporia import AporiaHook
from aporia_provider.hooks.delta_lake import DeltaLakeHook
from aporia_provider.models import Model
from aporia_provider.operators.dataset import ConnectServingOperator
from aporia_provider.operators.model import CreateModelOperator, DeleteModelOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema
from aporia_provider.testing.s3 import LocalS3, s3_server
from aporia_provider.testing.tables import TableWriter
from aporia_provider.testing.tasks import TaskRunner
from tests.airflow.test_provider import heavy_among, modules_added_by

AT = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = {"id": ["a", "b"], "at": [AT, AT], "amount": [1.0, 2.0], "proba": [0.1, 0.9]}
SCHEMA = VersionSchema(model_type="binary", features={"amount": "numeric"}, predictions={"proba": "numeric"})
VERSION = {"model_id": "m", "model_version": "{{ run_id }}"}
COLUMNS = {"id_column": "id", "timestamp_column": "at"}


def test_loading_the_plugin_brings_in_nothing_heavy() -> None:
    added = modules_added_by(
        "import json, pytest, sys; before = set(sys.modules)\n"
        "import aporia_provider.testing; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert heavy_among(added) == []
    assert added == ["aporia_provider", "aporia_provider.testing", "aporia_provider.testing.fixtures"]


class TestRunning:
    def test_a_task_is_rendered_executed_and_its_events_are_shown(
        self, aporia_run: TaskRunner, aporia_registry: Registry
    ) -> None:
        aporia_registry.create_model(Model(id="m", name="m"))
        operator = CreateModelVersionOperator(task_id="version", schema=SCHEMA, **VERSION)
        done = aporia_run(operator, run_id="2026-01-01")
        assert (done.state, done.result["status"]) == ("success", "created")
        assert done.task.model_version == "2026-01-01"
        (event,) = done.asset_events
        assert event.uri == "aporia://default/m/2026-01-01"
        assert (event.extra["model_version"], event.extra["status"]) == ("2026-01-01", "created")
        assert [found["name"] for found in aporia_registry.get_model_versions("m")] == ["2026-01-01"]

    def test_a_run_has_the_date_and_the_configuration_it_is_given(self, aporia_run: TaskRunner) -> None:
        with DAG("d", params={"name": "a"}):
            operator = CreateModelOperator(task_id="t", model_id="{{ ds }}", name="{{ params.name }}")
        assert aporia_run(operator, logical_date=AT, conf={"name": "b"}).task.name == "b"
        assert aporia_run(operator, logical_date=AT).task.model_id == "2026-01-01"
        with pytest.raises(Exception, match="'ds' is undefined"):
            aporia_run(operator)

    def test_what_a_task_raises_is_raised(self, aporia_run: TaskRunner) -> None:
        with pytest.raises(AirflowFailException, match="'m'"):
            aporia_run(DeleteModelOperator(task_id="t", model_id="m", ignore_if_missing=False))

    def test_a_task_that_skips_itself_is_skipped(self, aporia_run: TaskRunner) -> None:
        @task
        def skip() -> None:
            from airflow.sdk.exceptions import AirflowSkipException

            raise AirflowSkipException("not today")

        assert (aporia_run(skip()).state, aporia_run(skip()).result) == ("skipped", None)

    def test_a_mapped_task_is_refused(self, aporia_run: TaskRunner) -> None:
        with DAG("d"):
            mapped: Any = CreateModelOperator.partial(task_id="t").expand(model_id=["a", "b"])
        with pytest.raises(ValidationError, match="not mapped"):
            aporia_run(mapped)

    def test_what_is_no_task_is_refused_with_what_to_give(self, aporia_run: TaskRunner) -> None:
        @task
        def retrain() -> None:
            pass

        def plain() -> None:
            pass

        given: list[tuple[Any, str]] = [
            (retrain, r"Call it: retrain\(\)"),
            (plain, r"Decorate it with @task.*: plain\(\)"),
            (DAG("d", schedule=None), r"dag\.test\(\)"),
            ("retrain", "give an operator"),
        ]
        for wrong, said in given:
            with pytest.raises(ValidationError, match=said):
                aporia_run(wrong)

    def test_a_logical_date_is_a_datetime_with_a_time_zone(self, aporia_run: TaskRunner) -> None:
        operator = CreateModelOperator(task_id="t", model_id="m")
        for date, said in {
            "2026-01-01": r"is of type str instead of datetime; give one such as datetime\(2026",
            datetime(2026, 1, 1): "has no time zone",  # noqa: DTZ001
        }.items():
            with pytest.raises(ValidationError, match=said):
                aporia_run(operator, logical_date=date)  # type: ignore[arg-type]

    def test_nothing_is_left_behind_in_the_process(self, aporia_run: TaskRunner) -> None:
        before, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
        aporia_run(CreateModelOperator(task_id="t", model_id="m"))
        assert (dict(os.environ), signal.getsignal(signal.SIGTERM)) == (before, handler)

    def test_connections_that_a_test_has_not_set_are_not_there(self, aporia_run: TaskRunner) -> None:
        @task
        def look() -> str:
            return BaseHook.get_connection("warehouse").host

        with pytest.raises(Exception, match="`warehouse` isn't defined"):
            aporia_run(look())


def test_a_task_writes_a_table_and_hands_its_data_source_on(
    aporia_run: TaskRunner, aporia_s3: LocalS3, aporia_registry: Registry
) -> None:
    """The code of README."""

    @task
    def retrain() -> dict[str, Any]:
        table = S3DataSource(object_path=aporia_s3.uri("serving"), object_format="delta")
        write_deltalake(table.uri, pa.table(ROWS), storage_options=DeltaLakeHook().delta_options())
        return table.serialize()

    with DAG("d"):
        table = retrain()
        connect = ConnectServingOperator(task_id="connect", data_source=table, **COLUMNS, **VERSION)
    aporia_registry.create_model(Model(id="m", name="m"))
    aporia_registry.create_model_version("m", "test", SCHEMA)
    aporia_run(table)
    assert aporia_run(connect).result["rows"] == 2
    assert aporia_registry.get_datasets("m", "test")[0].data_source.uri == aporia_s3.uri("serving")


class TestTables:
    @pytest.mark.parametrize(
        "rows",
        [ROWS, pd.DataFrame(ROWS), pa.table(ROWS), pa.table(ROWS).to_pylist()],
        ids=["columns", "pandas", "arrow", "rows"],
    )
    def test_rows_in_every_form(self, aporia_write_delta: TableWriter, aporia_s3: LocalS3, rows: Any) -> None:
        source = aporia_write_delta(rows, "lake/serving")
        assert source == S3DataSource(object_path=aporia_s3.uri("lake/serving"), object_format="delta")
        options = aporia_s3.credentials.delta_options()
        assert DeltaTable(source.uri, storage_options=options).to_pyarrow_table().to_pylist() == [
            {"id": "a", "at": AT, "amount": 1.0, "proba": 0.1},
            {"id": "b", "at": AT, "amount": 2.0, "proba": 0.9},
        ]

    def test_rows_are_appended_or_replaced(self, aporia_write_delta: TableWriter) -> None:
        hook = DeltaLakeHook()
        for mode, version, count in (("append", 0, 2), ("append", 1, 4), ("overwrite", 2, 2)):
            source = aporia_write_delta(ROWS, "t", mode)  # type: ignore[arg-type]
            log = hook.open(source.uri)
            assert (log.version, log.files().row_count) == (version, count)

    def test_a_key_that_some_rows_lack_is_null_there(
        self, aporia_write_delta: TableWriter, aporia_s3: LocalS3
    ) -> None:
        source = aporia_write_delta([{"id": "1"}, {"id": "2", "x": 1.0}], "a")
        options = aporia_s3.credentials.delta_options()
        assert DeltaTable(source.uri, storage_options=options).to_pyarrow_table().to_pylist() == [
            {"id": "1", "x": None},
            {"id": "2", "x": 1.0},
        ]

    @pytest.mark.parametrize(
        ("rows", "said"),
        [
            (None, "rows is of type NoneType; give a list of dicts"),
            ("id", "rows is of type str; give a list of dicts"),
            ([], "rows is empty.*give at least one row"),
            ({}, "there are no columns"),
            (["id"], r"rows\[0\] is of type str instead of dict"),
            ([{"id": 1, "n": 1}, {"id": "a", "n": 2}], "column 'id': its values are of the types int, str"),
            ({"id": ["a", 1]}, "column 'id': its values are of the types int, str"),
            ({"id": ["a"], "n": [1, 2]}, "'id' has 1, 'n' has 2"),
            (pd.DataFrame({"id": ["a", 1]}, dtype=object), "column id"),
        ],
    )
    def test_rows_that_are_none_say_what_to_give(
        self, aporia_write_delta: TableWriter, rows: Any, said: str
    ) -> None:
        with pytest.raises(ValidationError, match=f"(?s){said}"):
            aporia_write_delta(rows, "t")

    @pytest.mark.parametrize("rows", [{"other": [1.0]}, {"amount": ["much"]}], ids=["name", "type"])
    def test_other_columns_name_the_table_that_is_there(
        self, aporia_write_delta: TableWriter, aporia_s3: LocalS3, rows: Any
    ) -> None:
        aporia_write_delta({"amount": [1.0]}, "t")
        with pytest.raises(ValidationError, match=f"{aporia_s3.uri('t')} already exists.*overwrite"):
            aporia_write_delta(rows, "t")

    def test_a_bucket_that_a_dag_names_is_made(
        self, aporia_write_delta: TableWriter, aporia_s3: LocalS3
    ) -> None:
        source = aporia_write_delta(ROWS, "s3://my-bucket/predictions")
        assert source.uri == "s3://my-bucket/predictions"
        names = {bucket["Name"] for bucket in aporia_s3.client().list_buckets()["Buckets"]}
        assert names == {"my-bucket", aporia_s3.bucket}


class TestIsolation:
    """Each of these leaves something behind that the next must not find."""

    @pytest.mark.parametrize("turn", [1, 2])
    def test_s3_and_registry_are_empty(
        self, aporia_s3: LocalS3, aporia_registry: Registry, aporia_run: TaskRunner, turn: int
    ) -> None:
        assert [bucket["Name"] for bucket in aporia_s3.client().list_buckets()["Buckets"]] == [
            aporia_s3.bucket
        ]
        assert aporia_s3.client("iam").list_roles()["Roles"] == []
        aporia_s3.create_bucket("left-behind")
        aporia_s3.client("iam").create_role(RoleName="left-behind", AssumeRolePolicyDocument="{}")
        assert aporia_run(CreateModelOperator(task_id="t", model_id="m")).result["status"] == "created"

    def test_neither_real_credentials_nor_real_servers_are_found(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "real")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
        monkeypatch.setenv("AWS_PROFILE", "real")
        monkeypatch.setenv("AIRFLOW_CONN_APORIA_DEFAULT", "aporia://:token@aporia.example.com")
        monkeypatch.setenv("AIRFLOW__APORIA__DATABASE_URL", "postgresql://db.example.com/aporia")
        s3 = request.getfixturevalue("aporia_s3")
        registry = request.getfixturevalue("aporia_registry")
        assert DeltaLakeHook().get_credentials() == s3.credentials
        with pytest.raises(Exception, match="no AWS credentials"):
            DeltaLakeHook(None).get_credentials()
        with pytest.raises(NotFoundError, match="no Airflow connection 'other'"):
            DeltaLakeHook("other").get_credentials()
        assert AporiaHook().server_url() is None
        with AporiaHook().get_conn() as api:
            api.create_model(Model(id="m", name="m"))
        assert registry.get_model_tags("m") == {}

    def test_the_secrets_backend_of_the_deployment_is_not_asked(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backend = f"{RealSecrets.__module__}.{RealSecrets.__qualname__}"
        monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", backend)
        # Other tests do not see the backend that Airflow caches here.
        monkeypatch.setattr(configuration, "_secrets_backend_cache", {}, raising=False)
        # A DAG file may have looked something up when it was imported.
        assert DeltaLakeHook().get_credentials().access_key_id == "real"
        s3 = request.getfixturevalue("aporia_s3")
        assert DeltaLakeHook().get_credentials() == s3.credentials


class RealSecrets(BaseSecretsBackend):
    """A secrets backend with a connection that tests must not use."""

    def get_conn_value(self, conn_id: str) -> str | None:
        return "aws://real:real@" if conn_id == "aws_default" else None


def test_the_server_ends_with_the_session() -> None:
    with s3_server() as endpoint:
        s3 = LocalS3(endpoint)
        s3.create_bucket(s3.bucket)
    with pytest.raises(OSError, match="refused"):
        s3.reset()


def test_the_server_ends_with_a_process_that_is_killed() -> None:
    code = (
        "import os, signal, sys; from aporia_provider.testing.s3 import s3_server\n"
        "with s3_server() as endpoint: print(endpoint, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    # Its output ends once the server has, which holds the other end of it.
    assert killed.returncode == -signal.SIGKILL
    with pytest.raises(OSError, match="refused"):
        LocalS3(killed.stdout.strip()).reset()


@pytest.mark.parametrize("missing", ["moto", "flask"])
def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with (
        pytest.raises(ValidationError, match=rf"requires {missing}: .*airflow-provider-aporia\[testing\]"),
        s3_server(),
    ):
        pass
