"""The hooks, through Airflow connections, against a real server, a real S3 and a real STS."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from airflow.sdk import task
from deltalake import write_deltalake

from aporia_provider import __version__
from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import (
    AporiaError,
    AuthenticationError,
    NotFoundError,
    TransientError,
    ValidationError,
)
from aporia_provider.hooks.aporia import AporiaHook
from aporia_provider.hooks.delta_lake import DeltaLakeHook
from aporia_provider.hooks.metrics import MetricsHook
from aporia_provider.metrics import MetricsQuery
from aporia_provider.models import Model
from aporia_provider.operators.model import CreateModelOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema
from tests import servers
from tests.airflow.running import new_dag, run
from tests.backend import running
from tests.backend.running import token_for
from tests.conftest import S3
from tests.recording import Answer, recording

SCHEMA = VersionSchema(model_type="binary", features={"a": "numeric"}, predictions={"p": "boolean"})


@contextmanager
def serving(url: str) -> Iterator[tuple[str, str]]:
    """URL of a server of ours on a database, and a token for environment ``prod``."""
    token = token_for(url, "prod")
    with running.serving(url) as served:
        yield served.url, token


def test_without_a_connection_the_embedded_backend_answers(registry: Any) -> None:
    with AporiaHook().get_conn() as api:
        assert api.environment == "prod"
        assert api.create_model(Model(id="m", name="Model"))["status"] == "created"
    assert registry.get_model_tags("m") == {}
    assert AporiaHook().server_url() is None
    assert AporiaHook().test_connection() == (True, "Reached the embedded backend, environment 'prod'")


def test_a_connection_that_is_missing_by_name_is_an_error_not_the_embedded_backend() -> None:
    with pytest.raises(NotFoundError, match="no Airflow connection 'aporia_typo'"):
        AporiaHook("aporia_typo").get_conn()
    with pytest.raises(NotFoundError, match="no Airflow connection 'aws_typo'"):
        DeltaLakeHook("aws_typo").get_credentials()


def test_a_connection_with_a_host_reaches_that_server(
    shared_server: tuple[str, str], set_connection: Callable[..., None], registry: Any
) -> None:
    url, token = shared_server
    host, port = url.removeprefix("http://").split(":")
    extra = {"environment": "prod", "timeout": 60}
    set_connection(
        "aporia_default",
        conn_type="aporia",
        schema="http",
        host=host,
        port=int(port),
        password=token,
        extra=extra,
    )
    hook = AporiaHook()
    message_shown = (
        f"Reached {url}: airflow-provider-aporia {__version__}, environment 'prod', which the token is for"
    )
    assert hook.test_connection() == (True, message_shown)
    with hook.get_conn() as api:
        api.create_model(Model(id="reached", name="Model"))
        assert api.create_model_version("reached", "v1", SCHEMA)["status"] == "created"
    with pytest.raises(NotFoundError):
        registry.get_model_versions("reached")


def test_a_wrong_token_is_told_without_showing_it(
    shared_server: tuple[str, str], set_connection: Callable[..., None]
) -> None:
    url, _ = shared_server
    set_connection("aporia_default", conn_type="aporia", host=url, password="planted-wrong-token")
    reached, message = AporiaHook().test_connection()
    assert not reached
    assert "The token is not accepted" in message
    assert "planted-wrong-token" not in message


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server that several tests use, and a token."""
    with serving(f"sqlite:///{tmp_path_factory.mktemp('shared') / 'server.db'}") as served:
        yield served


@pytest.fixture
def connect(shared_server: tuple[str, str], set_connection: Callable[..., None]) -> Callable[..., str]:
    """Define the connection to the server, with fields of its extra; the URL of the server."""

    def connect(**extra: Any) -> str:
        url, token = shared_server
        set_connection("aporia_default", conn_type="aporia", host=url, password=token, extra=extra)
        return url

    return connect


@pytest.mark.parametrize("extra", [{}, {"environment": None}, {"environment": ""}, {"environment": "prod"}])
async def test_the_environment_is_that_of_the_token(
    connect: Callable[..., str], extra: dict[str, Any]
) -> None:
    connect(**extra)
    with AporiaHook().get_conn() as api:
        assert api.environment == "prod"
    async with await AporiaHook().get_async_conn() as other:
        await other.create_model(Model(id="m", name="M"))
        assert other.environment == "prod"


