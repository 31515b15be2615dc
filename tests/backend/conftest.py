"""Databases and servers that the tests of the backend share."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.database import Database, migrate
from tests.backend.running import Served, copied_postgres, empty_postgres, serving
from tests.backend.syncing import SyncedVersion
from tests.processes import starts_process


@pytest.fixture(scope="session")
def shared_sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('shared')}/aporia.db"


@pytest.fixture(scope="session")
def shared_sqlite(shared_sqlite_url: str) -> Iterator[Database]:
    with Database(shared_sqlite_url) as database:
        yield database


@pytest.fixture(scope="session")
def shared_postgres(postgres_url: str) -> Iterator[Database]:
    with empty_postgres(postgres_url) as url:
        migrate(url)
        with Database(url) as database:
            yield database


@pytest.fixture(scope="session")
@starts_process()
def server(shared_sqlite_url: str) -> Iterator[Served]:
    with serving(shared_sqlite_url) as served:
        yield served


@pytest.fixture
def environment() -> str:
    return f"environment-{uuid.uuid4().hex}"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/home/aporia.db"


@pytest.fixture
def postgres_database_url(postgres_url: str) -> Iterator[str]:
    with empty_postgres(postgres_url) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
@starts_process(unless="sqlite")
def ready_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database of each kind."""
    if request.param == "sqlite":
        yield copied(request.getfixturevalue("migrated"), tmp_path / "home")
    else:
        template = request.getfixturevalue("migrated_postgres")
        with copied_postgres(request.getfixturevalue("postgres_url"), template) as url:
            yield url


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> Iterator[str]:
    """The name of a PostgreSQL database that is ready, to be copied."""
    with empty_postgres(postgres_url) as url:
        migrate(url)
        yield str(make_url(url).database)


@pytest.fixture
def monitored(tmp_path: Path, engine: str, migrated: Path) -> Iterator[SyncedVersion]:
    """A registered version, its tables on the disk."""
    with EmbeddedRegistry(copied(migrated, tmp_path), "prod") as registry:
        yield SyncedVersion(tmp_path, registry, engine).register()


def copied(database: Path, folder: Path) -> str:
    """The URL of a copy of an SQLite database; making a new one takes longer."""
    folder.mkdir(exist_ok=True)
    # With its mode, which is private.
    return f"sqlite:///{shutil.copy(database, folder / 'aporia.db')}"
