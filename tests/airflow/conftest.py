"""A real Airflow with a database of its own, and the connections a deployment would have."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.conftest import S3


@pytest.fixture(scope="session")
def migrated_airflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metadata database of Airflow without data, to be copied; all workers of a run share it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    migrated = folder / "airflow-migrated.db"
    with (folder / "airflow-migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not migrated.exists():
            migrate_airflow(folder / "airflow-migrating.db").rename(migrated)
    return migrated


def migrate_airflow(database: Path) -> Path:
    # A migration that failed leaves a part of the tables.
    database.unlink(missing_ok=True)
    command = [Path(sys.executable).with_name("airflow"), "db", "migrate"]
    env = environment(AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{database}")
    subprocess.run(command, check=True, capture_output=True, timeout=300, env=env)
    return database


@pytest.fixture
def airflow_database(migrated_airflow: Path) -> None:
    """A metadata database without data: no test sees the events of another."""
    # Airflow may have connections to the database, so the file cannot be replaced.
    with (
        closing(sqlite3.connect(migrated_airflow)) as empty,
        closing(sqlite3.connect(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db")) as used,
    ):
        empty.backup(used)


@pytest.fixture
def set_connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define an Airflow connection, as an environment variable."""

    def define(conn_id: str, **fields: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))

    return define


@pytest.fixture
def aws(s3: S3, set_connection: Callable[..., None]) -> S3:
    """The connection ``aws_default`` to the test's S3."""
    set_connection(
        "aws_default",
        conn_type="aws",
        login=servers.S3_KEY,
        password=servers.S3_SECRET,
        extra={"endpoint_url": s3.endpoint, "region_name": servers.S3_REGION},
    )
    return s3


@pytest.fixture
def lake(aws: S3) -> Iterator[None]:
    """The bucket that the example DAGs name."""
    s3 = aws.client()
    s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": servers.S3_REGION})
    yield
    delete_bucket(s3, "lake")


@pytest.fixture
def database_url(migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh database for the embedded backend, as the configuration says it."""
    url = f"sqlite:///{shutil.copy(migrated, tmp_path / 'aporia.db')}"
    monkeypatch.setenv("AIRFLOW__APORIA__DATABASE_URL", url)
    monkeypatch.setenv("AIRFLOW__APORIA__ENVIRONMENT", "prod")
    return url


@pytest.fixture
def registry(database_url: str) -> Iterator[Any]:
    """What the embedded backend has stored."""
    from aporia_provider.backend.embedded import EmbeddedRegistry

    with EmbeddedRegistry(database_url, "prod") as opened:
        yield opened


def delete_bucket(s3: Any, name: str) -> None:
    """Delete a bucket and what it holds, since the tests of a process share the server."""
    for item in s3.list_objects_v2(Bucket=name).get("Contents", ()):
        s3.delete_object(Bucket=name, Key=item["Key"])
    s3.delete_bucket(Bucket=name)


def environment(**more: str) -> dict[str, str]:
    """This process's environment with ``more``, for a process of its own."""
    return {**os.environ, **more}
