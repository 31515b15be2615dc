"""Syncs whose embedded engine takes too much memory or too long, or dies, and S3 that does not answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.engine.limits import (
    EngineDeadlineError,
    EngineKilledError,
    EngineLimits,
    EngineMemoryError,
)
from aporia_provider.errors import AporiaError, TransientError
from aporia_provider.lake.credentials import AwsCredentials
from tests.backend.syncing import SyncedVersion, spread
from tests.processes import starts_process

pytestmark = pytest.mark.very_slow

MIB = 1024**2
LARGE = "repeat('x', 1000000000 + cast(age AS int)) AS city"
"""Each row has a gigabyte of text."""
LONG = "cast(length(regexp_replace(repeat(cast(age AS string), 2000000), '[0-4]', 'xy')) AS string) AS city"


@pytest.fixture
@starts_process()
def embedded(tmp_path: Path) -> Iterator[SyncedVersion]:
    """Predictions that an engine of the sync's own reads."""
    with EmbeddedRegistry(f"sqlite:///{tmp_path}/aporia.db", "prod") as registry:
        monitored = SyncedVersion(tmp_path, registry).register()
        monitored.write("serving", spread(1, 2, 200))
        yield monitored


def connect(monitored: SyncedVersion, city: str) -> None:
    monitored.connect("serving", select_expr=["id", "at", "age", city, "vip", "score"])


def engine() -> psutil.Process | None:
    """The engine of the sync that runs, if it has one already."""
    for child in psutil.Process().children():
        # It may have ended meanwhile.
        with suppress(psutil.Error):
            if "aporia_provider.engine.embedded.server" in child.cmdline():
                return child
    return None


@contextmanager
def beside(look: threading.Thread) -> Iterator[None]:
    look.start()
    yield
    look.join()


def assert_failed(monitored: SyncedVersion, error: AporiaError, told: str) -> None:
    assert told in str(error)
    assert monitored.status()["last_error"] == str(error)
    assert engine() is None


def test_too_much_memory_ends_the_engine_and_is_not_worth_a_retry(embedded: SyncedVersion) -> None:
    connect(embedded, LARGE)
    used, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            with suppress(psutil.Error):
                if (running := engine()) is not None:
                    used.append(running.memory_info().rss)

    with beside(threading.Thread(target=look)):
        with pytest.raises(EngineMemoryError) as caught:
            embedded.sync(limits=EngineLimits(memory=600 * MIB))
        done.set()
    assert not isinstance(caught.value, TransientError)
    assert max(used) < 1500 * MIB
    assert_failed(embedded, caught.value, "and may use 600 MiB")


def test_a_deadline_ends_the_engine_and_is_worth_a_retry(embedded: SyncedVersion) -> None:
    connect(embedded, LONG)
    started = time.monotonic()
    with pytest.raises(EngineDeadlineError) as caught:
        embedded.sync(limits=EngineLimits(seconds=2))
    assert time.monotonic() - started < 100
    assert isinstance(caught.value, TransientError)
    assert_failed(embedded, caught.value, "because it ran longer than 2 seconds")


def test_an_engine_that_is_killed_is_said_to_be(embedded: SyncedVersion) -> None:
    connect(embedded, LONG)

    def kill() -> None:
        while (running := engine()) is None or running.cpu_times().user < 1:
            time.sleep(0.02)
        running.kill()

    with beside(threading.Thread(target=kill)), pytest.raises(EngineKilledError) as caught:
        embedded.sync()
    assert isinstance(caught.value, TransientError)
    assert_failed(embedded, caught.value, "The embedded engine was killed while it read (SIGKILL)")


@pytest.fixture
def silent() -> Iterator[str]:
    """URL of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("format_", ["delta", "parquet"])
def test_s3_that_never_answers(embedded: SyncedVersion, silent: str, format_: str) -> None:
    """A request takes a twelfth of what it usually may, so the sync takes a small part of two minutes."""
    embedded.credentials = AwsCredentials("key", "secret", None, "eu-west-1", silent, request_timeout=0.5)
    embedded.connect("serving", path="s3://bucket/table", format=format_)
    started = time.monotonic()
    with pytest.raises(TransientError) as caught:
        embedded.sync()
    assert time.monotonic() - started < 60
    assert_failed(embedded, caught.value, "s3://bucket/table could not be read")