async def test_a_connection_of_another_environment_writes_nothing(connect: Callable[..., str]) -> None:
    url = connect(environment="default")
    says = f"Environment 'default' was given, but the token is for environment 'prod' of {re.escape(url)}"
    with AporiaHook().get_conn() as api, pytest.raises(AuthenticationError, match=says):
        api.create_model(Model(id="unwritten", name="M"))
    async with await AporiaHook().get_async_conn() as other:
        with pytest.raises(AuthenticationError, match=says):
            await other.create_model(Model(id="unwritten", name="M"))
    reached, message_shown = AporiaHook().test_connection()
    assert not reached
    assert re.match(says, message_shown)
    connect()
    with AporiaHook().get_conn() as api, pytest.raises(NotFoundError):
        api.get_model_versions("unwritten")


def test_what_names_the_environment_names_that_of_the_token(connect: Callable[..., str]) -> None:
    connect()
    emitted: list[str] = []

    class Events(dict[Any, Any]):
        def __missing__(self, key: Any) -> Any:
            return SimpleNamespace(add=lambda asset, extra: emitted.append(asset.uri))

    CreateModelOperator(task_id="t", model_id="named").execute({})
    version = CreateModelVersionOperator(task_id="t", model_id="named", model_version="v1", schema=SCHEMA)
    version.execute({"outlet_events": Events()})
    # One through the alias of all models, one through that of this model.
    assert emitted == ["aporia://prod/named/v1"] * 2
    lineage = version.get_openlineage_facets_on_complete(None)
    assert [data.namespace for data in lineage.outputs] == ["aporia://prod"]


@pytest.fixture(params=["files", "S3", "page"])
def stranger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """URL of a server of something else, and what it answers."""
    if request.param == "S3":
        yield str(request.getfixturevalue("s3_endpoint")), "with HTTP 404 and an XML document"
    elif request.param == "page":
        with recording() as pages:
            page = b"<html><title>Welcome</title></html>"
            pages.environment = pages.otherwise = Answer(200, page, content_type="text/html")
            yield pages.url, "with HTTP 200 and an HTML page titled 'Welcome'"
    else:
        port = str(servers.free_port())
        command = [sys.executable, "-m", "http.server", port, "--bind", "127.0.0.1", "-d", str(tmp_path)]
        url = f"http://127.0.0.1:{port}"
        with servers.process(command, ready=url):
            yield url, "with HTTP 404 and an HTML page titled 'Error response'"


def test_a_server_of_something_else_is_not_reached(
    stranger: tuple[str, str], set_connection: Callable[..., None]
) -> None:
    url, answer = stranger
    set_connection("aporia_default", conn_type="aporia", host=url, password="some-token")
    reached, message_shown = AporiaHook().test_connection()
    assert not reached
    assert message_shown == (
        f"{url} is not a protocol server: it responds to GET /v1beta/capabilities/ {answer}. "
        "Check host and port"
    )


def test_nobody_listening_is_told_once(set_connection: Callable[..., None]) -> None:
    url = f"http://127.0.0.1:{servers.free_port()}"
    set_connection("aporia_default", conn_type="aporia", host=url, password="some-token")
    reached, message_shown = AporiaHook().test_connection()
    assert not reached
    assert url in message_shown
    assert "Tried once" in message_shown


@pytest.mark.parametrize("with_port", [True, False])
def test_a_host_without_a_scheme_is_https_and_a_server_without_tls_is_told(
    shared_server: tuple[str, str], set_connection: Callable[..., None], with_port: bool
) -> None:
    url, token = shared_server
    host, port = url.removeprefix("http://").split(":")
    fields = {"host": f"{host}:{port}"} if with_port else {"host": host, "port": int(port)}
    set_connection("aporia_default", conn_type="aporia", password=token, **fields)
    with AporiaHook().get_conn() as api, pytest.raises(AporiaError) as failure:
        api.create_model(Model(id="m", name="M"))
    assert not isinstance(failure.value, TransientError)
    message_shown = (
        f"https://{host}:{port} does not respond with TLS. If the server uses plain HTTP, write {url}"
    )
    assert message_shown in failure.value.message


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"host": "https://aporia.example"}, "no token"),
        ({"host": "https://h", "password": "t", "extra": {"timeout": "soon"}}, "timeout"),
        ({"host": "https://h", "password": "t", "extra": {"timeout": -1}}, "timeout .* above 0"),
        ({"host": "https://h", "password": "t", "extra": {"timeout": "nan"}}, "timeout"),
        ({"host": "https://h:port", "password": "t"}, "check its port"),
        ({"host": "h:1", "port": 2, "password": "t"}, "contains port 1, but port is 2"),
        ({"host": "https://h", "password": "t", "extra": {"verify_ssl": "flase"}}, "did you mean 'false'"),
        (
            {"host": "https://h", "password": "t", "extra": {"enviroment": "prod"}},
            "'enviroment' is not one of environment, timeout, verify_ssl; did you mean 'environment'",
        ),
        ({"extra": {"enviroment": "prod"}}, "did you mean 'environment'"),
    ],
)
def test_a_connection_filled_in_badly_says_what_is_wrong(
    set_connection: Callable[..., None], fields: dict[str, Any], fault: str
) -> None:
    set_connection("aporia_default", conn_type="aporia", **fields)
    with pytest.raises(ValidationError, match=fault):
        AporiaHook().get_conn()


