"""How the memory of a long-running process is given back to the system."""

from __future__ import annotations

import ctypes
import os
import sys

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3
"""Numbers of parameters in glibc's ``malloc.h``."""
_ARENAS = 2
_LARGE = 256 * 1024
_ENVIRONMENT = ("MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def give_back_memory() -> None:
    """
    Make the C library give large pieces of memory back as soon as they are free, if it is glibc.

    Without this, each of a server's threads keeps an arena of its own, and after the first large body the
    next ones are cut from these arenas, where free memory below used memory stays with the process. Call
    this before threads are started. What the environment says about it is left alone.
    """
    if sys.platform != "linux" or any(name in os.environ for name in _ENVIRONMENT):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)
        mallopt(_MMAP_THRESHOLD, _LARGE)
