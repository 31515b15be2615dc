"""Environment of a client's calls, and identification of the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aporia_provider.api import ENVIRONMENT_PATH, PRODUCT
from aporia_provider.client.error_responses import kind_of_body
from aporia_provider.client.messages import Call, Reply, Request
from aporia_provider.errors import AporiaError, AuthenticationError

_ASKING = "Getting the environment of the token"
_IDENTIFYING = "Looking for a server of the protocol"
_UNKNOWN_PATH = (403, 404, 405, 410, 501)
"""Statuses that another server, or a gateway, may return for an unknown path."""


@dataclass(frozen=True)
class ServerInfo:
    """
    Properties of this project's server.

    :param environment: Environment of the token.
    :param version: Version of the package on the server.
    """

    environment: str
    version: str


class Environment:
    """
    The environment that a client reads and writes.

    This project's server returns the environment of the token. The protocol does not define a request for it.

    :param base_url: URL of the server.
    :param named: Environment that the caller named; None for the environment of the token.
    :param default: Environment if neither the caller nor the server names one.
    """

    def __init__(self, base_url: str, named: str | None, default: str) -> None:
        self.server: ServerInfo | None = None
        self.is_known = False
        self._base_url = base_url
        self._named = named
        self._default = default

    @property
    def name(self) -> str | None:
        """The environment; None if it has not been resolved yet."""
        if self.server is not None:
            return self.server.environment
        return self._named or (self._default if self.is_known else None)

    @property
    def assumed(self) -> str:
        """The environment in a request: the default if the server did not return any."""
        return self.name or self._default

    def required(self) -> str:
        """
        Return the environment.

        :raises aporia_provider.errors.AporiaError: if it is not resolved yet.
        """
        if self.name is None:
            raise AporiaError(
                "The environment is unknown before the first call: call resolve_environment() first"
            )
        return self.name

    def resolved(self) -> Call[str]:
        """
        Return the environment, after requesting it from the server if it is not resolved yet.

        :raises aporia_provider.errors.AuthenticationError: if the token belongs to another environment than
            the environment that the caller named.
        """
        if not self.is_known:
            reply = yield Request(_ASKING, "GET", ENVIRONMENT_PATH)
            if reply.status == 500:
                raise reply.failure()
            self.server = _own_server(reply)
            # After another error, such as a rejected token, the request is repeated before the next call.
            self.is_known = reply.ok or reply.status in _UNKNOWN_PATH
        self._check()
        return self.assumed

    def _check(self) -> None:
        reported = self.server.environment if self.server else None
        if reported is not None and self._named not in (None, reported):
            raise AuthenticationError(
                f"Environment {self._named!r} was given, but the token is for environment {reported!r} of "
                f"{self._base_url}. In the Airflow connection, write {reported!r} as environment or leave it "
                f"empty, or use a token for {self._named!r}"
            )

    def identified(self) -> Call[str]:
        """
        Return a short description of the server and of the environment.

        :raises aporia_provider.errors.AporiaError: if the server does not implement the protocol, or rejects
            the token.
        """
        name = yield from self.resolved()
        if self.server is not None:
            return f"{PRODUCT} {self.server.version}, environment {name!r}, which the token is for"
        capabilities = yield Request(_IDENTIFYING, "GET", "/v1beta/capabilities/")
        listed = yield Request(_IDENTIFYING, "GET", "/v1beta/environments")
        environments = _environments(listed)
        if not (_is_capabilities(capabilities) or environments is not None):
            raise self._stranger(capabilities, listed)
        # Capabilities may be readable without a valid token.
        tags = yield Request("Checking the token", "GET", "/v1beta/models/connection-test/tags")
        if tags.status in (401, 403):
            raise tags.failure()
        return f"a server of the protocol, environment {name!r}{self._environment_source(name, environments)}"

    def _stranger(self, *replies: Reply) -> AporiaError:
        refused = next((reply for reply in replies if reply.status in (401, 403) and reply.is_json), None)
        if refused is not None:
            return refused.failure()
        request, answer = replies[0].request, replies[0]
        return AporiaError(
            f"{self._base_url} is not a protocol server: it responds to {request.method} {request.path} "
            f"with HTTP {answer.status} and {kind_of_body(answer.body, is_json=answer.is_json)}. "
            "Check host and port",
            status=answer.status,
        )

    def _environment_source(self, name: str, environments: list[str] | None) -> str:
        source = "set in the connection" if self._named else "by default, since the connection sets none"
        source = f", {source}; this server does not report the environment of the token"
        if environments is None or name in environments:
            return source
        return f"{source}, and {name!r} is not among the environments it lists: {', '.join(environments)}"


def _own_server(reply: Reply) -> ServerInfo | None:
    body = reply.body
    if not (reply.ok and isinstance(body, Mapping) and body.get("product") == PRODUCT):
        return None
    name, version = body.get("environment"), body.get("version")
    return ServerInfo(name, str(version)) if isinstance(name, str) and name else None


def _is_capabilities(reply: Reply) -> bool:
    body = reply.body
    return reply.ok and isinstance(body, Mapping) and isinstance(body.get("is_field_schema_supported"), bool)


def _environments(reply: Reply) -> list[str] | None:
    listed = reply.body.get("environments") if reply.ok and isinstance(reply.body, Mapping) else None
    if not isinstance(listed, list):
        return None
    return [str(item["name"]) for item in listed if isinstance(item, Mapping) and "name" in item]
