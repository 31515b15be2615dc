"""Pytest fixtures. Each pytest run imports this module, so other modules are imported on first use."""

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
    """Yield the URL of the S3 server shared by all tests of this process."""
    from aporia_provider.testing.s3 import s3_server

    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def aporia_s3(aporia_s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalS3]:
    """Yield an S3 server on loopback, configured as the connection ``aws_default``, with one empty bucket."""
    from aporia_provider.testing.isolation import use_aws_connection
    from aporia_provider.testing.s3 import LocalS3

    s3 = LocalS3(aporia_s3_endpoint)
    use_aws_connection(monkeypatch, s3)
    s3.create_bucket(s3.bucket)
    yield s3
    s3.reset()


@pytest.fixture
def aporia_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedRegistry]:
    """Yield an empty embedded backend, which hooks and operators of this test use."""
    from aporia_provider import settings
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.testing.isolation import use_embedded_backend

    url = f"sqlite:///{tmp_path / 'aporia.db'}"
    use_embedded_backend(monkeypatch, url)
    with EmbeddedRegistry(url, settings.environment()) as registry:
        yield registry


@pytest.fixture
def aporia_run(aporia_registry: EmbeddedRegistry, monkeypatch: pytest.MonkeyPatch) -> TaskRunner:
    """Return a function that runs an operator as a task. Tasks of one test share their XComs."""
    from aporia_provider.testing.isolation import use_environment_connections
    from aporia_provider.testing.tasks import TaskRunner

    use_environment_connections(monkeypatch)
    return TaskRunner()


@pytest.fixture
def aporia_write_delta(aporia_s3: LocalS3) -> TableWriter:
    """Return a function that writes rows to a Delta table of the given name and returns its data source."""
    from aporia_provider.testing.tables import TableWriter

    return TableWriter(aporia_s3)
