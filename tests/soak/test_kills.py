"""Syncs whose processes, engines and databases are killed leave the last good states, or the new ones."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median

import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.database import Database, migrate
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE
from aporia_provider.errors import TransientError
from tests.backend.killable import alive, children, poll
from tests.backend.syncing import MODEL, VERSION, Stored, SyncedVersion, labelled, spread, stored
from tests.backend.test_sync_crash import one_of
from tests.servers import sail
from tests.soak import KILLS, SEED
from tests.soak.forks import Fork, done_in_a_fork, forked, preload
from tests.soak.postmaster import Postmaster, running_postmaster

log = logging.getLogger(__name__)

EMBEDDED = "embedded"
PROCESS, ENGINE, BACKEND, POSTMASTER = "process", "engine", "PostgreSQL process", "PostgreSQL server"
VICTIMS = {"sqlite": [PROCESS, ENGINE], "postgresql": [PROCESS, ENGINE, BACKEND, POSTMASTER]}
PATIENCE = 10.0
"""Seconds within which the next sync starts, although a lease lasts 60."""
REPORT_SECONDS = 20.0


@dataclass
class Case:
    """
    Tables that have changed since they were synced.

    :param kind: The kind of database.
    :param folder: The tables.
    :param database: The file or the name of the database, to be copied.
    :param before: The states that it has.
    :param after: The states that an undisturbed sync comes to.
    """

    kind: str
    folder: Path
    database: str
    before: Stored
    after: Stored


def sync(url: str, engine: str, wait_seconds: float) -> bool:
    """Sync the predictions; whether anything has changed."""
    with EmbeddedRegistry(url, "prod") as registry:
        told = registry.sync_dataset(MODEL, VERSION, "serving", engine=engine, wait_seconds=wait_seconds)
        return bool(told["changed"])


def prepare(url: str, folder: Path, engine: str, change: int) -> None:
    """Sync predictions and labels of some days, and change the tables then."""
    with EmbeddedRegistry(url, "prod") as registry:
        monitored = SyncedVersion(folder, registry, engine).register()
        monitored.connect("serving")
        monitored.connect("actuals")
        predictions = spread(1, 8, 3, seed=change)
        monitored.write("serving", predictions)
        ids = predictions["id"].to_pylist()
        monitored.write("actuals", labelled(100, dict.fromkeys(ids[::2], True)))
        monitored.sync("serving")
        if change == 0:
            monitored.write("serving", spread(9, 12, 3, seed=change))
        elif change == 1:
            monitored.delta("serving").update(predicate="city = 'Rome'", new_values={"age": "1.5"})
            monitored.write("actuals", labelled(101, dict.fromkeys(ids[::3], False)))
        else:
            monitored.write("serving", spread(4, 20, 2, seed=change + 1), mode="overwrite")
            monitored.write("actuals", labelled(102, dict.fromkeys(ids[1::2], True)), mode="overwrite")


def states(url: str) -> Stored:
    with Database(url) as database:
        return stored(database)


class Stage:
    """
    The cases, and what can be killed.

    :param folder: Where tables and files are.
    :param engine: An engine that is not killed.
    :param postmaster: A server that is.
    :param random: Where the choices come from.
    """

    def __init__(self, folder: Path, engine: str, postmaster: Postmaster, random: Random) -> None:
        self.folder, self.engine, self.postmaster, self.random = folder, engine, postmaster, random
        self._seconds: dict[str, deque[float]] = {
            engine: deque(maxlen=9) for engine in (EMBEDDED, self.engine)
        }
        self.cases = [self._case(kind, change) for kind in VICTIMS for change in range(3)]
        with self.copied(self.cases[0]) as copy:
            assert self.undisturbed(copy, EMBEDDED) == self.cases[0].after

    def _case(self, kind: str, change: int) -> Case:
        folder = self.folder / f"{kind}{change}"
        folder.mkdir()
        name = str(folder / "aporia.db")
        if kind == "postgresql":
            name = f"before_{change}"
            self.postmaster.execute(f"CREATE DATABASE {name}")
            migrate(self.url(kind, name))
        url = self.url(kind, name)
        done_in_a_fork(prepare, url, folder, self.engine, change)
        case = Case(kind, folder, name, states(url), {})
        with self.copied(case) as copy:
            case.after = self.undisturbed(copy)
        assert case.after != case.before
        return case

    def undisturbed(self, url: str, engine: str | None = None) -> Stored:
        """The states that a sync comes to; how long it takes is noted."""
        began = time.monotonic()
        if done_in_a_fork(sync, url, engine or self.engine, PATIENCE):
            self._seconds[engine or self.engine].append(time.monotonic() - began)
        return states(url)

    def url(self, kind: str, database: str) -> str:
        return f"sqlite:///{database}" if kind == "sqlite" else self.postmaster.url(database)

    @contextmanager
    def copied(self, case: Case) -> Iterator[str]:
        """The URL of a copy of a case's database."""
        if case.kind == "postgresql":
            with self.postmaster.copy(case.database) as name:
                yield self.url(case.kind, name)
            return
        copy = case.folder / "copy.db"
        shutil.copy(case.database, copy)
        yield self.url(case.kind, str(copy))
        for path in case.folder.glob("copy.db*"):
            path.unlink()

    def kill(self, case: Case, url: str) -> tuple[str, float]:
        """Kill something at some moment of a sync, and check what that leaves; what it was, and when."""
        victim = self.random.choice(VICTIMS[case.kind])
        engine = EMBEDDED if victim == ENGINE or self.random.random() < 0.1 else self.engine
        moment = median(self._seconds[engine]) * self.random.random()
        with forked(sync, url, engine, PATIENCE) as fork:
            fork.answered(moment)
            answer = self._strike(victim, fork)
        if victim in (BACKEND, POSTMASTER):
            self.postmaster.wait_until_it_answers()
        log.debug("%s, %.2f s of %.2f: %r", victim, moment, median(self._seconds[engine]), answer)
        told = f"{victim} killed {moment:.3f} s after it began; it answered {answer!r}"
        assert answer is None or isinstance(answer, bool | TransientError), told
        found = states(url)
        reached = {one_of(part, found, case.before, case.after) for part in (FIELDS, PERFORMANCE)}
        # What was answered is stored.
        assert not isinstance(answer, bool) or reached == {"after"}, told
        return victim, moment

    def _strike(self, victim: str, fork: Fork) -> object:
        """Kill it; what the sync answers, if it is not the sync itself."""
        if victim == PROCESS:
            started = fork.kill()
            # What it has started has to end by itself.
            poll(lambda: not any(alive(pid) for pid in started), 20)
            return None
        if victim == ENGINE:
            poll(lambda: fork.answered(0) or bool(children(fork.pid)))
            for pid in children(fork.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        elif victim == BACKEND:
            self.postmaster.kill_one(self.random)
        else:
            self.postmaster.kill_first()
            self.postmaster.wait_until_it_answers()
        return fork.answer()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    preload()
    with sail() as engine, running_postmaster() as postmaster:
        yield Stage(tmp_path, engine, postmaster, Random(SEED))


@pytest.mark.timeout(8 * 3600)
def test_kills(stage: Stage) -> None:
    killed: Counter[str] = Counter()
    began = reported = time.monotonic()
    while killed.total() < KILLS:
        case = stage.random.choice(stage.cases)
        with stage.copied(case) as url:
            done = []
            # The next sync may be killed as well.
            while not done or (len(done) < 4 and stage.random.random() < 0.5):
                done.append(stage.kill(case, url))
                killed[f"{done[-1][0]}, {case.kind}"] += 1
            assert stage.undisturbed(url) == case.after, f"seed {SEED}: {done}"
        if time.monotonic() - reported > REPORT_SECONDS:
            reported = time.monotonic()
            log.info("%d kills in %.0f s: %s", killed.total(), reported - began, dict(killed))
    log.info("%d kills in %.0f s: %s", killed.total(), time.monotonic() - began, dict(killed))
