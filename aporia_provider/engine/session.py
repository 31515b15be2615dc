"""Spark Connect sessions with the embedded engine or a cluster."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from aporia_provider.engine.connecting import INSTALL, connect, disconnect, import_client
from aporia_provider.engine.embedded.engines import EmbeddedEngines
from aporia_provider.engine.embedded.process import BATCH_ROWS, EngineProcess
from aporia_provider.engine.endpoints import SCHEME, Endpoint
from aporia_provider.engine.limits import UNLIMITED, EngineLimits, EngineWatchdog
from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.redaction import redact_url

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EMBEDDED = "embedded"


class Session(NamedTuple):
    """
    An open session.

    :param spark: The Spark Connect session.
    :param watchdog: Watchdog that determines why the embedded engine ended; None for a cluster.
    """

    spark: SparkSession
    watchdog: EngineWatchdog | None


@contextmanager
def spark_session(
    engine: str = EMBEDDED, credentials: AwsCredentials | None = None, limits: EngineLimits = UNLIMITED
) -> Iterator[SparkSession]:
    """Open a session that is closed at the end of the block. An embedded engine ends as well."""
    with (
        EmbeddedEngines() as engines,
        open_session(engine, credentials, limits, engines=engines) as session,
    ):
        yield session.spark


@contextmanager
def open_session(
    engine: str,
    credentials: AwsCredentials | None,
    limits: EngineLimits,
    *,
    engines: EmbeddedEngines,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[Session]:
    """
    Open a session that is closed at the end of the block.

    :param engine: ``embedded``, or the ``sc://host:port`` of a cluster.
    :param credentials: Credentials for S3 of the embedded engine. A cluster has its own.
    :param limits: Limits of the embedded engine in the block.
    :param engines: The embedded engines of the caller. One of them is used or started.
    :param batch_rows: Maximum number of rows of the embedded engine's batches.
    :raises aporia_provider.engine.limits.EngineMemoryError: in the block, if the engine exceeds its memory
        limit. Other errors: see
        :meth:`~aporia_provider.engine.limits.EngineWatchdog.converted_errors`.
    :raises aporia_provider.errors.ValidationError: if ``engine`` is invalid or not installed.
    :raises aporia_provider.errors.TransientError: if the cluster does not respond, or the embedded engine is
        killed while it starts.
    :raises aporia_provider.engine.error_messages.EngineAuthenticationError: if the cluster rejects the token.
    """
    require_installed(engine)
    if engine == EMBEDDED:
        s3_credentials = credentials or AwsCredentials()
        engines.start(s3_credentials, batch_rows)
        # This takes longer than the start of the engine.
        import_client()
        with (
            engines.watched(s3_credentials, batch_rows, limits) as (process, watchdog),
            watchdog.converted_errors(),
            _connected(Endpoint("127.0.0.1", process.port), process) as spark,
        ):
            yield Session(spark, watchdog)
    elif engine.startswith(SCHEME):
        with _connected(Endpoint.parse(engine)) as spark:
            yield Session(spark, None)
    else:
        display_url = redact_url(engine.partition(";")[0])
        raise ValidationError(
            f"{display_url!r} is not an engine: write 'embedded', or sc://host:port of a cluster"
        )


def require_installed(engine: str) -> None:
    """
    Check that the packages which an engine requires are installed.

    :param engine: See :func:`open_session`.
    :raises aporia_provider.errors.ValidationError: if they are not.
    """
    if engine == EMBEDDED:
        _require("pysail", "The embedded engine")
    if engine == EMBEDDED or engine.startswith(SCHEME):
        _require("pyspark", "Reading data")


def is_embedded(engine: str) -> bool:
    """Return whether ``engine`` is the embedded engine."""
    return engine == EMBEDDED


def is_sail(spark: SparkSession) -> bool:
    """
    Return whether the engine of a session is Sail, as the embedded engine is.

    ``spark.version`` is the version of Spark that Sail emulates, and ``version()`` returns the version of
    Sail.
    """
    return not spark.sql("SELECT version()").collect()[0][0].startswith(spark.version)


def _require(module: str, purpose: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise ValidationError(f"{purpose} requires {module}, which is not installed: {INSTALL}")


@contextmanager
def _connected(endpoint: Endpoint, process: EngineProcess | None = None) -> Iterator[SparkSession]:
    """
    Open a session that is closed at the end of the block.

    :param endpoint: The server.
    :param process: Its process if it is the embedded engine; None for a cluster.
    """
    spark = connect(endpoint, is_cluster=process is None)
    try:
        yield spark
    finally:
        disconnect(spark, is_released=process is not None and not process.is_running)
