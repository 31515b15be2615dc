"""Clusters that are Airflow connections."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from deltalake import write_deltalake

import aporia_provider.sdk as aporia
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import AuthenticationError, NotFoundError, ValidationError
from aporia_provider.hooks.spark_connect import engine_for
from aporia_provider.hooks.sync import SyncHook
from aporia_provider.models import Model
from aporia_provider.operators.dataset import (
    ConnectActualsOperator,
    ConnectServingOperator,
    ConnectTestingOperator,
    ConnectTrainingOperator,
)
from aporia_provider.operators.sync import SyncDatasetOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema
from aporia_provider.sdk import session
from tests.airflow.running import execute
from tests.channels import read_by_pyspark
from tests.conftest import S3
from tests.refusing import Refusing, refusing

Connect = Callable[..., None]

TOKEN = "planted;to=ken/+ %"
HEADER = "planted-header"
SCHEMA = VersionSchema(model_type="binary", features={"amount": "numeric"}, predictions={"proba": "numeric"})
COLUMNS = {"id_column": "id", "timestamp_column": "at"}


@pytest.fixture
def cluster(set_connection: Connect) -> Iterator[Refusing]:
    """The connection ``cluster`` to a server that refuses its token."""
    with refusing() as running:
        set_connection(
            "cluster",
            conn_type="spark_connect",
            host="localhost",
            port=running.port,
            login="Jörg",
            password=TOKEN,
            extra={"use_ssl": False, "parameters": {"X-Databricks-Cluster-Id": HEADER}},
        )
        yield running


@pytest.fixture
def source(aws: S3, registry: Any) -> S3DataSource:
    """Predictions in a table whose columns only an engine can tell, and a version to connect them to."""
    rows = {"id": ["a"], "at": pa.array([0], pa.timestamp("us", "UTC")), "amount": [1.0], "proba": [0.5]}
    write_deltalake(aws.uri("t"), pa.table(rows), storage_options=aws.delta_options)
    registry.create_model(Model(id="m", name="m"))
    registry.create_model_version("m", "v1", SCHEMA)
    return S3DataSource(
        object_path=aws.uri("t"), object_format="delta", select_expr=["*", "amount + 1 AS more"]
    )


@pytest.mark.parametrize(
    ("fields", "endpoint", "secure", "user", "token", "headers"),
    [
        ({"host": "spark"}, "spark:15002", False, None, None, {}),
        ({"host": "sc://spark/", "port": 15003}, "spark:15003", False, None, None, {}),
        ({"host": "::1", "port": 15003}, "[::1]:15003", False, None, None, {}),
        ({"host": "spark", "login": "me", "password": TOKEN}, "spark:15002", True, "me", TOKEN, {}),
        # What the form of the Spark provider fills in, whatever there is to send.
        ({"host": "spark", "extra": {"use_ssl": False}}, "spark:15002", False, None, None, {}),
        ({"host": "spark", "extra": {"use_ssl": True}}, "spark:15002", True, None, None, {}),
        ({"host": "https://dbc-1.example.com/"}, "dbc-1.example.com:443", True, None, None, {}),
        (
            {
                "host": "dbc",
                "port": 443,
                "password": "t",
                "extra": {"parameters": {"X-Cluster": 7, "x-b": "c;d=e"}},
            },
            "dbc:443",
            True,
            None,
            "t",
            {"x-cluster": "7", "x-b": "c;d=e"},
        ),
    ],
)
def test_what_a_connection_says(
    set_connection: Connect,
    fields: dict[str, Any],
    endpoint: str,
    secure: bool,
    user: str | None,
    token: str | None,
    headers: dict[str, str],
) -> None:
    set_connection("cluster", conn_type="spark_connect", **fields)
    read = read_by_pyspark(engine_for("cluster"))
    assert (read.endpoint, read.secure, read.userId, read.token) == (endpoint, secure, user, token)
    assert dict(read.metadata()) == headers


def test_a_connection_that_is_a_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", "spark-connect://me:to%3Bk%2Fen@spark:443/?use_ssl=true")
    read = read_by_pyspark(engine_for("cluster"))
    assert (read.endpoint, read.use_ssl, read.userId, read.token) == ("spark:443", True, "me", "to;k/en")


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        (
            {
                "conn_type": "databricks",
                "host": "https://me:planted@dbc/planted;planted=1",
                "port": 70000,
                "schema": "planted",
                "password": "planted\n",
                "extra": {
                    "use_ssl": "planted",
                    "x-databricks-cluster-id": "planted",
                    "parameters": {"token": "planted", "Use_SSL": "planted", "x y": "planted", "x-z": True},
                },
            },
            [
                "the host has a user or a password before an '@'",
                "the host is followed by a path or by parameters: the token must be set in the password, "
                "other parameters in the object 'parameters' of the extra",
                "it has a schema, which is not used: leave it empty",
                "the port 70000 is not from 1 to 65535",
                "its type is 'databricks' instead of 'spark_connect'",
                "the extra has unknown key 'x-databricks-cluster-id'; supported are use_ssl and an object "
                "'parameters', whose entries are sent as headers",
                "use_ssl is neither true nor false",
                "parameters in the extra has 'token', which must be set in the password",
                "parameters in the extra has 'Use_SSL', which must be set in the field use_ssl of the extra",
                "the parameter 'x-z' is neither text nor a number",
                "the parameter 'x y' cannot be set as a header by a client",
                "the parameter 'token' has a space or a line break at its start or end, or a character other "
                "than printable ASCII, which a header cannot have",
            ],
        ),
        (
            {"conn_type": "spark_connect", "extra": {"parameters": ["planted"]}},
            ["the host is missing", "parameters in the extra is not a JSON object"],
        ),
        (
            {"conn_type": "spark_connect", "host": "spark:1", "port": 2, "extra": '["planted"]'},
            [
                "the host contains port 1, but the port field is 2",
                "the extra is not a JSON object",
            ],
        ),
        (
            {"conn_type": "spark_connect", "host": "spark://spark"},
            ["the host begins with spark://: write only the name of the host"],
        ),
    ],
)
def test_every_fault_of_a_connection_is_named(
    set_connection: Connect, fields: dict[str, Any], faults: list[str]
) -> None:
    set_connection("cluster", **fields)
    with pytest.raises(ValidationError, match="connection 'cluster' does not describe") as caught:
        engine_for("cluster")
    assert caught.value.problems == faults
    assert "planted" not in caught.value.message


def test_no_connection() -> None:
    with pytest.raises(NotFoundError, match=r"no Airflow connection 'nowhere'.*'spark_connect'"):
        engine_for("nowhere")


def test_without_a_connection_the_configuration_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__APORIA__ENGINE", "sc://configured")
    # A template may come to nothing.
    assert [engine_for(None), engine_for(""), engine_for(None, "embedded")] == [
        "sc://configured",
        "sc://configured",
        "embedded",
    ]


def test_an_engine_and_a_connection(registry: Any, source: S3DataSource) -> None:
    registry.connect_dataset("m", "v1", DatasetConnection(role="serving", data_source=source, **COLUMNS))
    hook = SyncHook(spark_conn_id="cluster")
    with pytest.raises(ValidationError, match="either engine or spark_conn_id"):
        hook.sync_dataset("m", "v1", "serving", engine="embedded")


@pytest.mark.parametrize(
    "operator",
    [
        ConnectTrainingOperator,
        ConnectTestingOperator,
        ConnectServingOperator,
        ConnectActualsOperator,
        CreateModelVersionOperator,
        SyncDatasetOperator,
    ],
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_every_operator_reads_with_the_cluster_and_tells_nothing_secret(
    operator: Any, cluster: Refusing, source: S3DataSource, registry: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    given: dict[str, Any] = {"data_source": source, **COLUMNS}
    if operator is CreateModelVersionOperator:
        given = {"infer_from": source, "model_type": "binary", "predictions": ["proba"]}
    elif operator is SyncDatasetOperator:
        registry.connect_dataset("m", "v1", DatasetConnection(role="serving", data_source=source, **COLUMNS))
        given = {"role": "serving"}
    task = operator(task_id="t", model_id="m", model_version="v1", spark_conn_id="cluster", **given)
    assert "spark_conn_id" in task.template_fields
    with pytest.raises(AirflowFailException) as caught:
        execute(task)
    address = f"sc://localhost:{cluster.port}"
    assert f"{address} denies access: Invalid authentication token" in str(caught.value)
    sent = cluster.headers[0]
    assert (sent["authorization"], sent["x-databricks-cluster-id"]) == (f"Bearer {TOKEN}", HEADER)
    shown = [
        str(caught.value),
        repr(task),
        repr(vars(task)),
        *(record.getMessage() for record in caplog.records),
    ]
    assert "planted" not in "\n".join(shown)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_drop_in_reads_with_the_cluster(
    cluster: Refusing, source: S3DataSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_current", None)
    aporia.init(spark_conn_id="cluster")
    version = aporia.Model("m", "v1")
    refused = f"sc://localhost:{cluster.port} denies access"
    with pytest.raises(ValidationError, match=refused):
        version.connect_serving(source, "id", "at")
    version.connect_serving(source, "id", "at", preflight=False)
    with pytest.raises(AuthenticationError, match=refused):
        version.sync()
    with pytest.raises(ValidationError, match="either engine or spark_conn_id"):
        version.sync(engine="embedded")


def test_airflow_masks_the_token_of_the_url(set_connection: Connect) -> None:
    from airflow.sdk.log import redact

    # Not a text that begins as the secrets of other tests do, which Airflow has masked in this process.
    set_connection("masked", conn_type="spark_connect", host="localhost", password="kept;to=oneself/+ %")
    url = engine_for("masked")
    assert ";token=kept%3Bto" in url
    assert redact(url).endswith(";token=***")
