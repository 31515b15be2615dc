"""Sessions on a real Sail in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from aporia_provider.data_sources import S3DataSource
from aporia_provider.engine import connecting, session
from aporia_provider.engine.embedded import process
from aporia_provider.engine.embedded.process import engine_process
from aporia_provider.engine.error_messages import EngineAuthenticationError
from aporia_provider.engine.readers import read
from aporia_provider.engine.session import spark_session
from aporia_provider.errors import AporiaError, NotFoundError, TransientError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from tests import servers
from tests.conftest import S3
from tests.refusing import refusing

pytestmark = pytest.mark.process

SECRET, TOKEN = "planted-secret-access-key", "planted-session-token"
PLANTED = AwsCredentials("AKIA", SECRET, TOKEN, "eu-central-1", "http://127.0.0.1:9")


def children(parent: int | None = None) -> set[int]:
    found = set()
    for path in Path(f"/proc/{parent or os.getpid()}/task").glob("*/children"):
        # A thread may end before its file is read.
        with suppress(OSError):
            found |= {int(pid) for pid in path.read_text().split()}
    return found


def environment_of(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text(errors="replace")


@pytest.fixture
def before() -> Iterator[set[int]]:
    """Processes there were; afterwards there may be no others."""
    found = children()
    yield found
    assert children() <= found


def test_the_engine_ends_with_the_block(before: set[int]) -> None:
    with spark_session() as spark:
        assert len(children() - before) == 1
        assert spark.sql("SELECT 20 + 1 AS n").collect()[0]["n"] == 21
    assert children() <= before


def test_the_engine_ends_with_an_error(before: set[int]) -> None:
    with pytest.raises(ZeroDivisionError), spark_session():
        raise ZeroDivisionError
    assert children() <= before


def test_credentials_are_in_the_childs_environment_only(
    before: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "of-the-machine")
    untouched = dict(os.environ)
    with spark_session("embedded", PLANTED) as spark:
        (child,) = children() - before
        inside = environment_of(child)
        assert SECRET in inside
        assert TOKEN in inside
        assert "of-the-machine" not in inside
        assert not [value for value in os.environ.values() if SECRET in value or TOKEN in value]
        assert SECRET not in repr(spark.conf.getAll)
    # pyspark's own mark, which says nothing of credentials.
    assert dict(os.environ) == {**untouched, "SPARK_CONNECT_MODE_ENABLED": "1"}


def test_sessions_with_other_credentials_do_not_mix(s3: S3) -> None:
    """Each reads a bucket of its own server with its own keys; the other's server is out of its reach."""
    with servers.moto() as other_endpoint:
        other = S3(other_endpoint, s3.bucket)
        other.client().create_bucket(
            Bucket=other.bucket, CreateBucketConfiguration={"LocationConstraint": servers.S3_REGION}
        )
        write_deltalake(s3.uri("t"), pa.table({"n": [1]}), storage_options=s3.delta_options)
        write_deltalake(other.uri("t"), pa.table({"n": [2]}), storage_options=other.delta_options)
        source = S3DataSource(object_path=s3.uri("t"), object_format="delta")

        def number(at: S3) -> int:
            known = AwsCredentials("key", "secret-key", region=servers.S3_REGION, endpoint_url=at.endpoint)
            with spark_session("embedded", known) as spark:
                return int(read(spark, source).collect()[0]["n"])

        assert [number(s3), number(other), number(s3)] == [1, 2, 1]
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(number, [s3, other])) == [1, 2]


