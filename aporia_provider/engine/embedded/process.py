"""Start and end of the process of the embedded engine."""

from __future__ import annotations

import logging
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Self

from aporia_provider.engine.embedded.environment import engine_environment
from aporia_provider.engine.embedded.server import PRELOAD
from aporia_provider.engine.embedded.sockets import confirm_connections
from aporia_provider.engine.limits import EngineKilledError
from aporia_provider.errors import AporiaError
from aporia_provider.lake.credentials import AwsCredentials

log = logging.getLogger(__name__)

BATCH_ROWS = 131_072
"""Default number of rows of a batch. Larger batches do not make profiles faster."""
MIN_BATCH_ROWS = 8_192
"""Number of rows of a batch whose rows are large."""
_BATCH_BYTES = 32 * 1024 * 1024
_BATCH_ROWS_VARIABLE = "SAIL_EXECUTION__BATCH_SIZE"
_EXIT_SECONDS = 10


def batch_rows(bytes_per_row: float, maximum: int = BATCH_ROWS) -> int:
    """
    Return the number of rows of a batch, so that batches of large rows do not use much memory.

    :param bytes_per_row: Size of a row in Parquet files, which is a fraction of its size in memory.
    :param maximum: Maximum number of rows.
    """
    rows = maximum
    while rows > MIN_BATCH_ROWS and rows * bytes_per_row > _BATCH_BYTES:
        rows //= 2
    return rows


class EngineProcess:
    """
    The process of an embedded engine, which only this process can use.

    It starts in the background: :attr:`port` waits until the engine accepts connections. The process is
    killed at the end of the block, since a regular exit takes longer and has nothing to save.

    :param credentials: Credentials for S3.
    :param batch_rows: Number of rows of its batches, unless ``SAIL_EXECUTION__BATCH_SIZE`` is set.
    :param preload: Whether it imports the modules that the functions of syncs use while it starts.
    """

    def __init__(
        self, credentials: AwsCredentials, batch_rows: int = BATCH_ROWS, *, preload: bool = False
    ) -> None:
        self.credentials, self.batch_rows, self._preload = credentials, batch_rows, preload
        with ExitStack() as stack:
            # Files that queries spill to disk would remain when the process is killed. A TemporaryDirectory
            # would also be deleted by forked processes when they exit.
            self._folder = tempfile.mkdtemp(prefix="aporia-engine-")
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            self._errors = stack.enter_context(tempfile.TemporaryFile())
            self.child = self._start()
            stack.callback(self._kill)
            self._stack = stack.pop_all()

    def _start(self) -> subprocess.Popen[bytes]:
        parent_socket, child_socket = socket.socketpair()
        threading.Thread(target=confirm_connections, args=(parent_socket,), daemon=True).start()
        # The thread ends when no process has the other end open.
        with child_socket:
            descriptor = child_socket.fileno()
            return subprocess.Popen(  # noqa: S603
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "aporia_provider.engine.embedded.server",
                    str(descriptor),
                    self._folder,
                    *([PRELOAD] if self._preload else []),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={
                    _BATCH_ROWS_VARIABLE: str(self.batch_rows),
                    **engine_environment(self.credentials),
                    "TMPDIR": self._folder,
                },
                pass_fds=[descriptor],
            )

    @cached_property
    def port(self) -> int:
        """
        Port on the loopback interface.

        :raises aporia_provider.engine.limits.EngineKilledError: if the process was killed while it started.
        :raises aporia_provider.errors.AporiaError: if it did not start for another reason.
        """
        assert self.child.stdout is not None  # noqa: S101
        line = self.child.stdout.readline().decode(errors="replace")
        port, _, missing_feature = line.strip().partition(" ")
        if not port.isdigit():
            raise self._start_error()
        if missing_feature:
            log.warning(
                "While the embedded engine runs, every user of this machine can connect to it, and can read "
                "what this process can read and run code as its user: %s. Run tasks where there are no other "
                "users, or on a cluster (spark_conn_id, or engine sc://host:port)",
                missing_feature,
            )
        log.info("An embedded engine was started, with batches of %s rows", self.batch_rows)
        return int(port)

    def _start_error(self) -> AporiaError:
        if (exit_code := self.child.wait(_EXIT_SECONDS)) < 0:
            name = signal.Signals(-exit_code).name
            return EngineKilledError(
                f"The embedded engine was killed while it started ({name}). If this happens again, the "
                "machine is short of memory."
            )
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        cause = lines[-1] if lines else "it printed no error"
        return AporiaError(f"The embedded engine did not start: {self.credentials.redact(cause)}")

    @property
    def is_running(self) -> bool:
        """Return whether the process has not ended."""
        return self.child.poll() is None

    def close(self) -> None:
        """Kill the process."""
        self._stack.close()

    def _kill(self) -> None:
        self.child.kill()
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@contextmanager
def engine_process(credentials: AwsCredentials) -> Iterator[EngineProcess]:
    """
    Run an embedded engine, which accepts connections when the block begins.

    :param credentials: Credentials for S3.
    :raises aporia_provider.errors.AporiaError: if it does not start.
    """
    with EngineProcess(credentials) as engine:
        _ = engine.port
        yield engine
