"""A real Apache Spark Connect server on loopback, with Delta Lake and the tests' S3."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from aporia_provider.engine.endpoints import Endpoint
from tests import servers
from tests.backend.killable import alive

HERE = Path(__file__).parent
VENV = HERE.parent.parent / ".venv-spark"
MAIN = "org.apache.spark.sql.connect.service.SparkConnectServer"
# What the tests send is small: what starts fast beats what runs fast.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData -Duser.timezone=America/New_York"


@dataclass(frozen=True)
class Cluster:
    """
    A running server.

    :param port: Its port on ``localhost``.
    :param token: The token that it demands.
    :param pid: Its process, which leads a session that its Python workers belong to.
    """

    port: int
    token: str
    pid: int

    @property
    def url(self) -> str:
        """Its ``sc://`` address, with the token."""
        # A token is sent without TLS to this name only.
        return Endpoint("localhost", self.port, {"token": self.token}).url


@contextmanager
def spark_connect(s3_endpoint: str) -> Iterator[Cluster]:
    """
    Run a server until the block ends.

    :param s3_endpoint: Endpoint of the S3 that ``s3a://`` is.
    """
    port = servers.free_port()
    # Characters that have a meaning in the URL.
    token = f"{secrets.token_hex(8)};=/+%"
    # Not pytest's own folder: another run of pytest tidies that one up, with the server in it.
    with tempfile.TemporaryDirectory(prefix="spark-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        running = _start(folder, {**_spark(folder, port, token), **_delta(), **_s3(s3_endpoint)})
        try:
            _wait_for(port, running, folder / "log")
            yield Cluster(port, token, running.pid)
        finally:
            _end(running)


def processes_of(session: int) -> list[int]:
    """The processes of a session that have not ended, such as a server with its workers."""
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [pid for pid in pids if _session_of(pid) == session and alive(pid)]


def _start(folder: Path, settings: dict[str, str]) -> subprocess.Popen[bytes]:
    lines = [f"{key}={value}\n" for key, value in settings.items()]
    (folder / "spark.conf").write_text("".join(lines))
    program = str(VENV / "bin" / "spark-submit")
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [program, "--class", MAIN, "--properties-file", str(folder / "spark.conf"), "spark-internal"],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _environment(folder: Path) -> dict[str, str]:
    # Nothing else of ours: a cluster knows neither our package nor our keys.
    kept = {name: os.environ[name] for name in ("PATH", "JAVA_HOME") if name in os.environ}
    return {
        **kept,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYSPARK_PYTHON": str(VENV / "bin" / "python"),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def _spark(folder: Path, port: int, token: str) -> dict[str, str]:
    return {
        "spark.master": "local[2]",
        "spark.driver.memory": "2g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"{JAVA_OPTIONS} -Djava.io.tmpdir={folder}",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.connect.authenticate.token": token,
        "spark.ui.enabled": "false",
        "spark.log.level": "WARN",
        "spark.local.dir": str(folder / "local"),
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.sql.catalogImplementation": "in-memory",
        # A cluster is anywhere; a session of ours sets UTC for itself.
        "spark.sql.session.timeZone": "America/New_York",
        "spark.sql.shuffle.partitions": "2",
    }


def _delta() -> dict[str, str]:
    return {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "2",
    }


def _s3(endpoint: str) -> dict[str, str]:
    settings = {
        "endpoint": endpoint,
        "endpoint.region": servers.S3_REGION,
        "path.style.access": "true",
        "access.key": servers.S3_KEY,
        "secret.key": servers.S3_SECRET,
        "aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        # A server that is not there is found out in seconds, not in minutes.
        "attempts.maximum": "1",
        "retry.limit": "1",
    }
    return {f"spark.hadoop.fs.s3a.{key}": value for key, value in settings.items()}


def _wait_for(port: int, running: subprocess.Popen[bytes], log: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if running.poll() is not None:
            raise RuntimeError(f"Spark ended with {running.returncode}:\n{log.read_text()[-4000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"Spark did not answer:\n{log.read_text()[-4000:]}")


def _end(running: subprocess.Popen[bytes]) -> None:
    """End the server with all of its session: Python workers have process groups of their own."""
    for stop in (signal.SIGTERM, signal.SIGKILL):
        for pid in processes_of(running.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, stop)
        end = time.monotonic() + 20
        while running.poll() is None or processes_of(running.pid):
            if time.monotonic() > end:
                break
            time.sleep(0.05)


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
