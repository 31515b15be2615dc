"""Construction of the page for Airflow's API server."""

from __future__ import annotations

import threading
from pathlib import Path

from starlette.applications import Starlette

from aporia_provider import settings
from aporia_provider.airflow_page import dag_views
from aporia_provider.airflow_page.airflow_access import AirflowAccess
from aporia_provider.backend.page.application import create_page
from aporia_provider.backend.page.availability import PageUnavailableError
from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.database_urls import is_sqlite, read_url

_NO_DATABASE = (
    "The database of the embedded backend does not exist yet. It is created by the first task that registers "
    "a model. If the tasks run on other machines than the API server, set [aporia] database_url to a "
    "PostgreSQL database for both."
)


def create_airflow_page() -> Starlette:
    """Create the page, which opens the database of the embedded backend when it is first requested."""
    access = AirflowAccess(settings.PAGE_PREFIX, dag_views.routes)
    return create_page(
        _Databases().opened, access, allowed_local_folders=settings.allowed_local_folders() or None
    )


class _Databases:
    """The database of the configuration, opened once."""

    def __init__(self) -> None:
        self._database: Database | None = None
        self._lock = threading.Lock()

    def opened(self) -> Database:
        """
        Return the database.

        :raises aporia_provider.errors.AporiaError: if it cannot be opened.
        """
        with self._lock:
            if self._database is None:
                url = settings.database_url()
                _check_exists(url)
                self._database = Database(url)
            return self._database


def _check_exists(url: str) -> None:
    """Raise an error if a database is a file that does not exist: a page must not create it."""
    parsed = read_url(url)
    if is_sqlite(parsed) and parsed.database and not Path(parsed.database).exists():
        raise PageUnavailableError(_NO_DATABASE)
