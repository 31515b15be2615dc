"""Configuration of glibc's memory allocator for a long-running process."""

from __future__ import annotations

import ctypes
import os
import sys

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3
"""Parameter numbers from glibc's ``malloc.h``."""
_ARENAS = 2
_LARGE = 256 * 1024
_ENVIRONMENT = ("MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def configure_malloc() -> None:
    """
    Configure glibc to return large blocks of memory to the system as soon as they are freed.

    By default, each thread of a server has its own arena, and blocks freed after a large request body
    stay in these arenas. Call this before threads are started. Do nothing with another C library, or if the
    environment configures malloc.
    """
    if sys.platform != "linux" or any(name in os.environ for name in _ENVIRONMENT):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, _ARENAS)
        mallopt(_MMAP_THRESHOLD, _LARGE)
