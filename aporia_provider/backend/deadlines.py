"""How long an answer may take, and how one that is being made is ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


class OverdueError(Exception):
    """An answer is not complete at its deadline."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"There is no answer after {seconds:g} seconds")
        self.seconds = seconds


class StoppingError(Exception):
    """
    The process ends before an answer is complete.

    It is no ``AporiaError``, since those of a single metric become a part of the answer.
    """

    def __init__(self) -> None:
        super().__init__("The server is being stopped; try again")


@dataclass(frozen=True)
class Deadline:
    """
    The moment at which an answer has to be complete.

    :param seconds: How long it may take, from now on.
    :param stopping: Set when the process ends, which ends all answers at once.
    """

    seconds: float
    stopping: threading.Event = field(default_factory=threading.Event)
    began: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """
        End the present answer if its time is over.

        :raises OverdueError: if it is.
        :raises StoppingError: if the process ends.
        """
        if self.stopping.is_set():
            raise StoppingError
        if time.monotonic() - self.began > self.seconds:
            raise OverdueError(self.seconds)


_PRESENT: ContextVar[Deadline | None] = ContextVar("aporia_deadline", default=None)


@contextmanager
def within(deadline: Deadline) -> Iterator[None]:
    """Apply a deadline to what the block does, and to the threads that it runs functions in."""
    token = _PRESENT.set(deadline)
    try:
        yield
    finally:
        _PRESENT.reset(token)


def check_deadline() -> None:
    """
    End the present answer if its time is over; long loops call this. Without a deadline, it does nothing.

    :raises OverdueError: see :meth:`Deadline.check`, also for ``StoppingError``.
    """
    deadline = _PRESENT.get()
    if deadline is not None:
        deadline.check()
