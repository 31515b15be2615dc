"""The hooks, through Airflow connections, against a real server, a real S3 and a real STS."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from aporia_provider.errors import AuthenticationError, NotFoundError, ValidationError
from aporia_provider.hooks.aporia import AporiaHook
from aporia_provider.hooks.delta_lake import DeltaLakeHook
from aporia_provider.schema import VersionSchema
from tests import servers
from tests.conftest import S3

SCHEMA = VersionSchema(model_type="binary", features={"a": "numeric"}, predictions={"p": "boolean"})
CLI = Path(sys.executable).with_name("aporia-provider")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """URL of a server of ours, and a token for environment ``prod``."""
    url = f"sqlite:///{tmp_path / 'server.db'}"
    create = [CLI, "token", "create", "--environment", "prod", "--name", "test", "--database-url", url]
    token = subprocess.run(create, check=True, capture_output=True, text=True).stdout.strip()
    port = servers.free_port()
    endpoint = f"http://127.0.0.1:{port}"
    serve = [str(CLI), "serve", "--host", "127.0.0.1", "--port", str(port), "--database-url", url]
    with servers.process(serve, ready=f"{endpoint}/health"):
        yield endpoint, token


def test_without_a_connection_the_embedded_backend_answers(registry: Any) -> None:
    with AporiaHook().get_conn() as api:
        assert api.environment == "prod"
        assert api.create_model("m", "Model")["status"] == "created"
    assert registry.get_model_tags("m") == {}
    assert AporiaHook().server_url() is None
    assert AporiaHook().test_connection() == (True, "Reached the embedded backend, environment 'prod'")


def test_a_connection_that_is_missing_by_name_is_an_error_not_the_embedded_backend() -> None:
    with pytest.raises(NotFoundError, match="no Airflow connection 'aporia_typo'"):
        AporiaHook("aporia_typo").get_conn()
    with pytest.raises(NotFoundError, match="no Airflow connection 'aws_typo'"):
        DeltaLakeHook("aws_typo").get_credentials()


def test_a_connection_with_a_host_reaches_that_server(
    server: tuple[str, str], set_connection: Callable[..., None], registry: Any
) -> None:
    url, token = server
    host, port = url.removeprefix("http://").split(":")
    extra = {"environment": "prod", "timeout": 5}
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
    assert hook.test_connection() == (True, f"Reached {url}, environment 'prod'")
    with hook.get_conn() as api:
        api.create_model("m", "Model")
        assert api.create_model_version("m", "v1", SCHEMA)["status"] == "created"
    with pytest.raises(NotFoundError):
        registry.get_model_versions("m")


def test_a_wrong_token_is_told_without_showing_it(
    server: tuple[str, str], set_connection: Callable[..., None]
) -> None:
    set_connection("aporia_default", conn_type="aporia", host=server[0], password="planted-wrong-token")
    reached, message = AporiaHook().test_connection()
    assert not reached
    assert "token" in message
    assert "planted-wrong-token" not in message


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"host": "https://aporia.example"}, "no token"),
        ({"host": "https://h", "password": "t", "extra": {"timeout": "soon"}}, "timeout"),
    ],
)
def test_a_connection_filled_in_badly_says_what_is_wrong(
    set_connection: Callable[..., None], fields: dict[str, Any], fault: str
) -> None:
    set_connection("aporia_default", conn_type="aporia", **fields)
    with pytest.raises(ValidationError, match=fault):
        AporiaHook().get_conn()


async def test_the_async_twin_of_the_embedded_backend(registry: Any) -> None:
    async with await AporiaHook().get_async_conn() as api:
        await api.create_model("m", "Model")
        both = await asyncio.gather(*(api.create_model_version("m", "v1", SCHEMA) for _ in range(2)))
    assert sorted(result["status"] for result in both) == ["created", "unchanged"]
    assert [version["name"] for version in registry.get_model_versions("m")] == ["v1"]


async def test_the_async_twin_of_the_client(
    server: tuple[str, str], set_connection: Callable[..., None]
) -> None:
    url, token = server
    set_connection(
        "aporia_default", conn_type="aporia", host=url, password=token, extra={"environment": "prod"}
    )
    async with await AporiaHook().get_async_conn() as api:
        await api.create_model("m", "Model")
        assert await api.get_model_tags("m") == {}


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


def test_a_connection_without_credentials_says_so(
    set_connection: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    set_connection("empty", conn_type="aws")
    with pytest.raises(AuthenticationError, match="'empty' gives no AWS credentials"):
        DeltaLakeHook("empty").get_credentials()
