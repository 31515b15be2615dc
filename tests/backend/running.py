"""Our server as a process of its own, and databases of their own."""

from __future__ import annotations

import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import sqlalchemy

from aporia_provider.backend.server.auth.tokens import create_token
from aporia_provider.backend.store.database import Database
from tests.backend.forked_commands import ForkedCommand, run_forked

SCRIPT = str(Path(sys.executable).with_name("aporia-provider"))


@dataclass
class Served:
    """A running server."""

    url: str
    process: subprocess.Popen[str] | ForkedCommand
    lines: list[str] = field(default_factory=list)

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    def ask(self, method: str, path: str, token: str | None = None, **options: Any) -> httpx2.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        headers |= options.pop("headers", {})
        # To load the certificates of authorities takes longer than most requests, and there is no TLS.
        with httpx2.Client(trust_env=False, timeout=120, verify=False) as client:
            return client.request(method, self.url + path, headers=headers, **options)


@contextmanager
def serving(database_url: str, *arguments: str, script: bool = False, **options: Any) -> Iterator[Served]:
    """
    Run ``aporia-provider serve`` until the block ends.

    :param script: Start the installed script instead of a fork of a process that has imported it.
    :param options: See :class:`subprocess.Popen`, or :class:`ForkedCommand` without ``script``.
    """
    command = ["serve", "--port", "0", "--database-url", database_url, *arguments]
    running: subprocess.Popen[str] | ForkedCommand
    if script:
        running = subprocess.Popen([SCRIPT, *command], stderr=subprocess.PIPE, text=True, **options)
    else:
        running = ForkedCommand(command, stderr=subprocess.PIPE, **options)
    served = Served("", running)
    ready = threading.Event()
    reader = threading.Thread(target=_read, args=(served, ready))
    reader.start()
    try:
        assert ready.wait(300), "the server printed nothing"
        assert served.url, served.log
        yield served
    finally:
        running.terminate()
        try:
            running.wait(60)
        finally:
            running.kill()
            running.wait(60)
            reader.join()
            assert running.stderr is not None
            running.stderr.close()


def _read(served: Served, ready: threading.Event) -> None:
    assert served.process.stderr is not None
    for line in served.process.stderr:
        served.lines.append(line.rstrip("\n"))
        if line.startswith("Serving on "):
            served.url = line.split()[-1]
            ready.set()
    ready.set()


def token_for(database_url: str, environment: str) -> str:
    """Make a token as the command line does."""
    with Database(database_url) as database:
        return create_token(database, environment, f"test-{uuid.uuid4()}")


def empty_postgres(admin_url: str) -> AbstractContextManager[str]:
    """A PostgreSQL database of its own, with nothing in it."""
    return copied_postgres(admin_url, "template1")


@contextmanager
def copied_postgres(admin_url: str, template: str) -> Iterator[str]:
    """A PostgreSQL database of its own, a copy of the database with the name ``template``."""
    name = f"aporia_{uuid.uuid4().hex}"
    _administer(admin_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    url = sqlalchemy.make_url(admin_url).set(database=name)
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        _administer(admin_url, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(admin_url: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(admin_url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


def run_cli(
    *arguments: str, env: Mapping[str, str] | None = None, script: bool = False
) -> subprocess.CompletedProcess[str]:
    """
    Run ``aporia-provider`` to its end.

    :param script: See :func:`serving`.
    """
    if not script:
        return run_forked(arguments, env)
    command = [SCRIPT, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=env)
