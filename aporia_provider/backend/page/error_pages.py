"""Error pages. They contain no data from the request or the database."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from aporia_provider.backend.page.template_rendering import render

_TEXTS = {
    400: "The address or the form is not valid.",
    401: "Sign in to see this page.",
    403: "You are not permitted to see this page.",
    404: "There is no such page.",
    405: "This address does not support the method.",
    413: "The request is too large.",
    500: "An error occurred. The log of the server has the details.",
    503: "The database does not respond in time. Try again.",
}


def error_page(
    request: Request, status: int, text: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    """
    Return the page of an error.

    :param request: The request.
    :param status: Status of the response.
    :param text: Explanation, if it is not the usual one of the status.
    :param headers: Additional headers.
    """
    phrase = HTTPStatus(status).phrase
    text = text or _TEXTS.get(status, phrase)
    base = request.scope.get("root_path", "")
    html = render("error.html", base, {"title": phrase, "text": text, "status": status})
    return HTMLResponse(html, status, headers)


def return_page(request: Request) -> Response:
    """Return a page that requests the same address again, then as a page of this site."""
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    html = render("return.html", request.scope.get("root_path", ""), {"title": "Opening", "target": target})
    return HTMLResponse(html)
