"""A server that is sent hostile requests for long answers all of them, and its memory does not grow."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from aporia_provider.backend.server.auth.tokens import create_token
from aporia_provider.backend.store.database import Database, migrate
from tests import servers
from tests.backend.running import empty_postgres
from tests.backend.stored import store_days
from tests.backend.test_fuzz import DOCUMENT
from tests.soak import REQUESTS, SEED
from tests.soak.hostile import routes
from tests.soak.traffic import Tally, Target, attack

log = logging.getLogger(__name__)

MB = 1024 * 1024
MOST_GROWTH = 100 * MB
"""Several large bodies at once take up to 230 MB, which is released behind one of the next ones."""
WARM_UP = max(REQUESTS // 10, min(20_000, REQUESTS // 2))
"""The requests after which the memory has to stay what it is."""
ENVIRONMENT = "soak"
_LOGGED_EACH = 30
"""Seconds."""


class Memory:
    """
    The memory of processes, looked at once a second.

    :param targets: The servers.
    """

    def __init__(self, targets: list[Target]) -> None:
        self._targets = targets
        self.sizes: dict[str, list[int]] = {target.name: [] for target in targets}
        """Bytes of each server, in the order of time."""

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Note the memory of the servers once a second within the block."""
        done = threading.Event()

        def look() -> None:
            for second in count(1):
                if done.wait(1):
                    break
                for target in self._targets:
                    self.sizes[target.name].append(_resident(target.pid))
                if second % _LOGGED_EACH == 0:
                    now = {name: sizes[-1] // MB for name, sizes in self.sizes.items()}
                    log.info("memory in MB: %s", now)

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def growth(self) -> dict[str, int]:
        """
        How much larger the least memory of a server is in the second half of the time than in the first.

        Large bodies take memory for a moment, which the least leaves out.
        """
        return {
            name: min(sizes[len(sizes) // 2 :]) - min(sizes[: len(sizes) // 2])
            for name, sizes in self.sizes.items()
        }


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


@contextmanager
def attacked(name: str, url: str, folder: Path) -> Iterator[Target]:
    """A server whose database has a model with states of 30 days, and tokens of all kinds."""
    store_days(url, ENVIRONMENT, list("abcde"), 30)
    with Database(url) as database:
        expired = create_token(database, ENVIRONMENT, "old", expires_in=timedelta(microseconds=1))
        stored = create_token(database, ENVIRONMENT, "stored", read_only=True)
    full = "soak-token-that-may-do-all"
    tokens = folder / f"{name}.tokens"
    tokens.write_text(f"{ENVIRONMENT} {full}\n")
    tokens.chmod(0o600)
    port = servers.free_port()
    command = [sys.executable, "-m", "aporia_provider.cli.main", "serve", "--port", str(port)]
    command += ["--database-url", url, "--token-file", str(tokens)]
    ready = f"http://127.0.0.1:{port}/health"
    with servers.process(command, ready=ready, log=str(folder / f"{name}.log")) as pid:
        yield Target(name, pid, port, {"full": full, "reading": stored, "expired": expired})


@pytest.fixture
def targets(tmp_path: Path, postgres_url: str) -> Iterator[list[Target]]:
    """A server with SQLite, and one with PostgreSQL."""
    with ExitStack() as stack:
        stored = stack.enter_context(empty_postgres(postgres_url))
        migrate(stored)
        urls = {"sqlite": f"sqlite:///{tmp_path}/aporia.db", "postgresql": stored}
        yield [stack.enter_context(attacked(name, url, tmp_path)) for name, url in urls.items()]


@pytest.mark.timeout(8 * 3600)
def test_hostile_requests(targets: list[Target], tmp_path: Path) -> None:
    known, memory = routes(DOCUMENT), Memory(targets)
    tally = attack(targets, known, WARM_UP, f"{SEED} warm-up")
    with memory.watched():
        tally.add(attack(targets, known, REQUESTS - WARM_UP, str(SEED)))
    for name, sizes in memory.sizes.items():
        log.info("%s: %d to %d MB after the warm-up", name, min(sizes) // MB, max(sizes) // MB)
    log.info("answers: %s", dict(tally.outcomes))
    check(tally, tmp_path)
    growth = memory.growth()
    assert max(growth.values()) <= MOST_GROWTH, f"the memory grows: {growth}; seed {SEED}"


def check(tally: Tally, folder: Path) -> None:
    """All requests were answered, or their connections ended in time, and no answer was a fault."""
    logged = {path.name: faults(path) for path in folder.glob("*.log")}
    assert tally.faults == [], f"seed {SEED}; {logged}"
    assert tally.outcomes.total() >= REQUESTS
    statuses = {int(status) for _, status in tally.statuses if status.isdecimal()}
    assert statuses <= documented(), f"seed {SEED}: {tally.statuses}"
    assert logged == {name: [] for name in logged}, f"seed {SEED}"


def documented() -> set[int]:
    """The statuses that the OpenAPI document promises."""
    described = (route for methods in DOCUMENT["paths"].values() for route in methods.values())
    return {int(status) for route in described for status in route["responses"]}


def faults(path: Path) -> list[str]:
    """The first lines of a server's log that tell of an error that nobody has foreseen."""
    with path.open(errors="replace") as lines:
        found = (line.rstrip() for line in lines if line.startswith("Traceback") or " ERROR " in line)
        return [line for line, _ in zip(found, range(20), strict=False)]
