"""A proxy in front of the S3 server that breaks the answers to chosen requests."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.lake.forwarding import forward

Asked = tuple[str, str, str]
"""Method, path with its query, and range of a request."""


class Fault(StrEnum):
    """What becomes of an answer."""

    TRUNCATED = "the connection is closed after half of the body"
    RESET = "the connection is reset after half of the body"
    REFUSED = "the connection is reset instead of an answer"
    SHORT = "half of the body is sent, with a Content-Length that says so"
    LONG = "the Content-Length is greater than the body"


@dataclass
class FaultyS3:
    """
    The proxy.

    :param endpoint: Its address.
    :param fault: What becomes of the answers that are broken.
    :param broken: The requests whose answers are broken.
    :param times: How many answers are broken; those to the same requests after them are whole.
    :param seen: The requests that had a body in their answers, each once, in the order of arrival.
    :param flips: Offset in an object to the bits that are flipped there, by the object's path.
    """

    endpoint: str
    fault: Fault = Fault.TRUNCATED
    broken: set[Asked] = field(default_factory=set)
    seen: list[Asked] = field(default_factory=list)
    hits: int = 0
    times: int = 1
    flips: dict[str, tuple[int, int]] = field(default_factory=dict)

    def forget(self) -> None:
        """Break nothing, and forget what was seen."""
        self.broken, self.seen, self.hits, self.times, self.flips = set(), [], 0, 1, {}


@contextmanager
def faulty_s3(upstream: str) -> Iterator[FaultyS3]:
    """Serve ``upstream`` until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    proxy = FaultyS3(f"http://127.0.0.1:{server.server_address[1]}")
    server.proxy, server.upstream = proxy, urlsplit(upstream).netloc  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep the test's output quiet: clients close connections whose answers are broken."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        proxy: FaultyS3 = self.server.proxy  # type: ignore[attr-defined]
        asked = (self.command, self.path, self.headers.get("Range") or "")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, headers, content = forward(self, body)
        content = self._flipped(proxy, content, dict(headers))
        if content and asked not in proxy.seen:
            proxy.seen.append(asked)
        if asked in proxy.broken and proxy.hits < proxy.times:
            proxy.hits += 1
            self._break(proxy.fault, status, headers, content)
        else:
            self._answer(status, headers, content, len(content))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

    def _flipped(self, proxy: FaultyS3, content: bytes, headers: dict[str, str]) -> bytes:
        offset, bits = proxy.flips.get(urlsplit(self.path).path, (-1, 0))
        told = headers.get("Content-Range") or headers.get("content-range") or "bytes 0-"
        place = offset - int(told.removeprefix("bytes ").partition("-")[0])
        if self.command != "GET" or offset < 0 or not 0 <= place < len(content):
            return content
        proxy.hits += 1
        return content[:place] + bytes([content[place] ^ bits]) + content[place + 1 :]

    def _break(self, fault: Fault, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        half = content[: len(content) // 2]
        self.close_connection = True
        if fault == Fault.REFUSED:
            return self._reset()
        if fault == Fault.SHORT:
            return self._answer(status, headers, half, len(half))
        if fault == Fault.LONG:
            return self._answer(status, headers, content, len(content) + 100)
        self._answer(status, headers, half, len(content))
        if fault == Fault.RESET:
            self._reset()
        return None

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, length: int) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        if self.command == "HEAD":
            given = {name.lower(): value for name, value in headers}
            self.send_header("Content-Length", given.get("content-length", "0"))
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output quiet."""
