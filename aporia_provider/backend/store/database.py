"""Database connections: SQLite shared by up to fifty processes, or PostgreSQL."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from aporia_provider.backend.store import schema_upgrades
from aporia_provider.backend.store.database_urls import display_url, is_sqlite, read_url, sqlite_folder
from aporia_provider.backend.store.file_modes import make_private, write_obstacle
from aporia_provider.errors import AporiaError, TransientError

BUSY_SECONDS = 30

_WRITES = "aporia_writes"


class Database:
    """
    Database of the embedded backend, at the schema version that this code expects.

    An SQLite database is created or migrated when it is opened; for PostgreSQL, run
    ``aporia-provider migrate``.

    :param url: SQLAlchemy URL of SQLite or PostgreSQL.
    :raises aporia_provider.errors.TransientError: if the database does not respond.
    :raises aporia_provider.errors.ValidationError: if the URL is malformed or unsupported.
    :raises aporia_provider.errors.AporiaError: if the schema is too old or too new.
    """

    def __init__(self, url: str) -> None:
        self.url = read_url(url)
        self.engine = make_engine(self.url)
        try:
            with converted_errors(self.url):
                schema_upgrades.ensure_current(self.engine)
        except BaseException:
            self.engine.dispose()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; later calls open new ones."""
        self.engine.dispose()

    @contextmanager
    def read_transaction(self) -> Iterator[Session]:
        """Run the block in a read-only transaction."""
        with converted_errors(self.url), Session(self.engine) as session, session.begin():
            yield session

    @contextmanager
    def write_transaction(self) -> Iterator[Session]:
        """Run the block in a transaction that writes; roll back if the block raises."""
        engine = self.engine.execution_options(**{_WRITES: True})
        with converted_errors(self.url), Session(engine) as session, session.begin():
            yield session


def migrate(url: str) -> None:
    """
    Migrate a database to the schema version of this code.

    :raises aporia_provider.errors.AporiaError: see :class:`Database`.
    """
    engine = make_engine(read_url(url))
    try:
        with converted_errors(engine.url):
            schema_upgrades.upgrade(engine)
    finally:
        engine.dispose()


def make_engine(url: URL) -> Engine:
    """Create an engine that threads can share and that remains usable in forked processes."""
    try:
        return _sqlite(url) if is_sqlite(url) else _postgresql(url)
    except ImportError:
        raise AporiaError("PostgreSQL requires airflow-provider-aporia[postgres]") from None


@contextmanager
def converted_errors(url: URL) -> Iterator[None]:
    """Convert SQLAlchemy errors to ``AporiaError``, or to ``TransientError`` if a retry may succeed."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        if is_sqlite(url) and (fault := write_obstacle(url)) is not None:
            raise AporiaError(f"The database {display_url(url)} cannot be written: {fault}") from None
        raise TransientError(f"The database {display_url(url)} does not respond: {_reason(error)}") from None
    except DatabaseError as error:
        # SQLite raises the base class itself for a file that is not a database.
        if type(error) is not DatabaseError:
            raise
        raise AporiaError(f"The database {display_url(url)} cannot be used: {_reason(error)}") from None


def _reason(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(cause).split())


def _sqlite(url: URL) -> Engine:
    try:
        sqlite_folder(url).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AporiaError(f"The folder {sqlite_folder(url)} cannot be created: {error.strerror}") from None
    make_private(url)
    # Opening a connection is cheap, and without a pool no connection is inherited by a fork.
    engine = create_engine(
        url, poolclass=NullPool, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # Otherwise the driver begins deferred transactions itself; see _begin_sqlite.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads first fails at once if another one wrote before its first write.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: URL) -> Engine:
    engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_pool_disposer(engine))
    return engine


def _pool_disposer(engine: Engine) -> Any:
    """
    Return a function that drops the inherited pool in a forked process; the parent's connections stay open.
    """
    reference = weakref.ref(engine)

    def forget() -> None:
        inherited = reference()
        if inherited is not None:
            inherited.dispose(close=False)

    return forget
