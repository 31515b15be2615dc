"""Processes that sync and can be killed at any moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.backend.syncing import MODEL, VERSION

# Processes are forked from one that has imported what a sync needs and opened nothing.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    # pyspark is not among them: it ends a process whose main module has no file.
    [
        "tests.backend.killable",
        "aporia_provider.backend.sync.runner",
        "deltalake",
        "sqlglot",
        "pandas",
        "grpc",
    ]
)


def poll(reached: Callable[[], bool], seconds: float = 120) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.002)


@dataclass
class Syncing:
    """A process that syncs once it is told to."""

    process: Any
    pipe: Any

    def go(self) -> None:
        self.pipe.send("go")

    def answer(self) -> str:
        """``changed`` or ``unchanged``, or what went wrong."""
        assert self.pipe.poll(120), "it does not answer"
        return str(self.pipe.recv())

    def done(self, seconds: float = 0) -> bool:
        """Whether it has an answer, within so many seconds."""
        return bool(self.pipe.poll(seconds))

    def kill(self) -> list[int]:
        """Kill it, and nothing else; the processes it had started."""
        started = children(self.process.pid)
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()
        return started


@contextmanager
def syncing(url: str, engine: str, lease_seconds: float = 60) -> Iterator[Syncing]:
    """A process that is ready to sync the serving dataset."""
    ours, theirs = _FORKS.Pipe()
    process = _FORKS.Process(target=_sync, args=(theirs, url, engine, lease_seconds))
    process.start()
    theirs.close()
    try:
        assert ours.poll(120), "it does not start"
        assert ours.recv() == "ready"
        yield Syncing(process, ours)
    finally:
        process.kill()
        process.join()
        ours.close()


def _sync(pipe: Any, url: str, engine: str, lease_seconds: float) -> None:
    from aporia_provider.backend.embedded import EmbeddedRegistry

    with EmbeddedRegistry(url, "prod") as registry:
        pipe.send("ready")
        pipe.recv()
        try:
            status = registry.sync_dataset(
                MODEL, VERSION, "serving", engine=engine, lease_seconds=lease_seconds
            )
            pipe.send("changed" if status["changed"] else "unchanged")
        except Exception as error:
            pipe.send(repr(error))


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _parent(folder) == pid:
            found.append(int(folder.name))
    return found


def _parent(folder: Path) -> int | None:
    try:
        # The name, in brackets, may hold anything.
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False