def test_the_path_of_a_host_stays_behind_its_port(set_connection: Callable[..., None]) -> None:
    fields = {"host": "http://gateway/aporia/", "port": 8443, "password": "t"}
    set_connection("aporia_default", conn_type="aporia", **fields)
    assert AporiaHook().server_url() == "http://gateway:8443/aporia"


async def test_the_async_twin_of_the_embedded_backend(registry: Any) -> None:
    async with await AporiaHook().get_async_conn() as api:
        await api.create_model(Model(id="m", name="Model"))
        both = await asyncio.gather(*(api.create_model_version("m", "v1", SCHEMA) for _ in range(2)))
    assert sorted(result["status"] for result in both) == ["created", "unchanged"]
    assert [version["name"] for version in registry.get_model_versions("m")] == ["v1"]


async def test_the_async_twin_of_the_client(
    shared_server: tuple[str, str], set_connection: Callable[..., None]
) -> None:
    url, token = shared_server
    set_connection(
        "aporia_default", conn_type="aporia", host=url, password=token, extra={"environment": "prod"}
    )
    async with await AporiaHook().get_async_conn() as api:
        await api.create_model(Model(id="twin", name="Model"))
        assert await api.get_model_tags("twin") == {}


@pytest.fixture
def table(s3: S3) -> str:
    rows = pa.table({"id": [1, 2, 3], "amount": pa.array([1.5, None, 2.5])})
    write_deltalake(s3.uri("lake/table"), rows, storage_options=s3.delta_options)
    write_deltalake(s3.uri("lake/table"), rows, mode="append", storage_options=s3.delta_options)
    return s3.uri("lake/table")


def assume(s3: S3, role: str) -> dict[str, str]:
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:*"}]}
    arn = s3.client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"][
        "Arn"
    ]
    credentials = s3.client("sts").assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    return {"arn": arn, **{key: str(value) for key, value in credentials.items()}}


