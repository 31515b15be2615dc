"""Connections to a Spark Connect server, and conversion of connection errors."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from aporia_provider.engine.endpoints import Endpoint
from aporia_provider.engine.error_messages import ACCESS_DENIED_CODES, EngineAuthenticationError, rpc_failure
from aporia_provider.errors import AporiaError, NotFoundError, TransientError, ValidationError

if TYPE_CHECKING:
    import pyspark.sql
    import pyspark.sql.connect.session
    from pyspark.sql import SparkSession

INSTALL = "pip install 'airflow-provider-aporia[embedded]'"
_KNOWN_WARNINGS: tuple[tuple[str, type[Warning]], ...] = (
    ("PySpark does not yet fully support pandas", FutureWarning),
    (r"\[RETRIES_EXCEEDED\]", UserWarning),
)
_NO_TLS = (
    "it does not use TLS, and a token is sent only over TLS, except to 'localhost'. Add a TLS proxy before "
    "it, or omit the token and use_ssl"
)
_NO_HTTP2 = "it is an HTTP server without HTTP/2, not a Spark Connect server"
# Errors that gRPC reports as unavailable, but that a retry cannot resolve.
_PERMANENT = (
    ("WRONG_VERSION_NUMBER", _NO_TLS),
    ("CERTIFICATE_VERIFY_FAILED", "its certificate is not trusted"),
    ("connect an http1.x server", _NO_HTTP2),
)
_ERRORS_BY_CODE: dict[str, tuple[type[AporiaError], str]] = {
    **dict.fromkeys(ACCESS_DENIED_CODES, (EngineAuthenticationError, "denies access")),
    "UNIMPLEMENTED": (ValidationError, "is not a Spark Connect server"),
    "INVALID_ARGUMENT": (ValidationError, "rejects the connection"),
    "NOT_FOUND": (NotFoundError, "rejects the connection"),
}
_CLOSED_CONNECTION = re.compile("Connection reset|Socket closed|connection closed")
_TLS_HINT = ". If it uses TLS, set use_ssl"


def connect(endpoint: Endpoint, *, is_cluster: bool) -> SparkSession:
    """
    Return an open session.

    :param endpoint: The server.
    :param is_cluster: Whether the server is a cluster. It may recover after it was unavailable, and is sent
        the token in the environment variable ``SPARK_CONNECT_AUTHENTICATE_TOKEN`` if its URL contains none.
    :raises aporia_provider.errors.TransientError: if the server does not respond.
    :raises aporia_provider.engine.error_messages.EngineAuthenticationError: if it rejects the credentials.
    :raises aporia_provider.errors.ValidationError: if it is not a Spark Connect server, or rejects the
        connection for a permanent reason.
    """
    import_client()
    with main_module_with_file():
        spark = _create_session(endpoint, is_cluster)
        try:
            _prepare(spark, is_cluster)
        except Exception as error:
            disconnect(spark, is_released=True)
            raise _explain(endpoint, error) from None
    return spark


def disconnect(spark: SparkSession, *, is_released: bool) -> None:
    """
    Close a session.

    :param spark: The session.
    :param is_released: Whether the server no longer has the session. Requests to a server that has ended are
        repeated for four seconds.
    """
    # One attempt: a session that is not released ends when it has not been used for some time.
    spark.client.set_retry_policies([])
    session = cast("pyspark.sql.connect.session.SparkSession", spark)
    session.release_session_on_close = not is_released
    session.stop()


def import_client() -> None:
    """
    Import the client of Spark Connect.

    :raises aporia_provider.errors.ValidationError: if packages are missing.
    """
    _ignore_known_warnings()
    with main_module_with_file():
        try:
            import pyspark.sql.connect.session  # noqa: F401
        except ImportError as error:
            # pyspark without its Connect client lacks grpcio and other packages.
            raise ValidationError(f"Spark Connect cannot be used ({error}): {INSTALL}") from None


def _create_session(endpoint: Endpoint, is_cluster: bool) -> SparkSession:
    from pyspark.sql import SparkSession

    # getOrCreate() would return a session of this process that has other credentials.
    return (
        SparkSession.builder.remote(endpoint.url).create()
        if is_cluster
        else _create_session_without_token(endpoint)
    )


def _create_session_without_token(endpoint: Endpoint) -> SparkSession:
    """Return a session that ignores ``SPARK_CONNECT_AUTHENTICATE_TOKEN``, since tokens require TLS."""
    from pyspark.sql.connect.client import DefaultChannelBuilder
    from pyspark.sql.connect.session import SparkSession

    class Channel(DefaultChannelBuilder):
        @property
        def token(self) -> None:
            return None

    # As remote() does, so that pyspark uses the functions of Spark Connect.
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    session = SparkSession.builder.channelBuilder(Channel(endpoint.url)).create()
    return cast("pyspark.sql.SparkSession", session)


def _prepare(spark: SparkSession, is_cluster: bool) -> None:
    from pyspark.sql.connect.client.retries import DefaultPolicy

    default_policies = spark.client.get_retry_policies()
    # The default policies retry for ten minutes if the server is unreachable.
    spark.client.set_retry_policies([DefaultPolicy(max_retries=3, initial_backoff=200)])
    _ = spark.version
    if is_cluster:
        # A cluster may recover; an embedded engine that ended does not.
        spark.client.set_retry_policies(default_policies)
    # Times without a time zone are UTC, regardless of the time zone of the engine.
    spark.conf.set("spark.sql.session.timeZone", "UTC")


def _explain(endpoint: Endpoint, error: Exception) -> AporiaError:
    code, reason = rpc_failure(error)
    for pattern, explanation in _PERMANENT:
        if pattern in reason:
            return ValidationError(f"{endpoint} cannot be used: {explanation} ({reason})")
    kind, problem = _ERRORS_BY_CODE.get(code, (TransientError, "does not respond"))
    hint = _TLS_HINT if _CLOSED_CONNECTION.search(reason) else ""
    return kind(f"{endpoint} {problem}: {reason}{hint}")


@contextmanager
def main_module_with_file() -> Iterator[None]:
    """
    Set ``__file__`` of a main module that has none.

    Otherwise pyspark treats it (``python -c``) as a run of its doctests, and exits the process.
    """
    main = sys.modules["__main__"]
    if hasattr(main, "__file__") or main.__spec__ is not None:
        yield
        return
    main.__file__ = ""
    try:
        yield
    finally:
        del main.__file__


def _ignore_known_warnings() -> None:
    for message, category in _KNOWN_WARNINGS:
        warnings.filterwarnings("ignore", message=message, category=category)
