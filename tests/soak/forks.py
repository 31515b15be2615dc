"""Forks of this process, which open what they need themselves and can be killed at any moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.backend.killable import children

_FORKS = multiprocessing.get_context("fork")
ANSWER_SECONDS = 180


def preload() -> None:
    """Import what a sync needs, without opening anything, so that forks need no time for it."""
    import deltalake
    import grpc
    import pyspark.sql.connect.session

    import aporia_provider.backend.sync.runner

    _ = deltalake, grpc, pyspark, aporia_provider


class Fork:
    """
    A process that answers once, with the result of its work or with the error that ended it.

    :param work: What it does.
    :param arguments: The arguments of the work.
    """

    def __init__(self, work: Callable[..., Any], *arguments: Any) -> None:
        self._pipe, end = _FORKS.Pipe(duplex=False)
        self._process = _FORKS.Process(target=_run, args=(end, work, arguments))
        self._process.start()
        end.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def answered(self, seconds: float) -> bool:
        """Whether it has an answer, within so many seconds."""
        return self._pipe.poll(seconds)

    def answer(self) -> Any:
        """Its answer, or its error."""
        assert self._pipe.poll(ANSWER_SECONDS), "a process does not answer"
        try:
            return self._pipe.recv()
        except EOFError:
            return RuntimeError(f"it ended without an answer: {self._process.exitcode}")

    def kill(self) -> list[int]:
        """Kill it, and nothing else; the processes that it had started."""
        started = children(self.pid)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._process.join()
        return started

    def close(self) -> None:
        """Wait for its end."""
        self._process.join(ANSWER_SECONDS)
        self._process.kill()
        self._process.join()
        self._pipe.close()


@contextmanager
def forked(work: Callable[..., Any], *arguments: Any) -> Iterator[Fork]:
    """A fork that has ended when the block has."""
    fork = Fork(work, *arguments)
    try:
        yield fork
    finally:
        fork.close()


def done_in_a_fork(work: Callable[..., Any], *arguments: Any) -> Any:
    """
    The result of some work.

    :raises Exception: what the work raised.
    """
    with forked(work, *arguments) as fork:
        answer = fork.answer()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _run(end: Any, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        answer = work(*arguments)
    except Exception as error:
        answer = error
    try:
        end.send(answer)
    except Exception as error:
        end.send(RuntimeError(f"{answer!r} cannot be sent: {error!r}"))
