"""Who can use the embedded engine: the process that started it, and nobody else."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import Queue

import pytest

from aporia_provider.engine.embedded.process import engine_process
from aporia_provider.engine.embedded.seccomp import intercept_accept_calls, next_call
from aporia_provider.engine.session import spark_session
from aporia_provider.lake.credentials import AwsCredentials
from tests.sizes import sized

pytestmark = pytest.mark.very_slow

OTHER_USER = 12_345


class Intruder:
    """A running intruder, and the last it has told of its requests."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.told: dict[str, int] = {}

    def requests(self, count: int) -> None:
        """Wait until it has sent so many requests altogether."""
        assert self._process.stdout is not None
        while self.told.get("sent", 0) < count:
            self.told = json.loads(self._process.stdout.readline())


@contextmanager
def intruder(user: int) -> Iterator[Intruder]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.engine.intruder", str(os.getpid()), str(user)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    try:
        yield Intruder(process)
    finally:
        process.communicate()


@pytest.mark.parametrize(
    ("user", "requests"),
    [(OTHER_USER, sized(400, 1000)), (os.getuid(), 200)],
    ids=["another user", "the same user"],
)
def test_another_process_cannot_use_the_engine(user: int, requests: int) -> None:
    """Requests of SQL and of Python, from the moment that each engine listens: none is answered."""
    if user != os.getuid() and os.getuid() != 0:
        pytest.skip("only root can start a process of another user")
    with intruder(user) as intruding:
        for part in range(1, 5):
            with spark_session() as spark:
                intruding.requests(requests // 4 * part)
                assert spark.sql("SELECT 20 + 1 AS n").collect()[0]["n"] == 21
    assert intruding.told == {"sent": requests, "sql": 0, "python": 0}


def test_where_the_system_has_no_means_for_it_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """The kernel hands calls over to one process only, and a sandbox may be that."""

    def start_in_a_sandbox() -> int:
        listener = intercept_accept_calls()
        with engine_process(AwsCredentials()) as running:
            os.close(listener)
            return running.port

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(start_in_a_sandbox).result() > 0
    assert "every user of this machine can connect to it" in caplog.text
    assert "seccomp user notifications cannot be used: Device or resource busy" in caplog.text


def test_signals_do_not_end_the_thread_that_accepts_connections() -> None:
    """Without it, nobody could connect any more. Older kernels interrupt it also at SIGSTOP."""
    listeners: Queue[int] = Queue()
    interrupted = threading.Event()

    def guard() -> None:
        next_call(listeners.get()).return_error(errno.EPERM)

    def call() -> None:
        listener = intercept_accept_calls()
        listeners.put(listener)
        interrupted.wait()
        try:
            server.accept()
        finally:
            os.close(listener)

    # It is older than the filter, so that its own calls are not handed over.
    guarding = threading.Thread(target=guard)
    guarding.start()
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as thread:
        calling = thread.submit(call)
        for _ in range(100):
            signal.pthread_kill(guarding.ident or 0, signal.SIGUSR1)
            time.sleep(0.002)
        interrupted.set()
        with pytest.raises(PermissionError):
            calling.result(60)
    signal.signal(signal.SIGUSR1, before)
    guarding.join()
