"""Users of Airflow as users of the page."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from aporia_provider import settings
from aporia_provider.backend.page.page_access import Visitor

_COOKIE = "_token"
_LOGIN = "/api/v2/auth/login"


class AirflowAccess:
    """
    Access to the page with the session or a token of Airflow.

    Users who may read assets may see the page, and users who may also change assets may acknowledge and
    snooze alerts.

    :param prefix: Path that the page is mounted at.
    :param routes: Additional routes.
    """

    open_paths: frozenset[str] = frozenset()

    def __init__(self, prefix: str, routes: Sequence[Route] = ()) -> None:
        self._prefix, self._routes = prefix, routes

    @property
    def routes(self) -> Sequence[Route]:
        """The views of DAGs and task instances."""
        return self._routes

    async def visitor(self, request: Request) -> Visitor | None:
        """Return the user of Airflow."""
        token = _token(request)
        user = None if token is None else await _user(token)
        if user is None:
            return None
        request.state.airflow_user = user
        may_read, may_act = await asyncio.to_thread(_permissions, user)
        return Visitor(
            user.get_name(),
            settings.environment(),
            may_read,
            may_read and may_act,
            airflow_url=self._airflow_path(request),
        )

    def sign_in(self, request: Request) -> Response | None:
        """Redirect to the form of the auth manager."""
        query = urlencode({"next": str(request.url)})
        return RedirectResponse(f"{self._airflow_path(request)}{_LOGIN}?{query}", 303)

    def _airflow_path(self, request: Request) -> str:
        """Return the path of Airflow's UI, which is empty unless Airflow is served under a path."""
        root: str = request.scope.get("root_path", "")
        return root.removesuffix(self._prefix)


def _token(request: Request) -> str | None:
    """Return the token of a request; as in Airflow's API, a header takes precedence over the cookie."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip() or None
    return request.cookies.get(_COOKIE) or None


async def _user(token: str) -> Any:
    from airflow.api_fastapi.core_api.security import resolve_user_from_token
    from fastapi import HTTPException

    try:
        return await resolve_user_from_token(token)
    except HTTPException:
        # The token is not valid, or has expired.
        return None


def _permissions(user: Any) -> tuple[bool, bool]:
    from airflow.api_fastapi.app import get_auth_manager

    manager = get_auth_manager()
    may_read = manager.is_authorized_asset(method="GET", user=user)
    return bool(may_read), bool(manager.is_authorized_asset(method="PUT", user=user))
