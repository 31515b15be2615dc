"""A sync that is killed at any moment leaves the last good states, and the next one brings the rest."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE
from tests.backend.killable import Syncing, alive, children, poll, syncing
from tests.backend.syncing import Stored, SyncedVersion, assert_equal_rows, labelled, spread, stored

pytestmark = pytest.mark.very_slow

CRASHES = int(os.environ.get("APORIA_CRASHES", "3"))


@pytest.fixture
def large(monitored: SyncedVersion) -> SyncedVersion:
    """Predictions and labels of 40 days, synced; after that most of them changed, and 40 more came."""
    monitored.connect("serving")
    monitored.connect("actuals")
    predictions = spread(1, 40, 3)
    monitored.write("serving", predictions)
    monitored.write("actuals", labelled(200, dict.fromkeys(predictions["id"].to_pylist()[::2], True)))
    monitored.sync("serving")
    monitored.delta("serving").update(predicate="city = 'Rome'", new_values={"age": 1.5})
    monitored.write("serving", spread(41, 80, 3))
    monitored.write("actuals", labelled(201, dict.fromkeys(predictions["id"].to_pylist()[::3], False)))
    return monitored


@pytest.fixture
def copies(large: SyncedVersion) -> Iterator[list[Path]]:
    """Copies of its database as it was before the last sync."""
    made = [large.folder / f"{number}.db" for number in range(CRASHES + 2)]
    for copy in made:
        shutil.copyfile(large.folder / "aporia.db", copy)
    yield made
    for copy in made:
        copy.unlink()


def url(database: Path) -> str:
    return f"sqlite:///{database}"


def states(database: Path) -> Stored:
    with EmbeddedRegistry(url(database), "prod") as registry:
        return stored(registry.database)


def undisturbed(database: Path) -> float:
    """Sync a copy to the end; how long it takes."""
    with syncing(url(database), "embedded") as process:
        began = time.monotonic()
        process.go()
        assert process.answer() == "changed"
        return time.monotonic() - began


def one_of(part: str, found: Stored, before: Stored, after: Stored) -> str:
    """Which of two the states of a part are: nothing lies between."""
    mine, old, new = (
        {key: state for key, state in states.items() if key[1] == part} for states in (found, before, after)
    )
    assert mine in (old, new), f"the states of {part} are neither those before the sync nor those after it"
    return "after" if mine == new else "before"


def kill(process: Syncing) -> None:
    """Kill it; what it had started has to end by itself."""
    started = process.kill()
    poll(lambda: not any(alive(pid) for pid in started))


def finish(large: SyncedVersion, database: Path) -> Stored:
    """Sync what is left, in another process's place; what is stored in the end."""
    with EmbeddedRegistry(url(database), "prod") as registry:
        SyncedVersion(large.folder, registry, large.engine).sync("serving", wait_seconds=120)
        return stored(registry.database)


def test_at_any_moment(large: SyncedVersion, copies: list[Path]) -> None:
    first, spare, *rest = copies
    before, seconds = states(spare), undisturbed(first)
    after = states(first)
    assert finish(large, spare) == after
    seen = []
    for number, database in enumerate(rest):
        moment = seconds * (number + random.random()) / len(rest)
        with syncing(url(database), "embedded", lease_seconds=1) as process:
            process.go()
            process.done(moment)
            kill(process)
        found = states(database)
        seen += [
            (
                round(moment / seconds, 2),
                one_of(FIELDS, found, before, after),
                one_of(PERFORMANCE, found, before, after),
            )
        ]
        assert finish(large, database) == after, f"killed {moment:.3f} s after it began; {seen}"


def test_in_the_middle_of_its_transaction(monitored: SyncedVersion) -> None:
    monitored.connect("serving")
    monitored.write("serving", spread(1, 2, 300))
    monitored.sync()
    before = monitored.stored()
    # So many ids, which cannot be compressed, that SQLite writes a part of them before the end.
    monitored.write("serving", spread(1, 1000, 250, seed=1), mode="overwrite")
    with EmbeddedRegistry(url(killed_while_it_writes(monitored)), "prod") as registry:
        killed = SyncedVersion(monitored.folder, registry, monitored.engine)
        assert killed.stored() == before
        assert killed.sync()["rows"] == 250_000
        assert_equal_rows(killed, killed.rows("serving"))


def killed_while_it_writes(monitored: SyncedVersion) -> Path:
    """A copy of its database; its sync was killed when a part of what it writes was on the disk."""
    reached = monitored.status()["table_version"]
    for number in range(10):
        database = monitored.folder / f"{number}.db"
        shutil.copyfile(monitored.folder / "aporia.db", database)
        kill_once_it_writes(database, monitored.engine)
        with EmbeddedRegistry(url(database), "prod") as registry:
            # Or else it had come to the end before it was killed.
            if SyncedVersion(monitored.folder, registry).status()["table_version"] == reached:
                return database
    pytest.fail("it was never killed in time")


def kill_once_it_writes(database: Path, engine: str) -> None:
    written = Path(f"{database}-wal")
    with syncing(url(database), engine, lease_seconds=1) as process:
        process.go()
        poll(lambda: process.done() or size(written) > 100_000)
        assert not process.done() or process.answer() == "changed"
        kill(process)


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_the_engine_dies(large: SyncedVersion) -> None:
    before = large.stored()
    database = large.folder / "aporia.db"
    with syncing(url(database), "embedded") as process:
        process.go()
        # An engine that ends earlier is replaced.
        poll(lambda: connected(process.process.pid) or process.done())
        (engine,) = children(process.process.pid)
        os.kill(engine, signal.SIGKILL)
        assert "EngineKilledError('The embedded engine was killed while it" in process.answer()
    assert large.stored() == before
    assert large.status()["status"] == "failed"
    large.sync()
    large.check()


def connected(pid: int) -> bool:
    """Whether a process has a connection."""
    sockets = set()
    with suppress(OSError):
        sockets = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    tables = (Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6"))
    lines = [line for table in tables for line in table.splitlines()[1:]]
    return any(f"socket:[{line.split()[9]}]" in sockets and line.split()[3] == "01" for line in lines)
