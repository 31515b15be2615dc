"""Limits of an embedded engine: how long it may run, and how much memory it may use."""

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
# Files of a control group that tell its limit, of version 2 and 1.
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_GLANCE = 0.05
_GLANCES_PER_SEARCH = 20
_DYING = 1.0


class EngineMemoryError(AporiaError):
    """An embedded engine was ended because it used more memory than it may."""


class EngineDeadlineError(TransientError):
    """An embedded engine was ended because it ran longer than it may."""


class EngineKilledError(TransientError):
    """An embedded engine ended before it was told to."""


@dataclass(frozen=True)
class EngineLimits:
    """
    Limits of an embedded engine, which is ended when it exceeds one.

    :param seconds: How long it may run; None for as long as it takes.
    :param memory: Bytes of memory that it and its child processes may have in use; None for all there is.
    """

    seconds: float | None = None
    memory: int | None = None


UNLIMITED = EngineLimits()


def usual_memory() -> int:
    """Bytes that an engine may use by default: 4 GiB, or three quarters of what there is if that is less."""
    return min(_MOST_MEMORY, int(_SHARE * _available()))


class Watch:
    """
    Ends the process of an embedded engine when it exceeds its limits, and tells why it has ended.

    :param process: The process.
    :param limits: Its limits.
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
        Raise why the engine has ended, if it has, instead of the errors that follow from it.

        :raises EngineMemoryError: if it used too much memory.
        :raises EngineDeadlineError: if it ran too long.
        :raises EngineKilledError: if it was killed or broke down.
        """
        try:
            yield
        except Exception as error:
            reason = self._reason(error)
            if reason is None or reason is error:
                raise
            raise reason from None

    def _reason(self, error: Exception) -> AporiaError | None:
        # A lost connection is known a moment before the end of the process.
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
    The memory that a process and its child processes have in use.

    :param process: The process.
    """

    def __init__(self, process: psutil.Process) -> None:
        self._process, self._glances = process, 0
        self._children: list[psutil.Process] = []

    def used(self) -> int:
        """Bytes in use now."""
        import psutil

        # All processes of the machine have to be looked at to find them.
        if self._glances % _GLANCES_PER_SEARCH == 0:
            self._children = self._process.children(recursive=True)
        self._glances += 1
        used = int(self._process.memory_info().rss)
        for child in self._children:
            with suppress(psutil.NoSuchProcess):
                used += int(child.memory_info().rss)
        return used


def _available() -> int:
    """Bytes of memory of the machine, or of the container."""
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
