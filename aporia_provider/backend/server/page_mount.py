"""The web page as a part of the server."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

PAGE_PATH = "/page"
"""Path of the web page."""


class PageDispatch:
    """
    ASGI middleware that passes the requests for the page to it.

    A mount of Starlette does not match the path without a slash at its end, to which paths are normalised.

    :param app: The wrapped application.
    :param page: The page.
    """

    def __init__(self, app: ASGIApp, page: ASGIApp) -> None:
        self.app, self.page = app, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        root = scope.get("root_path", "")
        if scope["type"] == "http" and is_page(scope["path"].removeprefix(root)):
            await self.page({**scope, "root_path": root + PAGE_PATH}, receive, send)
        else:
            await self.app(scope, receive, send)


def is_page(path: str) -> bool:
    """Return whether a path belongs to the page."""
    return path == PAGE_PATH or path.startswith(f"{PAGE_PATH}/")
