"""Databases and servers that the tests of the backend share."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.database import Database, migrate
from tests.backend.running import Served, empty_postgres, serving
from tests.backend.syncing import House
from tests.servers import sail


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
def ready_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of each kind."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    url = str(request.getfixturevalue("postgres_database_url"))
    migrate(url)
    return url


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """An engine that is running already: starting one takes longer than a small sync."""
    with sail() as url:
        yield url


@pytest.fixture
def house(tmp_path: Path, engine: str) -> Iterator[House]:
    """A registered version, its tables on the disk."""
    with EmbeddedRegistry(f"sqlite:///{tmp_path}/aporia.db", "prod") as registry:
        yield House(tmp_path, registry, engine).register()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database that is ready, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "aporia.db"
    EmbeddedRegistry(f"sqlite:///{path}", "prod").close()
    return path
