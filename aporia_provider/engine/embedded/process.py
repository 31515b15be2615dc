"""Start and end of the process of the embedded engine."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

from aporia_provider.engine.embedded.environment import engine_environment
from aporia_provider.engine.embedded.sockets import confirm_connections
from aporia_provider.engine.limits import UNLIMITED, EngineKilledError, EngineLimits, EngineWatchdog
from aporia_provider.errors import AporiaError
from aporia_provider.lake.credentials import AwsCredentials

log = logging.getLogger(__name__)

_EXIT_SECONDS = 10


class EngineProcess(NamedTuple):
    """
    A running engine.

    :param port: Port on the loopback interface.
    :param watchdog: Watchdog that determines why the engine ended.
    """

    port: int
    watchdog: EngineWatchdog


@contextmanager
def engine_process(credentials: AwsCredentials, limits: EngineLimits = UNLIMITED) -> Iterator[EngineProcess]:
    """
    Run an embedded engine that only this process can use.

    :param credentials: Credentials for S3.
    :param limits: Its limits.
    :raises aporia_provider.errors.AporiaError: if it does not start.
    """
    with tempfile.TemporaryFile() as errors, _start(credentials, errors) as child:
        port = _read_port(child, errors, credentials)
        watchdog = EngineWatchdog(child, limits)
        try:
            yield EngineProcess(port, watchdog)
        finally:
            watchdog.stop()


@contextmanager
def _start(credentials: AwsCredentials, errors: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    parent_socket, child_socket = socket.socketpair()
    threading.Thread(target=confirm_connections, args=(parent_socket,), daemon=True).start()
    # The thread ends when no process has the other end open.
    with child_socket:
        child = subprocess.Popen(  # noqa: S603
            [
                sys.executable,
                "-P",
                "-m",
                "aporia_provider.engine.embedded.server",
                str(child_socket.fileno()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=engine_environment(credentials),
            pass_fds=[child_socket.fileno()],
        )
    try:
        yield child
    finally:
        _terminate(child)


def _read_port(child: subprocess.Popen[bytes], errors: IO[bytes], credentials: AwsCredentials) -> int:
    assert child.stdout is not None  # noqa: S101
    port, _, missing_feature = child.stdout.readline().decode(errors="replace").strip().partition(" ")
    if port.isdigit():
        if missing_feature:
            log.warning(
                "While the embedded engine runs, every user of this machine can connect to it, and can read "
                "what this process can read and run code as its user: %s. Run tasks where there are no other "
                "users, or on a cluster (spark_conn_id, or engine sc://host:port)",
                missing_feature,
            )
        return int(port)
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines() or ["it printed no error"]
    if (exit_code := child.wait(_EXIT_SECONDS)) < 0:
        name = signal.Signals(-exit_code).name
        raise EngineKilledError(
            f"The embedded engine was killed while it started ({name}). If this happens again, the machine "
            "is short of memory."
        )
    raise AporiaError(f"The embedded engine did not start: {credentials.redact(lines[-1])}")


def _terminate(child: subprocess.Popen[bytes]) -> None:
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    for stop in (child.terminate, child.kill):
        try:
            child.wait(_EXIT_SECONDS)
            return
        except subprocess.TimeoutExpired:
            stop()
    child.wait()
