"""Configuration of glibc's memory allocator for a long-running process, and the release of freed memory."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ARENA_MAX, _MMAP_THRESHOLD = -8, -3
"""Parameter numbers from glibc's ``malloc.h``."""
_ARENAS = 2
_LARGE = 256 * 1024
_RELEASED = 16 * 1024
"""Size of a body in bytes from which freed memory is released. Errors may take a thousand times as much."""
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


def release_freed_memory() -> None:
    """
    Return the free pages of glibc's heaps to the system; do nothing with another C library.

    A large body is parsed into many small blocks. When they are freed, the heap keeps their pages if anything
    behind them is still in use.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


class ReleaseMemoryMiddleware:
    """
    ASGI middleware that releases freed memory after requests with bodies of at least 16 kB.

    :param app: The wrapped application.
    :param release: Function that releases it.
    """

    def __init__(self, app: ASGIApp, release: Callable[[], None] = release_freed_memory) -> None:
        self.app, self._release = app, release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        try:
            await self.app(scope, counted, send)
        finally:
            if received >= _RELEASED:
                await run_in_threadpool(self._release)