@pytest.mark.parametrize("kind", ["static keys", "session token", "assumed role", "profile", "web identity"])
def test_every_kind_of_aws_connection_reads_the_table(
    kind: str,
    s3: S3,
    table: str,
    set_connection: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    role = assume(s3, f"reader-{abs(hash(request.node.name))}")
    sts = {"sts": {"endpoint_url": s3.endpoint}}
    extra: dict[str, Any] = {
        "endpoint_url": s3.endpoint,
        "region_name": servers.S3_REGION,
        "service_config": sts,
    }
    keys = {"login": servers.S3_KEY, "password": servers.S3_SECRET}
    if kind == "session token":
        keys = {"login": role["AccessKeyId"], "password": role["SecretAccessKey"]}
        extra["aws_session_token"] = role["SessionToken"]
    if kind == "assumed role":
        extra["role_arn"] = role["arn"]
    if kind == "profile":
        file = tmp_path / "credentials"
        file.write_text(f"[lake]\naws_access_key_id = {servers.S3_KEY}\naws_secret_access_key = x\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
        keys, extra["profile_name"] = {}, "lake"
    if kind == "web identity":
        token = tmp_path / "token"
        token.write_text("identity")
        keys = {}
        extra |= {
            "role_arn": role["arn"],
            "assume_role_method": "assume_role_with_web_identity",
            "assume_role_with_web_identity_token_file": str(token),
            "assume_role_with_web_identity_federation": "file",
        }
    set_connection("lake", conn_type="aws", **keys, extra=extra)

    hook = DeltaLakeHook("lake")
    assert hook.get_version(table) == 1
    temporary = kind in ("session token", "assumed role", "web identity")
    assert bool(hook.get_credentials().session_token) == temporary


def test_what_the_log_says(aws: S3, table: str) -> None:
    hook = DeltaLakeHook()
    for path in (table, table.replace("s3://", "s3a://"), table.removeprefix("s3://"), table + "/"):
        assert hook.get_schema(path) == {"id": "long", "amount": "double"}
    statistics = hook.get_file_statistics(table, ["amount"])
    assert (statistics.file_count, statistics.row_count, statistics.null_count("amount")) == (2, 6, 2)
    assert [commit.version for commit in hook.get_commits(table, since=0)] == [1]
    assert [entry["operation"] for entry in hook.get_history(table)] == ["WRITE", "WRITE"]


def test_a_local_table_needs_no_aws_connection(tmp_path: Path) -> None:
    write_deltalake(tmp_path / "table", pa.table({"id": [1]}))
    hook = DeltaLakeHook("no_such_connection")
    assert hook.get_schema(str(tmp_path / "table")) == {"id": "long"}
    assert hook.get_schema(f"file://{tmp_path}/table") == {"id": "long"}


async def test_credentials_for_asyncio_are_the_same(aws: S3) -> None:
    hook = DeltaLakeHook()
    assert await hook.get_credentials_async() == hook.get_credentials()
    assert servers.S3_SECRET not in repr(hook.get_credentials())


@pytest.mark.parametrize(
    ("conn_id", "said"),
    [
        ("empty", ["Connection 'empty' has no login, and boto3 found no credentials either"]),
        (
            "aws_default",
            [
                "There is no Airflow connection 'aws_default' for this process",
                "boto3 found no credentials either",
                "AIRFLOW_CONN_AWS_DEFAULT",
                "pass aws_conn_id=None",
            ],
        ),
        (None, ["There are no AWS credentials: boto3 found none", "name an aws_conn_id"]),
    ],
)
def test_missing_credentials_say_what_is_missing(
    set_connection: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    conn_id: str | None,
    said: list[str],
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    set_connection("empty", conn_type="aws")
    with pytest.raises(AuthenticationError) as error:
        DeltaLakeHook(conn_id).get_credentials()
    assert [part for part in said if part not in error.value.message] == []


@pytest.mark.very_slow
def test_a_task_is_told_how_to_store_a_connection(
    monkeypatch: pytest.MonkeyPatch, airflow_database: None
) -> None:
    with new_dag("credentials") as dag:

        @task
        def look() -> str:
            with pytest.raises(NotFoundError) as error:
                DeltaLakeHook("lake").get_credentials()
            return error.value.message

        look()
    assert run(dag)["look"].startswith(
        "There is no Airflow connection 'lake'. Create it (airflow connections add lake --conn-type aws …, or"
    )


MARCH = datetime(2024, 3, 1, tzinfo=UTC)
PER_DAY = 400


def predictions() -> pa.Table:
    """Three days of predictions, and what came true."""
    rng, count = np.random.default_rng(3), 3 * PER_DAY
    times = [MARCH + timedelta(days=(place + 0.5) / PER_DAY) for place in range(count)]
    return pa.table(
        {
            "id": [str(place) for place in range(count)],
            "at": pa.array(times, pa.timestamp("us", "UTC")),
            "age": rng.normal(40, 9, count),
            "city": rng.choice(["Rome", "Oslo", "Bern"], count),
            "score": rng.integers(0, 101, count) / 100,
            "churned": rng.random(count) < 0.3,
        }
    )


def with_bad_scores(*counts: int) -> pa.Table:
    """The same, with so many scores of each day just above 1."""
    rows = predictions()
    scores = rows["score"].to_pylist()
    for day, count in enumerate(counts):
        scores[day * PER_DAY : day * PER_DAY + count] = [1.0000001] * count
    return rows.set_column(rows.column_names.index("score"), "score", pa.array(scores))


def sync(folder: Path, engine: str, **tables: pa.Table) -> str:
    """A database that knows the metrics of model ``m``."""
    schema = VersionSchema(
        model_type="binary",
        features={"age": "numeric", "city": "categorical"},
        predictions={"score": "numeric"},
    )
    url = f"sqlite:///{folder}/aporia.db"
    columns = {"id_column": "id", "timestamp_column": "at", "labels": {"score": "churned"}}
    with EmbeddedRegistry(url, "prod") as registry:
        registry.create_model(Model(id="m", name="M"))
        registry.create_model_version("m", "v1", schema)
        for role, rows in tables.items():
            write_deltalake(folder / role, rows)
            source = S3DataSource(object_path=f"file://{folder}/{role}", object_format="delta")
            registry.connect_dataset("m", "v1", DatasetConnection(role=role, data_source=source, **columns))
            registry.sync_dataset("m", "v1", role, engine=engine)
    return url


@pytest.fixture(scope="module")
def synced_url(tmp_path_factory: pytest.TempPathFactory, engine: str) -> str:
    return sync(tmp_path_factory.mktemp("synced"), engine, serving=predictions())


@pytest.fixture
def synced(synced_url: str, monkeypatch: pytest.MonkeyPatch) -> pa.Table:
    """The predictions of model ``m``, which the embedded backend has synced."""
    monkeypatch.setenv("AIRFLOW__APORIA__DATABASE_URL", synced_url)
    monkeypatch.setenv("AIRFLOW__APORIA__ENVIRONMENT", "prod")
    return predictions()


def test_metrics_of_what_is_synced(synced: pa.Table) -> None:
    hook = MetricsHook()
    age, score, label = (synced[name].to_numpy() for name in ("age", "score", "churned"))

    (mean,) = hook.get_metric("m", "mean", column="age")
    assert (mean["start"], mean["end"], mean["status"]) == (None, None, "ok")
    assert mean["value"] == pytest.approx(age.mean(), rel=1e-12)
    (second,) = hook.get_metric("m", "std", column="age", start=MARCH + timedelta(days=1), end="2024-03-03")
    assert (second["start"], second["end"]) == ("2024-03-02T00:00:00+00:00", "2024-03-03T00:00:00+00:00")
    assert second["value"] == pytest.approx(age[PER_DAY : 2 * PER_DAY].std(), rel=1e-9)

    (at_half,), (higher,) = (
        hook.get_metric("m", "accuracy", model_version="v1", **more) for more in ({}, {"threshold": 0.8})
    )
    assert at_half["value"] == pytest.approx(((score >= 0.5) == label).mean(), rel=1e-12)
    assert higher["value"] == pytest.approx(((score >= 0.8) == label).mean(), rel=1e-12)
    assert mean["low"] < mean["value"] < mean["high"]


def test_a_version_is_compared_by_the_hook(synced: pa.Table) -> None:
    found = MetricsHook().compare_versions("m", "v1", "v1", "accuracy", 1.0, threshold=0.5)
    assert (found["outcome"], found["improvement"], found["dataset_type"]) == ("pass", 0.0, "serving")
    assert found["low"] == -found["high"]


def test_drift_from_a_moving_baseline(synced: pa.Table) -> None:
    baseline = {"dataset_type": "serving", "time_period": "1d"}
    first, *others = MetricsHook().get_metric(
        "m",
        "hellinger_distance",
        column="city",
        baseline=baseline,
        aggregation_period="daily",
        minimum_baseline=PER_DAY,
    )
    assert (first["value"], first["status"]) == (None, "insufficient_data")
    cities = synced["city"].to_pylist()
    days = [Counter(cities[start : start + PER_DAY]) for start in range(0, 3 * PER_DAY, PER_DAY)]
    for place, answer in enumerate(others):
        before, now = days[place], days[place + 1]
        overlap = sum(np.sqrt(before[city] * now[city]) / PER_DAY for city in before | now)
        assert answer["value"] == pytest.approx(np.sqrt(1 - overlap), abs=1e-9)
        assert (answer["samples"], answer["baseline_samples"]) == (PER_DAY, PER_DAY)
        assert answer["start"] == (MARCH + timedelta(days=place + 1)).isoformat()
    assert len(others) == 2


@pytest.fixture
def spoilt(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[pa.Table], MetricsHook]:
    """Sync predictions some of whose scores are above 1, so that accuracy needs a threshold there."""

    def synced(rows: pa.Table) -> MetricsHook:
        url = sync(tmp_path, engine, training=predictions(), serving=rows)
        monkeypatch.setenv("AIRFLOW__APORIA__DATABASE_URL", url)
        monkeypatch.setenv("AIRFLOW__APORIA__ENVIRONMENT", "prod")
        return MetricsHook()

    return synced


BY_DAY: dict[str, Any] = {"aggregation_period": "daily", "start": MARCH, "end": "2024-03-05"}


def test_an_error_on_one_day_is_none_on_the_others(spoilt: Callable[[pa.Table], MetricsHook]) -> None:
    rows = predictions()
    hit = (rows["score"].to_numpy() >= 0.5) == rows["churned"].to_numpy()
    first, bad, last, empty = spoilt(with_bad_scores(0, 1)).get_metric("m", "accuracy", **BY_DAY)
    for day, answer in ((0, first), (2, last)):
        expected = hit[day * PER_DAY : (day + 1) * PER_DAY].mean()
        assert (answer["value"], answer["error"]) == (pytest.approx(expected, rel=1e-12), None)
    assert bad["value"] is None
    assert "not from 0 to 1" in bad["error"]
    assert (empty["value"], empty["status"], empty["error"]) == (None, "insufficient_data", None)
    assert [answer["start"] for answer in (first, bad, last, empty)] == [
        (MARCH + timedelta(days=day)).isoformat() for day in range(4)
    ]


def test_errors_of_all_days_are_raised_together(spoilt: Callable[[pa.Table], MetricsHook]) -> None:
    hook = spoilt(with_bad_scores(0, 1, 2).slice(PER_DAY))
    with pytest.raises(ValidationError) as caught:
        hook.get_metric("m", "accuracy", **BY_DAY)
    assert [problem[-27:] for problem in caught.value.problems] == [
        "(2024-03-02T00:00:00+00:00)",
        "(2024-03-03T00:00:00+00:00)",
    ]
    assert all("not from 0 to 1" in problem for problem in caught.value.problems)
    found = hook.get_metric("m", "accuracy", threshold=0.5, **BY_DAY)
    assert [(answer["samples"], answer["error"]) for answer in found] == [
        (samples, None) for samples in (0, PER_DAY, PER_DAY, 0)
    ]


def test_several_questions_at_once(synced_url: str, set_connection: Callable[..., None]) -> None:
    data = {"data": {"dataset_type": "serving"}}
    asked = [
        {"id": "rows", "metric": "count", "datasets": data},
        {"id": "typo", "metric": "mean", "parameters": {"column": "agee"}, "datasets": data},
    ]
    query = MetricsQuery.from_wire({"model_id": "m", "metrics": asked})
    with serving(synced_url) as (url, token):
        set_connection(
            "aporia_default", conn_type="aporia", host=url, password=token, extra={"environment": "prod"}
        )
        (item,) = MetricsHook().query(query)
    found = {answer["id"]: (answer["value"], answer["error"]) for answer in item["metrics"]}
    assert found["rows"] == (3 * PER_DAY, None)
    assert found["typo"][0] is None
    assert "'age'" in found["typo"][1]


@pytest.mark.parametrize(
    ("metric", "more", "words"),
    [
        ("mean", {"column": "agee"}, "'age'"),
        ("mean", {"column": "age", "start": "2024-03-01"}, "end"),
        ("mean", {"colum": "age"}, "colum"),
        ("mean", {"column": "agee", **BY_DAY}, "'age'"),
        ("meen", {"column": "age", **BY_DAY}, "meen"),
        ("count", {"aggregation_period": "yearly"}, "'yearly' is not one of hourly, daily, weekly, monthly"),
        ("count", {"model_version": "v9"}, "v9"),
    ],
)
def test_a_question_that_has_no_answer_is_an_error(
    synced: pa.Table, metric: str, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        MetricsHook().get_metric("m", metric, **more)
    assert words in str(caught.value)


def test_tables_that_are_read_are_reported_to_airflows_lineage(
    aws: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk import lineage, plugins_manager

    # Without a reader, such as OpenLineage, Airflow collects nothing.
    monkeypatch.setattr(plugins_manager, "get_hook_lineage_readers_plugins", lambda: [object])
    lineage.get_hook_lineage_collector.cache_clear()
    rows = pa.table({"id": [1]})
    write_deltalake(aws.uri("a table"), rows, storage_options=aws.delta_options)
    write_deltalake(str(tmp_path / "local"), rows)
    hook = DeltaLakeHook()
    for path in (aws.uri("a table"), str(tmp_path / "local")):
        assert hook.get_version(path) == 0
    collected = lineage.get_hook_lineage_collector().collected_assets
    lineage.get_hook_lineage_collector.cache_clear()
    assert [each.asset.uri for each in collected.inputs] == [aws.uri("a table"), f"file://{tmp_path}/local"]
    assert all(each.context is hook for each in collected.inputs)
