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

_MOST_MEMORY = 4 * 1024**3
_SHARE = 0.75
# Files with the limit of a control group, of version 2 and version 1.
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_GLANCE = 0.05
_GLANCES_PER_SEARCH = 20
_DYING = 1.0


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


def usual_memory() -> int:
    """Return the default memory limit in bytes: 4 GiB, or three quarters of the available memory if less."""
    return min(_MOST_MEMORY, int(_SHARE * _available()))


class Watch:
    """
    Watch of an embedded engine, which ends the process if it exceeds a limit, and records the reason.

    :param process: The process.
    :param limits: The limits.
    """

    def __init__(self, process: subprocess.Popen[bytes], limits: EngineLimits) -> None:
        self._process, self._limits = process, limits
        self._ends = None if limits.seconds is None else time.monotonic() + limits.seconds
        self._exceeded: AporiaError | None = None
        self._stopped = threading.Event()
        if limits != UNLIMITED:
            threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()

    @contextmanager
    def explaining(self) -> Iterator[None]:
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
        if self._exceeded is None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_DYING if _seems_lost(error) else 0)
        if self._exceeded is not None:
            return self._exceeded
        status = self._process.poll()
        return None if status is None else EngineKilledError(_ended(status))

    def _watch(self) -> None:
        import psutil

        with suppress(psutil.NoSuchProcess):
            memory, most = _Memory(psutil.Process(self._process.pid)), self._limits.memory
            while not self._stopped.wait(_GLANCE):
                if most is not None and (used := memory.used()) > most:
                    self._end(EngineMemoryError(_too_much(used, most)))
                elif self._ends is not None and time.monotonic() > self._ends:
                    self._end(EngineDeadlineError(_too_long(self._limits.seconds or 0)))

    def _end(self, reason: AporiaError) -> None:
        self._exceeded = reason
        self._process.kill()
        self._stopped.set()


class _Memory:
    """
    Memory use of a process and its child processes.

    :param process: The process.
    """

    def __init__(self, process: psutil.Process) -> None:
        self._process, self._glances = process, 0
        self._children: list[psutil.Process] = []

    def used(self) -> int:
        """Return the current memory use in bytes."""
        import psutil

        # Finding child processes requires a scan of all processes of the machine.
        if self._glances % _GLANCES_PER_SEARCH == 0:
            self._children = self._process.children(recursive=True)
        self._glances += 1
        used = int(self._process.memory_info().rss)
        for child in self._children:
            with suppress(psutil.NoSuchProcess):
                used += int(child.memory_info().rss)
        return used


def _available() -> int:
    """Return the memory of the machine, or of the container if it is less, in bytes."""
    import psutil

    told = [int(psutil.virtual_memory().total)]
    for path in _LIMITS:
        with suppress(OSError, ValueError):
            told.append(int(path.read_text()))
    return min(told)


def _seems_lost(error: Exception) -> bool:
    return isinstance(error, TransientError) or "UNAVAILABLE" in str(error)


def _too_much(used: int, most: int) -> str:
    return (
        f"The embedded engine was ended because it used {_size(used)} of memory and may use {_size(most)}. "
        "Make the values of select_expr smaller, set sample_size, raise [aporia] engine_memory_limit if the "
        "machine has more, or read with Apache Spark (spark_conn_id, or engine sc://host:port)"
    )


def _too_long(seconds: float) -> str:
    return (
        f"The embedded engine was ended because it ran longer than {seconds:g} seconds. Raise [aporia] "
        "engine_deadline if the data needs longer, set sample_size, or read with Apache Spark "
        "(spark_conn_id, or engine sc://host:port)"
    )


def _ended(status: int) -> str:
    if status == -signal.SIGKILL:
        return (
            "The embedded engine was killed while it read (SIGKILL). If that goes on, the machine is short "
            "of memory"
        )
    how = signal.Signals(-status).name if status < 0 else f"status {status}"
    return f"The embedded engine broke down while it read ({how})"


def _size(count: int) -> str:
    return f"{count / 1024**2:,.0f} MiB"
