"""What every request passes first: path normalised, body limited, token checked, line logged."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aporia_provider.backend.database import Database
from aporia_provider.backend.server.errors import BodyTooLargeError, answer
from aporia_provider.backend.server.paths import normalise
from aporia_provider.backend.tokens import environment_of
from aporia_provider.errors import AporiaError, AuthenticationError, TransientError

OPEN_PATHS = frozenset({"/health", "/openapi.json", "/docs"})

log = logging.getLogger("aporia_provider.access")


class Gate:
    """
    ASGI middleware.

    It checks the token before anything else is read of a request, routes and bodies included, so that no
    route can forget to.

    :param app: The application behind it.
    :param database: Where tokens are looked up.
    :param file_tokens: Further tokens, see :func:`~aporia_provider.backend.tokens.read_token_file`.
    :param max_body: Largest body in bytes.
    """

    def __init__(
        self, app: ASGIApp, *, database: Database, file_tokens: Mapping[str, str], max_body: int
    ) -> None:
        self.app = app
        self.database = database
        self.file_tokens = file_tokens
        self.max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        reply = _Reply(scope, send)
        try:
            inner = await self._admitted(scope)
        except AporiaError as error:
            await answer(error)(scope, receive, reply.send)
        else:
            await self.app(inner, self._limited(scope, receive), reply.send)
        finally:
            reply.log()

    async def _admitted(self, scope: Scope) -> Scope:
        path = normalise(scope)
        headers = Headers(scope=scope)
        if _length(headers) > self.max_body:
            raise self._too_large()
        state = dict(scope.get("state") or {})
        if path.removeprefix(scope.get("root_path", "")) not in OPEN_PATHS:
            state["environment"] = await self._environment(headers)
        # A HEAD is answered like a GET; the reply's body is dropped on its way out.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        return {**scope, "path": path, "method": method, "state": state}

    async def _environment(self, headers: Headers) -> str:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise AuthenticationError("Authorization: Bearer <token> is missing", status=401)
        try:
            found = await run_in_threadpool(environment_of, self.database, token.strip(), self.file_tokens)
        except TransientError as error:
            log.error("%s", error.message)
            raise TransientError("The database does not answer; try again", status=503) from None
        if found is None:
            raise AuthenticationError("The token is not accepted: it is wrong or was revoked", status=401)
        return found

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
    """Passes a reply on, without its body if the request was a HEAD, and remembers its status for the log."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope = scope
        self.status = 500
        self._send = send
        self._began = time.monotonic()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif self.scope["method"] == "HEAD":
            message = {**message, "body": b""}
        await self._send(message)

    def log(self) -> None:
        # Without its query, where somebody may have put a token.
        path = (self.scope.get("raw_path") or b"").decode("latin-1")
        milliseconds = (time.monotonic() - self._began) * 1000
        log.info("%s %r %d %.0f ms", self.scope["method"], path, self.status, milliseconds)


def _length(headers: Headers) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else 0
