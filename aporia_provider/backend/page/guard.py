"""Middleware through which all requests to the page pass."""

from __future__ import annotations

import threading
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aporia_provider.backend.deadlines import Deadline, apply_deadline
from aporia_provider.backend.page.error_pages import error_page, return_page
from aporia_provider.backend.page.page_access import PageAccess
from aporia_provider.backend.request_paths import normalise
from aporia_provider.errors import AporiaError, ValidationError

MAX_BODY = 16 * 1024
"""Maximum size of a request body in bytes."""
SECONDS = 30
"""Time limit of a response in seconds."""
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}
_METHODS = ("GET", "HEAD", "POST")


class PageGuard:
    """
    ASGI middleware that refuses what is not permitted, before a request is routed or its body is read.

    It normalises the path, authenticates, refuses requests from other sites, limits the size of bodies and
    the time of responses, and adds the headers of :data:`SECURITY_HEADERS`.

    :param app: The routes.
    :param access: The authentication and authorization of the deployment.
    :param stopping: Event that aborts all responses in progress.
    :param seconds: Time limit of a response in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: PageAccess,
        stopping: threading.Event | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self.app, self.access = app, access
        self.stopping, self.seconds = stopping or threading.Event(), seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            # There are no WebSockets; a server refuses the handshake of an application that returns.
            return
        state = scope.setdefault("state", {})
        inner: Scope = {**scope, "state": state}
        with apply_deadline(Deadline(self.seconds, self.stopping)):
            refusal = await self._refusal(inner)
            app: ASGIApp = self.app if refusal is None else refusal
            await app(inner, _limited(receive), _with_headers(send))

    async def _refusal(self, scope: Scope) -> Response | None:
        """Return the response that refuses a request; None if it is permitted."""
        try:
            path = localise(scope)
        except ValidationError:
            return error_page(Request(scope), 400)
        if scope["method"] not in _METHODS:
            return error_page(Request(scope), 405)
        request = Request(scope)
        if scope["method"] == "POST" and not is_same_origin(request.headers):
            return error_page(request, 403, "The request comes from another site.")
        if int(_digits(request.headers.get("content-length", ""))) > MAX_BODY:
            return error_page(request, 413)
        if path in self.access.open_paths:
            return None
        try:
            return await self._unauthorized(request)
        except AporiaError as error:
            # These requests have not reached the handlers of errors.
            return error_page(request, error.status or 503)

    async def _unauthorized(self, request: Request) -> Response | None:
        visitor = await self.access.visitor(request)
        if visitor is None:
            return self._anonymous(request)
        if not visitor.may_read:
            return error_page(request, 403)
        if request.method == "POST" and not visitor.may_act:
            return error_page(request, 403, "You are permitted to read, but not to change anything.")
        request.state.visitor = visitor
        return None

    def _anonymous(self, request: Request) -> Response:
        """
        Return the response to a request of nobody.

        A browser omits a strict cookie if a user follows a link on another site. The response to such a
        request is a page that requests the same address again, then from this site.
        """
        if request.method == "POST" or "text/html" not in request.headers.get("accept", "*/*"):
            return error_page(request, 401)
        if request.headers.get("sec-fetch-site") == "cross-site":
            return return_page(request)
        return self.access.sign_in(request) or error_page(request, 401)


def localise(scope: MutableMapping[str, Any]) -> str:
    """
    Normalise the path of a request in place, and return the part below the path that the page is mounted at.

    A proxy may have removed a prefix of the path that the page is mounted at, so the path begins with the
    rest of it.

    :raises aporia_provider.errors.ValidationError: if a segment of the path is not valid text.
    """
    full, root = normalise(scope), scope.get("root_path", "").rstrip("/")
    mounted = root
    while mounted and not f"{full}/".startswith(f"{mounted}/"):
        _, _, rest = mounted.lstrip("/").partition("/")
        mounted = f"/{rest}" if rest else ""
    path = full.removeprefix(mounted) or "/"
    scope.update(path=root + path, root_path=root)
    return path


def is_same_origin(headers: Headers) -> bool:
    """
    Return whether a request comes from a page of this server, according to the browser's headers.

    Browsers send ``Sec-Fetch-Site`` to HTTPS servers and to those on the same host, and ``Origin`` with
    every POST request. A request with neither header is refused.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    try:
        origin = urlsplit(headers.get("origin", ""))
    except ValueError:
        return False
    return bool(origin.netloc) and origin.netloc == headers.get("host")


def _digits(text: str) -> str:
    # A longer number is not converted by Python, and the body is limited in any case.
    return text[:20] if text.isascii() and text.isdigit() else "0"


def _limited(receive: Receive) -> Receive:
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MAX_BODY:
            raise HTTPException(413)
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending
