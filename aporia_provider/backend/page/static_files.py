"""The style sheet and the script of the page."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aporia_provider.backend.page.addresses import FILE

FOLDER = Path(__file__).parent / "static"
_TYPES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@cache
def read(name: str) -> tuple[bytes, str]:
    """
    Return the content of a file and its fingerprint.

    :raises KeyError: if there is no such file.
    """
    if name not in _TYPES:
        raise KeyError(name)
    content = (FOLDER / name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:12]


async def serve_file(request: Request) -> Response:
    """Return a file."""
    name = request.path_params["name"]
    try:
        content, fingerprint = read(name)
    except KeyError:
        raise HTTPException(404) from None
    headers = {"ETag": f'"{fingerprint}"', "Cache-Control": "private, max-age=86400"}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, headers={**headers, "Content-Type": _TYPES[name]})


routes = [Route(FILE, serve_file)]
