"""Process identifiers that are unique across machines, containers and restarts. Available on Linux only."""

from __future__ import annotations

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_EXITED = ("Z", "X", "x")
"""States of processes that have ended, including those not yet waited for."""


def this_process() -> str | None:
    """
    Return an identifier of this process: boot id, namespace of process ids, process id and start time.

    :return: None if the system does not provide these, as outside of Linux.
    """
    system, pid = _system_id(), os.getpid()
    try:
        return None if system is None else f"{system} {pid} {_start_time(pid)}"
    except OSError:
        return None


def has_exited(process: str | None) -> bool:
    """
    Return whether a process is known to have ended.

    :param process: Identifier returned by :func:`this_process`. The result is False for processes of other
        machines or containers, and if the state of the process cannot be determined, for example because this
        process has no free file descriptors.
    """
    system, _, pid_and_start = (process or "").partition(" ")
    pid, _, started = pid_and_start.partition(" ")
    if not system or system != _system_id() or not pid.isdecimal():
        return False
    try:
        return _start_time(int(pid)) != started
    except (FileNotFoundError, ProcessLookupError):
        # Processes of other users may be hidden in /proc (hidepid).
        return not _exists(int(pid))
    except OSError:
        return False


def _system_id() -> str | None:
    try:
        # Each container has its own namespace of process ids.
        return f"{_BOOT.read_text('ascii').strip()}/{_NAMESPACE.readlink()}"
    except OSError:
        return None


def _start_time(pid: int) -> str | None:
    """
    Return the start of a process in clock ticks since boot; None if it has ended.

    :raises OSError: if the start time cannot be determined.
    """
    # The process name, in parentheses, may contain any characters.
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return None if fields[0] in _EXITED else fields[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # The process belongs to another user.
        return True
    return True
