"""Sessions of Spark Connect: on an engine of our own, or on a cluster."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from aporia_provider.data_sources import hide_secrets_in_url
from aporia_provider.engine.connecting import INSTALL, connect
from aporia_provider.engine.endpoints import SCHEME, Endpoint
from aporia_provider.engine.processor import numpy_environment
from aporia_provider.errors import AporiaError, TransientError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EMBEDDED = "embedded"
_PATIENCE = 10
# The engine has no business with what Airflow keeps in its environment.
_PRIVATE = ("AIRFLOW_CONN_", "AIRFLOW_VAR_", "AIRFLOW__")


@contextmanager
def spark_session(
    engine: str = EMBEDDED, credentials: AwsCredentials | None = None
) -> Iterator[SparkSession]:
    """
    Open a session that ends with the block, and with it the engine if it is embedded.

    :param engine: ``embedded``, or the ``sc://host:port`` of a cluster.
    :param credentials: Credentials for S3 of the embedded engine. A cluster has credentials of its own.
    :raises aporia_provider.errors.ValidationError: if ``engine`` is neither, or is not installed; the message
        says what to install.
    :raises aporia_provider.errors.TransientError: if the cluster does not answer, or the embedded engine is
        killed while it starts.
    :raises aporia_provider.engine.refusals.EngineAuthenticationError: if the cluster refuses the token.
    """
    if engine == EMBEDDED:
        _need("pysail", "The embedded engine")
        with (
            _child(credentials or AwsCredentials()) as port,
            _connected(Endpoint("127.0.0.1", port), lasts=False) as spark,
        ):
            yield spark
    elif engine.startswith(SCHEME):
        with _connected(Endpoint.parse(engine), lasts=True) as spark:
            yield spark
    else:
        shown = hide_secrets_in_url(engine.partition(";")[0])
        raise ValidationError(f"{shown!r} is no engine: write 'embedded', or sc://host:port of a cluster")


def is_embedded(engine: str) -> bool:
    """Whether ``engine`` means the one of our own."""
    return engine == EMBEDDED


def is_sail(spark: SparkSession) -> bool:
    """
    Whether the engine of a session is Sail, which the embedded engine is.

    ``spark.version`` is the version of Spark that Sail emulates, and ``version()`` returns that of Sail.
    """
    return not spark.sql("SELECT version()").collect()[0][0].startswith(spark.version)


def _need(module: str, what: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise ValidationError(f"{what} needs {module}, which is not installed: {INSTALL}")


@contextmanager
def _connected(endpoint: Endpoint, *, lasts: bool) -> Iterator[SparkSession]:
    _need("pyspark", "Reading data")
    spark = connect(endpoint, lasts=lasts)
    try:
        yield spark
    finally:
        spark.stop()


@contextmanager
def _child(credentials: AwsCredentials) -> Iterator[int]:
    with tempfile.TemporaryFile() as errors, _process(credentials, errors) as child:
        yield _port(child, errors, credentials)


@contextmanager
def _process(credentials: AwsCredentials, errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "-m", "aporia_provider.engine.embedded"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=_environment(credentials),
    )
    try:
        yield child
    finally:
        _end(child)


def _environment(credentials: AwsCredentials) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}
    # Python functions sent to the engine import what the task can import.
    kept["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    return {"RUST_LOG": "error", **numpy_environment(), **credentials.engine_environment(kept)}


def _port(child: subprocess.Popen[bytes], errors: IO[bytes], credentials: AwsCredentials) -> int:
    assert child.stdout is not None  # noqa: S101
    line = child.stdout.readline()
    if line.strip().isdigit():
        return int(line)
    errors.seek(0)
    told = errors.read().decode(errors="replace").strip().splitlines() or ["it says nothing"]
    if (ended := child.wait(_PATIENCE)) < 0:
        name = signal.Signals(-ended).name
        raise TransientError(
            f"The embedded engine was killed while it started ({name}). If that goes on, the machine is "
            "short of memory."
        )
    raise AporiaError(f"The embedded engine does not start: {credentials.hide_in(told[-1])}")


def _end(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    for stop in (child.terminate, child.kill):
        try:
            child.wait(_PATIENCE)
            return
        except subprocess.TimeoutExpired:
            stop()
    child.wait()
