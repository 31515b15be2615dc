"""The fixtures. Every run of pytest imports this module, so that it imports the others only when asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.testing.s3 import LocalS3
    from aporia_provider.testing.tables import TableWriter
    from aporia_provider.testing.tasks import TaskRunner


@pytest.fixture(scope="session")
def aporia_s3_endpoint() -> Iterator[str]:
    """URL of the S3 that all tests of this process share."""
    from aporia_provider.testing.s3 import s3_server

    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def aporia_s3(aporia_s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalS3]:
    """An S3 on loopback behind the Airflow connection ``aws_default``; it is empty but for one bucket."""
    from aporia_provider.testing.isolation import use_aws_connection
    from aporia_provider.testing.s3 import LocalS3

    s3 = LocalS3(aporia_s3_endpoint)
    use_aws_connection(monkeypatch, s3)
    s3.create_bucket(s3.bucket)
    yield s3
    s3.reset()


@pytest.fixture
def aporia_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedRegistry]:
    """An embedded backend of the test's own, which hooks and operators use; it is empty."""
    from aporia_provider import settings
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.testing.isolation import use_embedded_backend

    url = f"sqlite:///{tmp_path / 'aporia.db'}"
    use_embedded_backend(monkeypatch, url)
    with EmbeddedRegistry(url, settings.environment()) as registry:
        yield registry


@pytest.fixture
def aporia_run(aporia_registry: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch) -> TaskRunner:
    """Call it with an operator to run that as a task; tasks of one test see each other's XComs."""
    from aporia_provider.testing.isolation import use_environment_connections
    from aporia_provider.testing.tasks import TaskRunner

    use_environment_connections(monkeypatch)
    return TaskRunner()


@pytest.fixture
def aporia_write_delta(aporia_s3: LocalS3) -> TableWriter:
    """Call it with rows and a name to write a Delta table; returns its data source."""
    from aporia_provider.testing.tables import TableWriter

    return TableWriter(aporia_s3)
