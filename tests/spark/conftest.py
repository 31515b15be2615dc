"""Apache Spark and the embedded engine, side by side on the same S3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from aporia_provider.data_sources import S3DataSource
from aporia_provider.engine.readers import read
from aporia_provider.engine.session import EMBEDDED, spark_session
from aporia_provider.lake.credentials import AwsCredentials
from tests import servers
from tests.airflow.conftest import (  # noqa: F401
    airflow_database,
    aws,
    database_url,
    migrated_airflow,
    registry,
    set_connection,
)
from tests.spark.server import HERE, VENV, Cluster, processes_of, spark_connect

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Engine:
    """A session, and whether it is of the embedded engine."""

    spark: SparkSession
    embedded: bool

    def frame(self, source: S3DataSource, sample_by: str | None = None) -> DataFrame:
        return read(self.spark, source, embedded=self.embedded, sample_by=sample_by)

    def rows(self, source: S3DataSource, sample_by: str | None = None) -> list[dict[str, Any]]:
        """The rows of a source, and the columns in them, in an order that depends on nothing but them."""
        found = (row.asDict(recursive=True) for row in self.frame(source, sample_by).collect())
        return sorted((dict(sorted(row.items())) for row in found), key=repr)


@dataclass(frozen=True)
class Engines:
    """Both of them."""

    cluster: Engine
    embedded: Engine

    def __iter__(self) -> Iterator[Engine]:
        yield from (self.cluster, self.embedded)

    def rows(self, source: S3DataSource, sample_by: str | None = None) -> list[dict[str, Any]]:
        """What both read, which has to be the same."""
        read_by_cluster = self.cluster.rows(source, sample_by)
        assert read_by_cluster == self.embedded.rows(source, sample_by)
        return read_by_cluster


@pytest.fixture(scope="session")
def cluster(s3_endpoint: str) -> Iterator[Cluster]:
    if not (VENV / ".made-with").exists():
        pytest.fail(f"Spark is not there: run {HERE / 'make_spark_venv.sh'} {VENV}")
    with spark_connect(s3_endpoint) as running:
        yield running
    assert not processes_of(running.pid)


@pytest.fixture(scope="session")
def engines(cluster: Cluster, s3_endpoint: str) -> Iterator[Engines]:
    known = AwsCredentials(servers.S3_KEY, servers.S3_SECRET, None, servers.S3_REGION, s3_endpoint)
    with spark_session(cluster.url) as spark, spark_session(EMBEDDED, known) as sail:
        yield Engines(Engine(spark, embedded=False), Engine(sail, embedded=True))
