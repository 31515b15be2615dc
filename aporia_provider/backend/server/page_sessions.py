"""Sessions of the web page: a token is exchanged for a cookie that scripts cannot read."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from aporia_provider.backend.page.error_pages import error_page
from aporia_provider.backend.page.forms import read_form
from aporia_provider.backend.page.page_access import Visitor
from aporia_provider.backend.page.template_rendering import render
from aporia_provider.backend.server.auth.token_check import TokenCheck
from aporia_provider.backend.server.auth.tokens import TokenPermissions, digest
from aporia_provider.errors import AporiaError, AuthenticationError
from aporia_provider.page_addresses import Addresses

COOKIE = "aporia_session"
SECONDS = 12 * 3600
"""Length of a session in seconds."""
MAX_SESSIONS = 10_000
"""Maximum number of sessions; the oldest ones end first."""
MAX_SESSIONS_OF_TOKEN = 50
"""Maximum number of sessions of a token; the oldest ones end first."""
_LONGEST_ADDRESS = 4000


@dataclass(frozen=True)
class _Session:
    token_digest: str
    expires_at: float


class Sessions:
    """
    Sessions in the memory of the process, by the digest of their id.

    A session refers to a token by its digest, so it ends when the token is revoked or expires.
    """

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, token: str) -> str:
        """Start a session; return its id."""
        id_ = secrets.token_urlsafe(32)
        started = _Session(digest(token), time.monotonic() + SECONDS)
        with self._lock:
            same = [key for key, each in self._sessions.items() if each.token_digest == started.token_digest]
            for key in same[: max(0, len(same) - MAX_SESSIONS_OF_TOKEN + 1)]:
                del self._sessions[key]
            self._sessions[_hashed(id_)] = started
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
        return id_

    def token_digest(self, id_: str) -> str | None:
        """Return the digest of the token of a session; None if there is no such session, or it has ended."""
        with self._lock:
            session = self._sessions.get(_hashed(id_))
        return session.token_digest if session is not None and time.monotonic() < session.expires_at else None

    def end(self, id_: str) -> None:
        """End a session, if there is one."""
        with self._lock:
            self._sessions.pop(_hashed(id_), None)


class TokenAccess:
    """
    Access to the page with a token.

    :param tokens: The check of tokens.
    """

    open_paths = frozenset({"/login", "/logout", "/static/page.css", "/static/page.js", "/static/icon.svg"})

    def __init__(self, tokens: TokenCheck) -> None:
        self._tokens, self._sessions = tokens, Sessions()

    @property
    def routes(self) -> list[Route]:
        """The form to sign in, and the end of a session."""
        return [
            Route("/login", self._show_form, methods=["GET"]),
            Route("/login", self._sign_in, methods=["POST"]),
            Route("/logout", self._sign_out, methods=["POST"]),
        ]

    async def visitor(self, request: Request) -> Visitor | None:
        """Return the user of the session."""
        presented = self._sessions.token_digest(request.cookies.get(COOKIE, ""))
        permissions = None if presented is None else await self._tokens.find(presented)
        if permissions is None:
            return None
        # For the access log.
        request.state.permissions = permissions
        return _visitor(permissions)

    def sign_in(self, request: Request) -> Response | None:
        """Redirect to the form."""
        address = _below(request) + (f"?{request.url.query}" if request.url.query else "")
        query = {} if address == "/" else {"next": address[:_LONGEST_ADDRESS]}
        target = Addresses(_base(request)).local("login") + (f"?{urlencode(query)}" if query else "")
        return RedirectResponse(target, 303)

    async def _show_form(self, request: Request) -> Response:
        return _form(request, request.query_params.get("next", "/"))

    async def _sign_in(self, request: Request) -> Response:
        form = await read_form(request)
        token, next_ = form.get("token", "").strip(), form.get("next", "/")
        client = request.client
        try:
            permissions = await self._tokens.permissions(token, client.host if client else "-")
        except AuthenticationError as error:
            return _form(request, next_, error.message, 401)
        except AporiaError as error:
            return error_page(request, error.status or 503)
        request.state.permissions = permissions
        self._sessions.end(request.cookies.get(COOKIE, ""))
        response = RedirectResponse(_base(request) + local_path(next_), 303)
        self._set_cookie(request, response, self._sessions.start(token), SECONDS)
        return response

    async def _sign_out(self, request: Request) -> Response:
        self._sessions.end(request.cookies.get(COOKIE, ""))
        response = RedirectResponse(Addresses(_base(request)).local("login"), 303)
        self._set_cookie(request, response, "", 0)
        return response

    def _set_cookie(self, request: Request, response: Response, value: str, seconds: int) -> None:
        response.set_cookie(
            COOKIE,
            value,
            max_age=seconds,
            path=_base(request) or "/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )


def local_path(address: str) -> str:
    """
    Return an address that a form contains if it is a path of the page, otherwise the path of the overview.

    Browsers read ``//host`` and ``/\\host`` as addresses of other hosts.
    """
    is_path = address.startswith("/") and not address.startswith(("//", "/\\"))
    is_plain = all(" " < letter < "\x7f" for letter in address) and "\\" not in address
    return address if is_path and is_plain and len(address) <= _LONGEST_ADDRESS else "/"


def _form(request: Request, next_: str, problem: str | None = None, status: int = 200) -> Response:
    values = {"title": "Sign in", "next": local_path(next_), "problem": problem}
    return HTMLResponse(render("login.html", _base(request), values), status)


def _visitor(permissions: TokenPermissions) -> Visitor:
    return Visitor(
        name=permissions.name,
        environment=permissions.environment,
        may_act=not permissions.read_only,
        can_sign_out=True,
    )


def _base(request: Request) -> str:
    base: str = request.scope.get("root_path", "")
    return base


def _below(request: Request) -> str:
    path: str = request.scope["path"]
    return path.removeprefix(_base(request)) or "/"


def _hashed(id_: str) -> str:
    return hashlib.sha256(id_.encode()).hexdigest()
