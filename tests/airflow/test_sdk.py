"""The drop-in for the platform's SDK: whom it reaches, what it says, and what it refuses."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

import aporia_provider.sdk as aporia
from aporia_provider.data_sources import GlueDataSource, SnowflakeDataSource
from aporia_provider.errors import (
    AporiaError,
    AuthenticationError,
    ConflictError,
    NotFoundError,
    ValidationError,
)
from aporia_provider.sdk import session
from aporia_provider.sdk.core.types.field import FieldType
from tests.airflow.test_provider import HEAVY, modules_added_by
from tests.recording import Answer, RecordingServer, recording

SMALL: dict[str, Any] = {
    "model_type": "binary",
    "features": {"amount": "numeric"},
    "predictions": {"proba": "numeric"},
}


@pytest.fixture(autouse=True)
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what another one told ``init``."""
    monkeypatch.setattr(session, "_current", None)


@pytest.fixture
def version(registry: Any) -> aporia.Model:
    """Version ``v1`` of model ``m``, in the embedded backend."""
    aporia.create_model("m", "M")
    return aporia.create_model_version("m", "v1", **SMALL)


@pytest.fixture
def table(tmp_path: Path) -> str:
    """A Delta table on the disk that fits the version."""
    at = pa.array([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))
    write_deltalake(tmp_path / "t", pa.table({"id": ["a"], "at": at, "amount": [1.0], "proba": [0.5]}))
    return str(tmp_path / "t")


def asked(server: RecordingServer, path: str) -> Any:
    (request,) = [request for request in server.recorded if request.path == path]
    return request


def test_importing_it_brings_in_nothing_heavy() -> None:
    code = "import json, sys, aporia_provider.sdk; print(json.dumps(sorted(sys.modules)))"
    names = {name.split(".")[0] for name in modules_added_by(code)}
    assert "aporia_provider" in names
    assert names & {*HEAVY, "airflow"} == set()


def test_settings_come_from_arguments_then_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with recording() as server:
        server.otherwise = Answer(200, {"id": "m"})
        host, _, port = server.url.rpartition(":")
        variables = {"HOST": host, "PORT": port, "TOKEN": "of-the-variable", "ENVIRONMENT": "prod"}
        for name, value in variables.items():
            monkeypatch.setenv(f"APORIA_{name}", value)
        aporia.create_model("m", "M")
        assert server.recorded[-1].headers["Authorization"] == "Bearer of-the-variable"
        aporia.init(token="of-the-argument", environment="staging")
        version = aporia.create_model_version("m", "v1", **SMALL)
        assert server.recorded[-1].headers["Authorization"] == "Bearer of-the-argument"
        source = aporia.S3DataSource("bucket/key", "delta")
        version.connect_serving(source, "id", "at", preflight=False, schedule="0 * * * *")
    body = asked(server, "/v1beta/models/m/versions/v1/datasets").body
    assert body["sync"] == {"enabled": True, "environment": "staging", "schedule": "0 * * * *"}


def test_init_names_every_fault() -> None:
    with pytest.raises(ValidationError) as error:
        aporia.init(host="http://h:8765", port=1_000_000, http_timeout_seconds=0, throw_errors=False)
    places = [problem.partition(":")[0] for problem in error.value.problems]
    assert sorted(places) == ["environment", "host", "http_timeout_seconds", "port", "token"]
    for arguments, fault in {
        ("aporia_conn_id", "token"): "token: cannot be combined with aporia_conn_id",
        ("port",): "port: requires host",
        ("host", "token", "environment"): "host: is neither the name of a host nor a URL",
    }.items():
        values = {"port": 1, "host": "http://user:secret-word"}
        with pytest.raises(ValidationError, match=fault) as error:
            aporia.init(**{name: values.get(name, "t") for name in arguments})
        assert "secret-word" not in str(error.value)


def test_a_token_alone_is_for_the_platform() -> None:
    aporia.init(token="secret-token", environment="prod")
    with session.current_session().open() as api:
        assert api.base_url == "https://app.aporia.com"
    assert "secret-token" not in repr(session.current_session())


