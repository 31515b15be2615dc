"""Deadlines of requests: the time limit of a response, and its enforcement."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


class DeadlineExceededError(Exception):
    """A response was not complete at its deadline."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The response was not complete after {seconds:g} seconds")
        self.seconds = seconds


class ShutdownError(Exception):
    """
    The process was stopped before a response was complete.

    This is not an ``AporiaError``, because an ``AporiaError`` of a single metric becomes part of the
    response.
    """

    def __init__(self) -> None:
        super().__init__("The server is shutting down; try again")


@dataclass(frozen=True)
class Deadline:
    """
    Deadline of a response.

    :param seconds: Time limit in seconds, from the creation of the object.
    :param stopping: Set when the process is being stopped, which aborts all responses at once.
    """

    seconds: float
    stopping: threading.Event = field(default_factory=threading.Event)
    began: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """
        Raise an error if the deadline has passed.

        :raises DeadlineExceededError: if the deadline has passed.
        :raises ShutdownError: if the process is being stopped.
        """
        if self.stopping.is_set():
            raise ShutdownError
        if time.monotonic() - self.began > self.seconds:
            raise DeadlineExceededError(self.seconds)


_CURRENT: ContextVar[Deadline | None] = ContextVar("aporia_deadline", default=None)


@contextmanager
def apply_deadline(deadline: Deadline) -> Iterator[None]:
    """Apply a deadline to the block, and to threads that inherit its context."""
    token = _CURRENT.set(deadline)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def check_deadline() -> None:
    """
    Raise an error if the current deadline has passed. Long loops call this. Without a deadline, do nothing.

    :raises DeadlineExceededError: see :meth:`Deadline.check`, also for ``ShutdownError``.
    """
    deadline = _CURRENT.get()
    if deadline is not None:
        deadline.check()
