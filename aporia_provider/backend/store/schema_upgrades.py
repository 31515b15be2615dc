"""Migration of a database to the schema version that this code expects."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, inspect, text

from aporia_provider.backend.store.database_urls import display_url, is_sqlite, sqlite_folder
from aporia_provider.backend.store.tables import VERSION_TABLE
from aporia_provider.errors import AporiaError

# Listed here so that Alembic is not imported when the schema is current. Oldest first.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011")

_ADVISORY_LOCK = 0x61706F726961


def ensure_current(engine: Engine) -> None:
    """
    Check the schema version, and migrate an SQLite database if necessary.

    :raises AporiaError: if a PostgreSQL database has to be migrated first, or the schema is newer than this
        code.
    """
    with _file_lock(engine.url, fcntl.LOCK_SH):
        if _is_current(engine):
            return
    if is_sqlite(engine.url):
        upgrade(engine)
        return
    url = display_url(engine.url)
    raise AporiaError(
        f"The database {url} does not have the schema of this version. Run 'aporia-provider migrate' once; "
        "it reads the URL with its password from [aporia] database_url of Airflow's configuration, or from "
        "the environment variable AIRFLOW__APORIA__DATABASE_URL"
    )


def upgrade(engine: Engine) -> None:
    """
    Migrate the database to the current schema. Processes may call this concurrently.

    :raises AporiaError: if the schema is newer than this code.
    """
    with _file_lock(engine.url, fcntl.LOCK_EX):
        if _is_current(engine):
            return
        _prepare(engine)
        with engine.execution_options(aporia_writes=True).begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
            _run_migrations(connection)


def _is_current(engine: Engine) -> bool:
    with engine.connect() as connection:
        revision = _revision(connection)
    if revision is not None and revision not in REVISIONS:
        raise AporiaError(
            f"The database {display_url(engine.url)} has schema {revision}, newer than the {REVISIONS[-1]} "
            "that this version supports. Upgrade airflow-provider-aporia"
        )
    return revision == REVISIONS[-1]


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    return None if revision is None else str(revision)


def _prepare(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()


def _run_migrations(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _file_lock(url: URL, mode: int) -> Iterator[None]:
    """
    Lock the folder of an SQLite file.

    SQLite cannot switch to WAL mode while other connections read, and does not wait for them. The file itself
    is not locked, because closing it would release SQLite's own locks.
    """
    if not is_sqlite(url):
        yield
        return
    try:
        handle = os.open(sqlite_folder(url), os.O_RDONLY)
    except OSError as error:
        raise AporiaError(f"The folder {sqlite_folder(url)} cannot be read: {error.strerror}") from None
    try:
        fcntl.flock(handle, mode)
        yield
    finally:
        os.close(handle)
