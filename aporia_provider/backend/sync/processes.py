"""Processes by names that are unique among machines, containers and restarts, where Linux tells them."""

from __future__ import annotations

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_ENDED = ("Z", "X", "x")
"""States of processes that have ended, and that nobody may have waited for yet."""


def this_process() -> str | None:
    """
    Name this process: the start of the machine, the namespace of process ids, the id, and when it started.

    :return: None where the system does not tell these, as outside of Linux.
    """
    place, pid = _place(), os.getpid()
    try:
        return None if place is None else f"{place} {pid} {_started(pid)}"
    except OSError:
        return None


def has_ended(process: str | None) -> bool:
    """
    Whether a process is known to have ended.

    :param process: Its name, as :func:`this_process` returns it. A process of another machine or container is
        never known to have ended, nor is one of which the system does not tell, for instance because this
        process has no free file descriptors.
    """
    place, _, rest = (process or "").partition(" ")
    pid, _, started = rest.partition(" ")
    if not place or place != _place() or not pid.isdecimal():
        return False
    try:
        return _started(int(pid)) != started
    except (FileNotFoundError, ProcessLookupError):
        # Processes of other users may be hidden in /proc (hidepid).
        return not _exists(int(pid))
    except OSError:
        return False


def _place() -> str | None:
    try:
        # Containers of one machine have namespaces of their own, in which ids mean something else.
        return f"{_BOOT.read_text('ascii').strip()}/{_NAMESPACE.readlink()}"
    except OSError:
        return None


def _started(pid: int) -> str | None:
    """
    Clock ticks from the start of the machine to that of a process; None if it has ended.

    :raises OSError: if the system does not tell.
    """
    # The name, in parentheses, can hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return None if fields[0] in _ENDED else fields[19]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # It belongs to somebody else.
        return True
    return True
