"""What a block costs: its time, and the memory of this process and of those it started."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_PAUSE = 0.02
_MEGABYTE = 1 << 20


@dataclass
class Cost:
    """
    What a block has cost.

    :param seconds: Time on the clock.
    :param processor_seconds: Time of processors, which says more than the clock if the machine is busy.
    :param memory: The greatest sum of resident memory, in bytes.
    :param engine: How much of it belongs to the processes that were started.
    """

    seconds: float = 0.0
    processor_seconds: float = 0.0
    memory: int = 0
    engine: int = 0

    def __str__(self) -> str:
        return (
            f"{self.seconds:8.2f} s (processors {self.processor_seconds:8.2f} s) "
            f"{self.memory / _MEGABYTE:6.0f} MB (engine {self.engine / _MEGABYTE:5.0f} MB)"
        )


@contextmanager
def measured() -> Iterator[Cost]:
    """Measure a block; the answer is complete when the block has ended."""
    cost, done = Cost(), threading.Event()
    meter = _Meter(cost)
    watch = threading.Thread(target=meter.watch, args=(done,), daemon=True)
    watch.start()
    begin = time.perf_counter()
    try:
        yield cost
    finally:
        cost.seconds = time.perf_counter() - begin
        done.set()
        watch.join()


class _Meter:
    def __init__(self, cost: Cost) -> None:
        self._cost = cost
        self._own = psutil.Process()
        self._before = self._processor_seconds()
        # A process that ends takes its figure with it.
        self._last = dict(self._before)

    def watch(self, done: threading.Event) -> None:
        finished = False
        while not finished:
            finished = done.wait(_PAUSE)
            self._look()

    def _look(self) -> None:
        engine = sum(_resident(child) for child in self._own.children(recursive=True))
        memory = engine + _resident(self._own)
        if memory > self._cost.memory:
            self._cost.memory, self._cost.engine = memory, engine
        self._last |= self._processor_seconds()
        self._cost.processor_seconds = sum(self._last.values()) - sum(self._before.values())

    def _processor_seconds(self) -> dict[int, float]:
        found = {}
        for process in (self._own, *self._own.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                found[process.pid] = times.user + times.system
        return found


def _resident(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):
        return int(process.memory_info().rss)
    return 0


def forget(folder: Path) -> None:
    """Drop a folder's files from the system's cache, so that the next read is a cold one."""
    for path in folder.rglob("*.parquet"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def load() -> str:
    """How busy the machine is, to be printed beside every figure."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors"