def test_a_killed_parent_leaves_no_orphan(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from aporia_provider.engine.embedded.process import engine_process\n"
        "from aporia_provider.lake.credentials import AwsCredentials\n"
        "with engine_process(AwsCredentials()) as engine:\n"
        "    print(engine.port, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    parent.stdout.readline()
    (child,) = children(parent.pid)
    handle = os.pidfd_open(child)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait(120)
    parent.stdin.close()
    parent.stdout.close()
    import select

    readable, _, _ = select.select([handle], [], [], 20)
    os.close(handle)
    assert readable, "the engine outlived its parent"


def test_a_cluster_is_any_spark_connect(before: set[int]) -> None:
    with (
        engine_process(AwsCredentials()) as running,
        spark_session(f"sc://127.0.0.1:{running.port}") as spark,
    ):
        assert spark.sql("SELECT 1 AS n").collect()[0]["n"] == 1


def test_a_cluster_that_does_not_answer(recwarn: pytest.WarningsRecorder) -> None:
    url = f"sc://127.0.0.1:{servers.free_port()}/;token=planted-cluster-token"
    with pytest.raises(TransientError, match="does not respond") as caught, spark_session(url):
        pass
    assert "planted-cluster-token" not in str(caught.value)
    assert "onnect" in caught.value.message.partition("respond")[2]


@pytest.mark.parametrize("engine", ["spark://host:7077", "", "https://host/;token=planted-token"])
def test_no_engine(engine: str) -> None:
    with pytest.raises(ValidationError, match="is not an engine") as caught, spark_session(engine):
        pass
    assert "planted-token" not in str(caught.value)


@pytest.mark.parametrize("missing", ["pysail", "pyspark"])
def test_what_is_not_installed_is_named_with_its_extra(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = session.importlib.util.find_spec
    monkeypatch.setattr(
        session.importlib.util, "find_spec", lambda name: None if name == missing else found(name)
    )
    with pytest.raises(ValidationError, match=missing) as caught, spark_session():
        pass
    assert "pip install 'airflow-provider-aporia[embedded]'" in caught.value.message


def test_an_engine_that_does_not_start_says_why(monkeypatch: pytest.MonkeyPatch, before: set[int]) -> None:
    broken = f"import sys; sys.exit('cannot start with {SECRET}')"
    monkeypatch.setattr(
        process.subprocess,
        "Popen",
        lambda command, _real=subprocess.Popen, **more: _real([sys.executable, "-c", broken], **more),
    )
    refused = pytest.raises(AporiaError, match="did not start: cannot start")
    with refused as caught, spark_session("embedded", PLANTED):
        pass
    assert SECRET not in str(caught.value)


def test_an_engine_that_is_killed_while_it_starts(
    monkeypatch: pytest.MonkeyPatch, before: set[int], tmp_path: Path
) -> None:
    engine = "aporia_provider.engine.embedded.server"
    dies = f"import os, sys\nif {engine!r} in sys.orig_argv: os.kill(os.getpid(), 9)"
    (tmp_path / "sitecustomize.py").write_text(dies)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TransientError, match=r"killed while it started \(SIGKILL\)"), spark_session():
        pass


def test_only_the_warning_about_pandas_is_silenced() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        connecting._ignore_known_warnings()
        warnings.warn("PySpark does not yet fully support pandas >= 3.0.0.", FutureWarning, stacklevel=1)
        warnings.warn("something else", FutureWarning, stacklevel=1)
    assert [str(one.message) for one in caught] == ["something else"]


@pytest.mark.parametrize(
    ("code", "error", "expected_text"),
    [
        ("UNAUTHENTICATED", EngineAuthenticationError, "denies access: Because"),
        ("PERMISSION_DENIED", EngineAuthenticationError, "denies access: Because"),
        ("UNIMPLEMENTED", ValidationError, "is not a Spark Connect server: Because"),
        ("INVALID_ARGUMENT", ValidationError, "rejects the connection: Because"),
        ("NOT_FOUND", NotFoundError, "rejects the connection: Because"),
        ("RESOURCE_EXHAUSTED", TransientError, "does not respond: Because"),
    ],
)
def test_what_a_cluster_refuses(code: str, error: type[AporiaError], expected_text: str) -> None:
    with refusing(code, "Because of ;token=planted-token") as running:
        url = f"sc://localhost:{running.port}/;token=planted-token;x-team=planted-header"
        with pytest.raises(AporiaError) as caught, spark_session(url):
            pass
    assert type(caught.value) is error
    assert caught.value.message == f"sc://localhost:{running.port} {expected_text} of ;token=***"


def test_a_cluster_without_tls_is_told_from_one_that_does_not_answer() -> None:
    with refusing() as running:
        url = f"sc://127.0.0.1:{running.port}/;token=planted-token"
        no_tls = pytest.raises(ValidationError, match="not use TLS, and a token is sent only over TLS")
        with no_tls, spark_session(url):
            pass


def test_a_token_of_the_worker_is_not_for_the_embedded_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", "planted-token")
    with spark_session() as spark:
        assert spark.sql("SELECT 1 AS n").collect()[0]["n"] == 1
    with refusing() as running:
        with pytest.raises(EngineAuthenticationError), spark_session(f"sc://localhost:{running.port}"):
            pass
        assert running.headers[0]["authorization"] == "Bearer planted-token"
