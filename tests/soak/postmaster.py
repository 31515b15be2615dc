"""A PostgreSQL server of which every process can be killed, and that is started again."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import sqlalchemy
from sqlalchemy.exc import DBAPIError

from tests.backend.killable import alive, children, poll
from tests.servers import started_postgres


class Postmaster:
    """
    A running server.

    :param folder: Where its data are.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._server = started_postgres(folder)
        # Connections are not kept: they would be broken by the next kill.
        self._engine = sqlalchemy.create_engine(
            self.url("postgres"), poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT"
        )
        # A process that is killed loses nothing that it has written, and recovery takes long otherwise.
        self.execute("ALTER SYSTEM SET fsync = off")
        self.execute("SELECT pg_reload_conf()")

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of one of its databases."""
        made = sqlalchemy.make_url(self._server.get_uri()).set(
            drivername="postgresql+psycopg", database=database
        )
        return made.render_as_string(hide_password=False)

    def execute(self, statement: str) -> None:
        """Execute a statement outside of a transaction."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)

    @contextmanager
    def copy(self, database: str | None = None) -> Iterator[str]:
        """A copy of a database, or an empty one; yields its name."""
        name = f"copy_{uuid.uuid4().hex}"
        # The default strategy copies sequences as they are in memory, and does not log values that were
        # logged for the original: after a crash, the copy would return a value of its sequences twice.
        self.execute(f"CREATE DATABASE {name} TEMPLATE {database or 'template1'} STRATEGY file_copy")
        yield name
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def kill_one(self, random: Random) -> None:
        """Kill one of the server's processes other than its first, which then starts all of them again."""
        found = children(self._first)
        if found:
            with suppress(ProcessLookupError):
                os.kill(random.choice(found), signal.SIGKILL)
            poll(lambda: not any(alive(pid) for pid in found))

    def kill_first(self) -> None:
        """Kill the server's first process, behind which the others end; it does not start again by itself."""
        others = children(self._first)
        os.kill(self._first, signal.SIGKILL)
        poll(lambda: not any(alive(pid) for pid in [self._first, *others]))
        Path(self._folder, "postmaster.pid").unlink(missing_ok=True)

    def wait_until_it_answers(self) -> None:
        """Start the server if it does not run, and wait until it accepts connections."""
        self._server = started_postgres(self._folder)
        poll(self._answers)

    def stop(self) -> None:
        """Stop it."""
        self._engine.dispose()
        self._server.cleanup()

    @property
    def _first(self) -> int:
        pid = self._server.get_pid()
        assert pid is not None
        return pid

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except DBAPIError:
            time.sleep(0.05)
            return False
        return True


@contextmanager
def running_postmaster() -> Iterator[Postmaster]:
    """A server of its own."""
    with TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        server = Postmaster(folder)
        try:
            yield server
        finally:
            server.stop()
