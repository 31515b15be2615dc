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
    started = _started(pid)
    return None if place is None or started is None else f"{place} {pid} {started}"


def has_ended(process: str | None) -> bool:
    """
    Whether a process is known to have ended.

    :param process: Its name, as :func:`this_process` returns it. A process of another machine or container is
        never known to have ended.
    """
    place, _, rest = (process or "").partition(" ")
    pid, _, started = rest.partition(" ")
    if not place or place != _place() or not pid.isdecimal():
        return False
    return _started(int(pid)) != started


def _place() -> str | None:
    try:
        # Containers of one machine have namespaces of their own, in which ids mean something else.
        return f"{_BOOT.read_text('ascii').strip()}/{_NAMESPACE.readlink()}"
    except OSError:
        return None


def _started(pid: int) -> str | None:
    """Clock ticks from the start of the machine to that of a process; None if there is none."""
    try:
        # The name, in parentheses, can hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in _ENDED else fields[19]
