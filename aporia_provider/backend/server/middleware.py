"""Middleware: path normalisation, body limits, authentication and access log."""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aporia_provider.backend.deadlines import Deadline, apply_deadline
from aporia_provider.backend.request_paths import normalise
from aporia_provider.backend.server.auth.token_check import TokenCheck
from aporia_provider.backend.server.auth.tokens import TokenPermissions
from aporia_provider.backend.server.error_handlers import BodyTooLargeError, error_response
from aporia_provider.backend.server.page_mount import is_page
from aporia_provider.errors import AporiaError, AuthenticationError

QUERY_PATH = "/v1beta/metrics/query"
_COST_PATH = re.compile(r"/v1beta/models/[^/]+/segment_cost")
OPEN_PATHS = frozenset({"/health", "/openapi.json", "/docs"})

log = logging.getLogger("aporia_provider.access")


class AuthenticationMiddleware:
    """
    ASGI middleware that authenticates each request before routing, and before its body is read.

    Authentication therefore applies to all routes. The page authenticates its requests itself.

    :param app: The wrapped application.
    :param tokens: The check of tokens.
    :param has_page: Whether the page is served, whose paths are passed on without authentication.
    :param max_body: Maximum size of a body in bytes.
    :param seconds: Time limit of a response in seconds.
    :param stopping: Event that aborts all responses in progress.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        tokens: TokenCheck,
        has_page: bool = False,
        max_body: int,
        seconds: float,
        stopping: threading.Event,
    ) -> None:
        self.app = app
        self.tokens = tokens
        self.has_page = has_page
        self.max_body = max_body
        self.seconds = seconds
        self.stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        reply = _Reply(scope, send)
        try:
            inner = await self._authenticate(scope, reply)
        except AporiaError as error:
            await error_response(error)(scope, receive, reply.send)
        else:
            with apply_deadline(Deadline(self.seconds, self.stopping)):
                await self.app(inner, self._limited(scope, receive), reply.send)
        finally:
            reply.log()

    async def _authenticate(self, scope: Scope, reply: _Reply) -> Scope:
        path = normalise(scope)
        headers = Headers(scope=scope)
        if _length(headers) > self.max_body:
            raise self._too_large()
        state = reply.state = dict(scope.get("state") or {})
        route = path.removeprefix(scope.get("root_path", ""))
        if route not in OPEN_PATHS and not (self.has_page and is_page(route)):
            permissions = state["permissions"] = await self._permissions(headers, reply.address)
            if permissions.read_only and not _reads(scope["method"], route):
                raise AuthenticationError(f"The token {permissions.name!r} permits only reading", status=403)
            state["environment"] = permissions.environment
        # HEAD is handled like GET; the body is removed when the response is sent.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        return {**scope, "path": path, "method": method, "state": state}

    async def _permissions(self, headers: Headers, address: str) -> TokenPermissions:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AuthenticationError("Authorization: Bearer <token> is missing", status=401)
        return await self.tokens.permissions(token.strip(), address)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_body:
                raise self._too_large()
            return message

        return limited

    def _too_large(self) -> BodyTooLargeError:
        return BodyTooLargeError(f"The body is larger than {self.max_body} bytes", status=413)


class _Reply:
    """
    Wrapper of ``send`` that removes the body from responses to HEAD, and records the status for the log.
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.status = 500
        self.state: dict[str, Any] = {}
        client = scope.get("client")
        self.address = str(client[0]) if client else "-"
        self._send = send
        self._began = time.monotonic()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif self.scope["method"] == "HEAD":
            message = {**message, "body": b""}
        await self._send(message)

    def log(self) -> None:
        # The query string is omitted, because it may contain a token.
        path = (self.scope.get("raw_path") or b"").decode("latin-1")
        milliseconds = (time.monotonic() - self._began) * 1000
        permissions: TokenPermissions | None = self.state.get("permissions")
        user = "-" if permissions is None else f"{permissions.environment}/{permissions.name}"
        fields = (self.address, user, self.scope["method"], path, self.status, milliseconds)
        log.info("%s %r %s %r %d %.0f ms", *fields)


def _reads(method: str, route: str) -> bool:
    estimates = method == "POST" and _COST_PATH.fullmatch(route) is not None
    return method in ("GET", "HEAD") or (method, route) == ("POST", QUERY_PATH) or estimates


def _length(headers: Headers) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else 0
