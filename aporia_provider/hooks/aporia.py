"""Hook for a server that implements the protocol, or for the embedded backend."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from aporia_provider import settings
from aporia_provider.choices import check_keys, parse_boolean
from aporia_provider.errors import AporiaError, NotFoundError, ValidationError
from aporia_provider.hooks.base_hook import ProviderHook
from aporia_provider.hooks.connection_lookup import creation_advice, missing_connection_message

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from aporia_provider.backend.embedded import AsyncEmbeddedRegistry, EmbeddedRegistry
    from aporia_provider.client import AporiaClient, AsyncAporiaClient


_EXTRA = ("environment", "timeout", "verify_ssl")


@dataclass(frozen=True)
class _Server:
    """
    Settings of a connection.

    :param url: Base URL of the server; None for the embedded backend.
    :param environment: Environment of the embedded backend, and of servers that do not report the environment
        of a token.
    :param named: Environment that the connection names, if any.
    """

    url: str | None
    token: str = field(repr=False)
    environment: str
    named: str | None = None
    timeout: float = 30
    verify_ssl: bool = True


class AporiaHook(ProviderHook):
    """
    Hook for a server that implements the protocol, or for the embedded backend.

    :param aporia_conn_id: Airflow connection of type ``aporia``: the server URL in ``host``, the token in
        ``password``, and ``environment``, ``timeout`` (seconds) and ``verify_ssl`` in ``extra``. The embedded
        backend is used if there is no connection ``aporia_default``, or if the connection has no host. The
        default scheme of the host is ``https``.

    Before the first call, the environment of the token is requested from a server of this provider. If the
    connection names a different environment, all calls raise
    :class:`~aporia_provider.errors.AuthenticationError`. Other servers do not report the environment; it is
    the one that the connection names, or ``[aporia] environment``.
    """

    conn_name_attr = "aporia_conn_id"
    default_conn_name = "aporia_default"
    conn_type = "aporia"
    hook_name = "Aporia"

    def __init__(self, aporia_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.aporia_conn_id = aporia_conn_id

    def get_conn(self) -> AporiaClient | EmbeddedRegistry:
        """
        Open the API. Close it with ``with`` or ``close()``.

        :raises aporia_provider.errors.ValidationError: if the settings of the connection are not valid.
        """
        return self._open(self._server())

    async def get_async_conn(self) -> AsyncAporiaClient | AsyncEmbeddedRegistry:
        """Open the API for asyncio. Close it with ``async with`` or ``await aclose()``."""
        try:
            connection = await self.aget_connection(self.aporia_conn_id)
        except AirflowNotFoundException:
            return self._open_async(self._without_connection())
        return self._open_async(_read(connection))

    def server_url(self) -> str | None:
        """Return the base URL of the server; None for the embedded backend."""
        return self._server().url

    def environment(self) -> str:
        """Return the environment of the models."""
        server = self._server()
        if server.url is None:
            return server.environment
        with self.get_conn() as api:
            return api.environment

    def has_connection(self) -> bool:
        """Return whether the connection is available in this process."""
        try:
            self.get_connection(self.aporia_conn_id)
        except AirflowNotFoundException:
            return False
        return True

    def test_connection(self) -> tuple[bool, str]:
        """Call the API with the token; return whether it succeeded, and a description of the server."""
        try:
            return True, f"Reached {_reached(self._server())}"
        except AporiaError as error:
            return False, error.message

    def _server(self) -> _Server:
        try:
            return _read(self.get_connection(self.aporia_conn_id))
        except AirflowNotFoundException:
            return self._without_connection()

    def _without_connection(self) -> _Server:
        if self.aporia_conn_id != self.default_conn_name:
            raise NotFoundError(
                f"{missing_connection_message(self.aporia_conn_id)}. Create it "
                f"({creation_advice(self.aporia_conn_id, self.conn_type)}), or leave aporia_conn_id out to "
                "use the embedded backend"
            ) from None
        return _Server(None, "", settings.environment())

    def _open(self, server: _Server) -> AporiaClient | EmbeddedRegistry:
        if server.url is None:
            return _embedded(server)
        from aporia_provider.client import AporiaClient

        return AporiaClient(server.url, server.token, **_options(server))

    def _open_async(self, server: _Server) -> AsyncAporiaClient | AsyncEmbeddedRegistry:
        if server.url is None:
            from aporia_provider.backend.embedded import AsyncEmbeddedRegistry

            return AsyncEmbeddedRegistry(settings.database_url(), server.environment)
        from aporia_provider.client import AsyncAporiaClient

        return AsyncAporiaClient(server.url, server.token, **_options(server))


def _embedded(server: _Server) -> EmbeddedRegistry:
    from aporia_provider.backend.embedded import EmbeddedRegistry

    return EmbeddedRegistry(settings.database_url(), server.environment)


def _reached(server: _Server) -> str:
    if server.url is None:
        with _embedded(server) as registry, contextlib.suppress(NotFoundError):
            registry.get_model_tags("connection-test")
        return f"the embedded backend, environment {server.environment!r}"
    from aporia_provider.client import AporiaClient, Retries

    # A user waits for the result and can retry, so the request is made only once.
    with AporiaClient(server.url, server.token, retries=Retries(1), **_options(server)) as client:
        return f"{server.url}: {client.identify_server()}"


def _options(server: _Server) -> dict[str, Any]:
    return {
        "environment": server.named,
        "default_environment": server.environment,
        "timeout": server.timeout,
        "verify_ssl": server.verify_ssl,
    }


def _read(connection: Connection) -> _Server:
    extra = connection.extra_dejson
    check_keys(f"extra of connection {connection.conn_id!r}", extra, _EXTRA)
    named = str(extra.get("environment") or "").strip() or None
    environment = named or settings.environment()
    if not connection.host:
        return _Server(None, "", environment, named)
    if not connection.password:
        raise ValidationError(f"Connection {connection.conn_id!r} has a server but no token in its password")
    return _Server(
        url=_url(connection),
        token=connection.password,
        environment=environment,
        named=named,
        timeout=_number(connection.conn_id, "timeout", extra.get("timeout") or 30),
        verify_ssl=_flag(connection.conn_id, "verify_ssl", extra.get("verify_ssl")),
    )


def _url(connection: Connection) -> str:
    from aporia_provider.client.base_url import server_url

    try:
        return server_url(str(connection.host), connection.port, scheme=connection.schema or "https")
    except ValidationError as error:
        raise ValidationError(f"The host of connection {connection.conn_id!r} {error.message}") from None


def _number(conn_id: str, name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        raise ValidationError(f"{name} of connection {conn_id!r} is not a number of seconds above 0")
    return number


def _flag(conn_id: str, name: str, value: Any) -> bool:
    # The connection form omits empty fields, or sends null.
    return parse_boolean(f"{name} of connection {conn_id!r}", True if value in (None, "") else value)
