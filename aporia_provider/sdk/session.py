"""Sessions, which determine the server or embedded backend of the SDK's calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, SecretStr

from aporia_provider.base_model import Name, PublicModel
from aporia_provider.client.base_url import server_url
from aporia_provider.errors import ValidationError
from aporia_provider.sdk.connection_log import forget_logged, log_answering

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.client import AporiaClient
    from aporia_provider.hooks.aporia import AporiaHook

PLATFORM = "app.aporia.com"
"""Default host if a token is given, as in the platform's SDK."""

_VARIABLES = ("token", "host", "environment", "port", "http_timeout_seconds")


class Session(PublicModel):
    """
    Settings of calls. A connection is opened for each call and closed after it.

    Parameters: see :func:`aporia_provider.sdk.init`.
    """

    token: SecretStr | None = None
    host: Name | None = None
    environment: Name | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    http_timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30
    verify_ssl: bool = True
    aporia_conn_id: Name | None = None
    aws_conn_id: Name | None = "aws_default"
    spark_conn_id: Name | None = None
    preflight: bool = True

    def open(self, *, timeout: float | None = None) -> AporiaClient | EmbeddedRegistry:
        """
        Open the API. Close it with ``with`` or ``close()``.

        :param timeout: Timeout in seconds for a server that ``init`` named; the default timeout applies if it
            is longer.
        :raises aporia_provider.errors.ValidationError: if ``init`` named another environment than
            the Airflow connection.
        """
        if self.token is not None and self.environment is not None:
            from aporia_provider.client import AporiaClient

            client = AporiaClient(
                server_url(self.host or PLATFORM, self.port),
                self.token.get_secret_value(),
                self.environment,
                timeout=max(self.http_timeout_seconds, timeout or 0),
                verify_ssl=self.verify_ssl,
            )
            log_answering(client)
            return client
        from aporia_provider.hooks.aporia import AporiaHook

        hook = AporiaHook(self.aporia_conn_id or AporiaHook.default_conn_name)
        api = self._open_connection(hook)
        log_answering(api, hook)
        return api

    def _open_connection(self, hook: AporiaHook) -> AporiaClient | EmbeddedRegistry:
        from aporia_provider import settings

        if self.environment is None:
            return hook.get_conn()
        if hook.server_url() is None:
            from aporia_provider.backend.embedded import EmbeddedRegistry

            return EmbeddedRegistry(settings.database_url(), self.environment)
        api = hook.get_conn()
        if api.environment != self.environment:
            api.close()
            raise ValidationError(
                f"init or APORIA_ENVIRONMENT names the environment {self.environment!r}, and the Airflow "
                f"connection {hook.aporia_conn_id!r} is for {api.environment!r}: give the same one, or none"
            )
        return api


def create_session(**given: Any) -> Session:
    """
    Create a session from arguments and, where these are missing, environment variables.

    :param given: Parameters of :class:`Session`; None for missing ones.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """
    values = {name: value for name, value in given.items() if value is not None or name == "aws_conn_id"}
    if "aporia_conn_id" not in values:
        values = {**_from_environment(), **values}
    faults = list(_faults(values))
    (session,) = create_all("aporia.init cannot use its settings", lambda: Session(**values), faults=faults)
    return session  # type: ignore[no-any-return]


def create_all(subject: str, *makers: Callable[[], Any], faults: list[str] | None = None) -> list[Any]:
    """
    Create several objects, and raise one error that lists the problems of all of them.

    :param subject: Message of the error.
    :param makers: Functions that each create one object.
    :param faults: Further problems.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """
    words, problems = [], list(faults or ())
    for make in makers:
        try:
            words.append(make())
        except ValidationError as error:
            problems += error.problems or [error.message]
    if problems:
        raise ValidationError(subject, problems=problems)
    return words


def _from_environment() -> dict[str, str]:
    variables = {name: os.environ.get(f"APORIA_{name.upper()}") for name in _VARIABLES}
    return {name: value for name, value in variables.items() if value is not None}


def _faults(values: Mapping[str, Any]) -> Iterator[str]:
    to_server = [name for name in ("token", "host") if name in values]
    if "aporia_conn_id" in values:
        for name in to_server:
            yield f"{name}: cannot be combined with aporia_conn_id; give one of the two"
    elif to_server:
        for name in ("token", "environment"):
            if name not in values:
                yield f"{name}: is required for a server; pass it to init, or set APORIA_{name.upper()}"
    if not to_server and "port" in values:
        yield "port: requires host; give host, or omit port"
    try:
        server_url(str(values.get("host") or PLATFORM), _port(values.get("port")))
    except ValidationError as error:
        yield f"host: {error.message}"


def _port(value: Any) -> int | None:
    # Session rejects values that are not numeric.
    return int(value) if str(value).isdecimal() else None


_current: Session | None = None


def current_session() -> Session:
    """Return the session of the last ``init``; without one, a new session with default settings."""
    return _current or create_session()


def set_session(session: Session) -> None:
    """Set the session of subsequent calls. The next call logs its server or embedded backend."""
    global _current
    _current = session
    forget_logged()
