"""Parsing and display of database URLs."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from aporia_provider.errors import ValidationError
from aporia_provider.redaction import HIDDEN

_SHOWN_OPTIONS = {"connect_timeout", "host", "hostaddr", "mode", "port", "sslmode", "uri"}


def read_url(text: str) -> URL:
    """
    Parse a database URL, and set the driver to use.

    :param text: SQLAlchemy URL of a PostgreSQL database or an SQLite file.
    :raises aporia_provider.errors.ValidationError: if the URL is malformed, or names another kind of
        database.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise ValidationError(
            "The database URL cannot be read; write sqlite:////path or postgresql://…"
        ) from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and url.database and ":memory:" not in url.database:
        return url.set(drivername="sqlite+pysqlite")
    raise ValidationError(f"The database has to be PostgreSQL or an SQLite file, not {display_url(url)}")


def display_url(url: URL) -> str:
    """Return the URL for display, without its password and without options that may be secret."""
    hidden = sorted(url.query.keys() - _SHOWN_OPTIONS)
    text = url.difference_update_query(hidden).render_as_string(hide_password=True)
    return f"{text}{'&' if '?' in text else '?'}{HIDDEN}" if hidden else text


def is_sqlite(url: URL) -> bool:
    """Return whether the database is an SQLite file."""
    return url.get_backend_name() == "sqlite"


def sqlite_path(url: URL) -> Path:
    """Return the path of an SQLite file."""
    path = str(url.database)
    if path.startswith("file:"):
        path = unquote(re.sub(r"^file:(?://[^/]*(?=/))?", "", path).partition("?")[0])
    return Path(path).absolute()


def sqlite_folder(url: URL) -> Path:
    """Return the folder of an SQLite file."""
    return sqlite_path(url).parent
