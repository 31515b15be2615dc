"""What the proxies in front of an S3 have in common."""

from __future__ import annotations

import http.client
from http.server import BaseHTTPRequestHandler


def forward(handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    """Send a request to the ``upstream`` of the handler's server, and return status, headers and body."""
    connection = http.client.HTTPConnection(handler.server.upstream)  # type: ignore[attr-defined]
    try:
        connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
        for name, value in handler.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()
    finally:
        connection.close()