def test_the_environment_of_init_replaces_that_of_the_embedded_backend(registry: Any) -> None:
    aporia.init(environment="staging")
    aporia.create_model("m", "M")
    aporia.init()
    with pytest.raises(NotFoundError):
        aporia.get_model_tags("m")
    assert registry.environment == "prod"


def test_the_environment_of_init_is_that_of_the_connection(set_connection: Callable[..., None]) -> None:
    with recording() as server:
        server.otherwise = Answer(200, {"id": "m"})
        set_connection(
            "staging", conn_type="aporia", host=server.url, password="t", extra={"environment": "staging"}
        )
        aporia.init(environment="prod", aporia_conn_id="staging")
        with pytest.raises(ValidationError, match="is for 'staging'"):
            aporia.create_model("m", "M")
        assert server.recorded == []
        aporia.init(environment="staging", aporia_conn_id="staging")
        assert aporia.create_model("m", "M") == "m"


def answering(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """What was logged of who answers, with its level."""
    return [
        (record.levelno, record.getMessage())
        for record in caplog.records
        if record.name == "aporia_provider.sdk.connection_log"
    ]


def test_a_session_logs_once_what_answers(
    set_connection: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    database = tmp_path / "aporia.db"
    monkeypatch.setenv("AIRFLOW__APORIA__DATABASE_URL", f"sqlite:///{database}")
    aporia.create_model("m", "M")
    aporia.create_model("n", "N")
    ((level, message),) = answering(caplog)
    assert level == logging.INFO
    assert message.startswith("Calls use the embedded backend, database sqlite")
    assert str(database) in message
    caplog.clear()
    with recording() as server:
        server.otherwise = Answer(200, {"id": "m"})
        aporia.init(token="secret-token", host=server.url, environment="prod")
        aporia.create_model("m", "M")
        aporia.create_model("m", "M")
        assert answering(caplog) == [(logging.INFO, f"Calls use the server {server.url}")]
        caplog.clear()
        set_connection("aporia_default", conn_type="aporia", host=server.url, password="t")
        aporia.init()
        aporia.create_model("m", "M")
        said = f"Calls use the server {server.url}, as set in connection 'aporia_default'"
        assert answering(caplog) == [(logging.INFO, said)]


def test_a_script_without_a_connection_is_told_which_connections_it_sees(
    monkeypatch: pytest.MonkeyPatch,
    set_connection: Callable[..., None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__APORIA__DATABASE_URL", "")
    aporia.create_model("m", "M")
    aporia.create_model("m", "M")
    ((_, message),) = [said for said in answering(caplog) if said[0] == logging.WARNING]
    assert str(tmp_path / "aporia.db") in message
    assert "only in environment variables (AIRFLOW_CONN_APORIA_DEFAULT) and secrets back" in message
    caplog.clear()
    set_connection("aporia_default", conn_type="aporia")
    aporia.init()
    aporia.create_model("m", "M")
    assert [level for level, _ in answering(caplog)] == [logging.INFO]
    aporia.init(aporia_conn_id="other")
    with pytest.raises(NotFoundError, match=r"'other' for this process: .*AIRFLOW_CONN_OTHER"):
        aporia.create_model("m", "M")


def test_errors_are_raised_whatever_init_was_told(registry: Any) -> None:
    aporia.init(throw_errors=False, verbose=False)
    with pytest.raises(NotFoundError):
        aporia.create_model_version("nobody", "v1", **SMALL)
    with pytest.raises(NotFoundError):
        aporia.delete_model("nobody")
    with pytest.raises(NotFoundError):
        aporia.Model("nobody", "v1").set_feature_importance({"amount": 1.0})


def test_a_version_names_every_fault(registry: Any) -> None:
    with pytest.raises(ValidationError) as error:
        aporia.create_model_version(
            "", " ", "binry", {"a": "numerc"}, {"p": "boolean"}, labels=["a"], multiclass_labels=["b"]
        )
    places = [problem.partition(":")[0] for problem in error.value.problems]
    assert places == ["multiclass_labels", "model_id", "model_version", "model_type", "features.a.type"]


def test_fields_are_written_as_the_sdk_takes_them(registry: Any) -> None:
    import numpy

    tensor = {"type": FieldType.TENSOR, "dimensions": [numpy.int64(3), 2]}
    importance = {"amount": numpy.float32(0.5)}
    aporia.create_model("m", "M")
    aporia.create_model_version(
        "m",
        "v1",
        "multiclass",
        {"amount": FieldType.NUMERIC, "e": tensor},
        {"kind": "string"},
        multiclass_labels=["a", "b"],
        feature_importance=importance,
    )
    (version,) = registry.get_model_versions("m")
    schema = version["registration"]["version_schema"]
    assert schema["features"] == {"amount": "numeric", "e": {"type": "tensor", "dimensions": [3, 2]}}
    assert version["registration"]["labels"] == ["a", "b"]
    assert version["registration"]["feature_importance"] == {"amount": 0.5}


def test_a_model_that_is_there_is_a_success_that_says_what_differs(
    registry: Any, caplog: pytest.LogCaptureFixture
) -> None:
    blue = aporia.ModelColor.BLUE
    assert aporia.create_model("m", "M", color=blue, icon="anomaly", tags={"team": "risk"}) == "m"
    assert aporia.create_model("m", "M", color="blue", icon="anomaly", tags={"team": "risk"}) == "m"
    assert caplog.messages[-1] == "Model 'm': unchanged"
    assert aporia.create_model("m", "Other") == "m"
    assert caplog.records[-1].levelno == logging.WARNING
    assert "name: 'M' is registered, 'Other' was given" in caplog.messages[-1]
    with pytest.raises(ConflictError, match="'Other' was given"):
        aporia.create_model("m", "Other", if_exists="match")


def test_a_version_again_is_a_success_and_another_one_a_conflict(version: aporia.Model) -> None:
    assert repr(aporia.create_model_version("m", "v1", **SMALL)) == repr(version)
    with pytest.raises(ConflictError, match="model_type"):
        aporia.create_model_version("m", "v1", **{**SMALL, "model_type": "regression"})
    assert [found.name for found in aporia.experimental.get_model_versions("m")] == ["v1"]


def test_data_is_checked_before_it_is_connected(version: aporia.Model, registry: Any, table: str) -> None:
    source = aporia.S3DataSource(table, aporia.S3FileFormat.DELTA)
    with pytest.raises(ValidationError) as error:
        version.connect_training(source, "identifier", "at", features={"amonut": "amount"})
    assert len(error.value.problems) == 2
    with pytest.raises(ValidationError) as error:
        version.connect_actuals(source, "", "at", schedule="hourly", http_timeout_seconds=-1)
    assert [problem.partition(":")[0] for problem in error.value.problems] == [
        "id_column",
        "schedule",
        "http_timeout_seconds",
    ]
    assert registry.get_datasets("m", "v1") == []
    assert version.connect_serving(source, "id", "at") == {
        "dataset": "serving",
        "status": "created",
        "table_uri": f"file://{table}",
        "preflight": "passed",
        "table_version": 0,
        "rows": 1,
    }
    assert version.connect_serving(source, "id", "at", check_rows=True)["status"] == "unchanged"
    unchecked = version.connect_testing(aporia.S3DataSource("b/k", "delta"), "id", "at", preflight=False)
    assert (unchecked["status"], unchecked["preflight"]) == ("created", "skipped")


def test_data_without_credentials_is_not_connected_in_silence(
    version: aporia.Model, registry: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    with pytest.raises(AuthenticationError, match="preflight=False connects it unchecked"):
        version.connect_serving(aporia.S3DataSource("bucket/key", "delta"), "id", "at")
    assert registry.get_datasets("m", "v1") == []


def test_what_cannot_be_read_is_connected_with_a_warning(
    version: aporia.Model, caplog: pytest.LogCaptureFixture
) -> None:
    source = aporia.PostgresJDBCDataSource("jdbc:postgresql://h/d", "SELECT 1", "u", "secret-word")
    assert version.connect_serving(source, "id", "at")["preflight"] == "skipped"
    assert any("will not monitor it" in message for message in caplog.messages)
    assert "secret-word" not in caplog.text + repr(source)


def test_syncs_keep_to_the_allowed_folders(
    version: aporia.Model, table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version.connect_serving(aporia.S3DataSource(table, "delta"), "id", "at")
    monkeypatch.setenv("AIRFLOW__APORIA__ALLOWED_LOCAL_FOLDERS", str(tmp_path / "elsewhere"))
    with pytest.raises(ValidationError, match="outside the allowed folders"):
        version.sync()


def test_the_state_of_a_version(version: aporia.Model, registry: Any, table: str) -> None:
    with pytest.raises(NotFoundError, match="No dataset is connected"):
        version.sync()
    version.connect_serving(aporia.S3DataSource(table, "delta"), "id", "at")
    version.set_sync_enabled(False)
    assert version.get_dataset_sync_status("serving")["enabled"] is False
    version.set_feature_importance({"amount": 0.5})
    version.upload_model_artifact(b"model", "onnx")
    version.log_index_to_word_mapping({"one": 1})
    kinds = ("feature_importance", "model_artifact", "index_to_word_mapping")
    assert [registry.get_attachment("m", "v1", kind) for kind in kinds] == [
        {"amount": 0.5},
        {"artifact_base64": "bW9kZWw=", "artifact_type": "onnx"},
        {"1": "one"},
    ]
    assert version.flush() == 0
    aporia.shutdown()
    aporia.add_model_tags("m", {"team": "risk", "cost": "1"})
    aporia.delete_model_tag("m", "cost")
    assert aporia.get_model_tags("m") == {"team": "risk"}
    aporia.delete_model("m")
    assert aporia.create_model("m", "M") == "m"


def test_a_server_is_told_what_only_the_embedded_backend_keeps() -> None:
    aporia.init(token="t", host="http://127.0.0.1:9", environment="prod")
    with pytest.raises(AporiaError, match="requires the embedded backend"):
        aporia.Model("m", "v1").upload_model_artifact(b"model", "onnx")


def test_a_version_keeps_whom_it_reaches_and_takes_no_token_along(version: aporia.Model) -> None:
    aporia.init(token="secret-token", host="http://127.0.0.1:9", environment="prod")
    assert version.set_sync_enabled(True) is None
    elsewhere = aporia.Model("m", "v1")
    pickled = pickle.dumps(elsewhere)
    assert b"secret-token" not in pickled
    assert repr(pickle.loads(pickled)) == "Model(model_id='m', model_version='v1')"


def test_data_sources_go_where_those_of_the_vocabulary_go() -> None:
    snowflake = aporia.SnowflakeDataSource("u", "SELECT 1", "me", "secret-word", "d", "s").checked()
    assert (type(snowflake), snowflake.sfschema) == (SnowflakeDataSource, "s")
    assert type(aporia.GlueDataSource("SELECT 1").checked()) is GlueDataSource
    assert pickle.loads(pickle.dumps(aporia.S3DataSource("b/k", "delta"))).uri == "s3://b/k"


def test_columns_of_a_data_frame_without_a_field_type_are_all_named() -> None:
    import pandas

    frame = pandas.DataFrame({"nothing": [None], "long": pandas.to_timedelta([1], unit="s"), "good": [1]})
    with pytest.raises(ValidationError) as error:
        aporia.pandas.infer_schema_from_dataframe(frame)
    assert [problem.partition(":")[0] for problem in error.value.problems] == ["nothing", "long"]


def test_features_of_an_array_have_numbers_for_names() -> None:
    assert list(aporia.generate_features_schema_from_shape((2, 2)).items()) == [
        ("X0", "numeric"),
        ("X1", "numeric"),
        ("X2", "numeric"),
        ("X3", "numeric"),
    ]
