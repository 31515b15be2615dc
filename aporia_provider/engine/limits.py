"""Limits of an embedded engine: running time and memory."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aporia_provider.errors import AporiaError, TransientError

if TYPE_CHECKING:
    import psutil

_MAX_DEFAULT_MEMORY = 4 * 1024**3
_DEFAULT_SHARE = 0.75
# Files with the limit of a control group, of version 2 and version 1.
_CGROUP_LIMIT_FILES = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_CHECK_INTERVAL = 0.05
_CHECKS_PER_SEARCH = 20
_EXIT_SECONDS = 1.0


class EngineMemoryError(AporiaError):
    """Error of an embedded engine that was ended because it exceeded its memory limit."""


class EngineDeadlineError(TransientError):
    """Error of an embedded engine that was ended because it exceeded its running time."""


class EngineKilledError(TransientError):
    """Error of an embedded engine that ended unexpectedly."""


@dataclass(frozen=True)
class EngineLimits:
    """
    Limits of an embedded engine, which is ended when it exceeds one.

    :param seconds: Running time in seconds; None for no limit.
    :param memory: Resident memory of the engine and its child processes in bytes; None for no limit.
    """

    seconds: float | None = None
    memory: int | None = None


UNLIMITED = EngineLimits()


def default_memory_limit() -> int:
    """Return the default memory limit in bytes: 4 GiB, or three quarters of the available memory if less."""
    return min(_MAX_DEFAULT_MEMORY, int(_DEFAULT_SHARE * _available_memory()))


class EngineWatchdog:
    """
    Watchdog that ends an embedded engine if it exceeds a limit, and records the reason.

    :param process: The process.
    :param limits: The limits.
    """

    def __init__(self, process: subprocess.Popen[bytes], limits: EngineLimits) -> None:
        self._process, self._limits = process, limits
        self._deadline = None if limits.seconds is None else time.monotonic() + limits.seconds
        self._limit_error: AporiaError | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        if limits != UNLIMITED:
            self._thread.start()

    def stop(self) -> None:
        """Stop watching. The process is not ended after this method has returned."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    @contextmanager
    def converted_errors(self) -> Iterator[None]:
        """
        Replace errors in the block by the reason why the engine ended, if it ended.

        :raises EngineMemoryError: if it exceeded its memory limit.
        :raises EngineDeadlineError: if it exceeded its running time.
        :raises EngineKilledError: if it was killed or crashed.
        """
        try:
            yield
        except Exception as error:
            reason = self._reason(error)
            if reason is None or reason is error:
                raise
            raise reason from None

    def _reason(self, error: Exception) -> AporiaError | None:
        # A connection is lost shortly before the process ends.
        if self._limit_error is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_EXIT_SECONDS if _is_connection_error(error) else 0)
        if self._limit_error is not None:
            return self._limit_error
        status = self._process.poll()
        return None if status is None else EngineKilledError(_exit_message(status))

    def _watch(self) -> None:
        import psutil

        with suppress(psutil.NoSuchProcess):
            memory, max_memory = _MemoryUse(psutil.Process(self._process.pid)), self._limits.memory
            while not self._stopped.wait(_CHECK_INTERVAL):
                if max_memory is not None and (used := memory.used()) > max_memory:
                    self._end(EngineMemoryError(_memory_message(used, max_memory)))
                elif self._deadline is not None and time.monotonic() > self._deadline:
                    self._end(EngineDeadlineError(_deadline_message(self._limits.seconds or 0)))

    def _end(self, reason: AporiaError) -> None:
        self._limit_error = reason
        self._process.kill()
        self._process.wait()
        self._stopped.set()


def memory_use(process: subprocess.Popen[bytes]) -> int:
    """Return the memory that a process and its child processes use in bytes; 0 if it has ended."""
    import psutil

    try:
        return _MemoryUse(psutil.Process(process.pid)).used()
    except psutil.NoSuchProcess:
        return 0


class _MemoryUse:
    """
    Memory use of a process and its child processes.

    :param process: The process.
    """

    def __init__(self, process: psutil.Process) -> None:
        self._process, self._check_count = process, 0
        self._children: list[psutil.Process] = []

    def used(self) -> int:
        """Return the current memory use in bytes."""
        import psutil

        # Finding child processes requires a scan of all processes of the machine.
        if self._check_count % _CHECKS_PER_SEARCH == 0:
            self._children = self._process.children(recursive=True)
        self._check_count += 1
        used = int(self._process.memory_info().rss)
        for child in self._children:
            with suppress(psutil.NoSuchProcess):
                used += int(child.memory_info().rss)
        return used


def _available_memory() -> int:
    """Return the memory of the machine, or of the container if it is less, in bytes."""
    import psutil

    sizes = [int(psutil.virtual_memory().total)]
    for path in _CGROUP_LIMIT_FILES:
        with suppress(OSError, ValueError):
            sizes.append(int(path.read_text()))
    return min(sizes)


def _is_connection_error(error: Exception) -> bool:
    return isinstance(error, TransientError) or "UNAVAILABLE" in str(error)


def _memory_message(used: int, limit: int) -> str:
    return (
        f"The embedded engine was ended because it used {_in_megabytes(used)} of memory and may use "
        f"{_in_megabytes(limit)}. Make the values of select_expr smaller, set sample_size, raise [aporia] "
        "engine_memory_limit if the machine has more, or read with Apache Spark (spark_conn_id, or engine sc://host:port)"
    )


def _deadline_message(seconds: float) -> str:
    return (
        f"The embedded engine was ended because it ran longer than {seconds:g} seconds. Raise [aporia] "
        "engine_deadline if the data needs longer, set sample_size, or read with Apache Spark "
        "(spark_conn_id, or engine sc://host:port)"
    )


def _exit_message(status: int) -> str:
    if status == -signal.SIGKILL:
        return (
            "The embedded engine was killed while it read (SIGKILL). If this happens again, the machine is "
            "short of memory"
        )
    exit_reason = signal.Signals(-status).name if status < 0 else f"status {status}"
    return f"The embedded engine crashed while it read ({exit_reason})"


def _in_megabytes(size: int) -> str:
    return f"{size / 1024**2:,.0f} MiB"
