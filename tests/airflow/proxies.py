"""HTTP servers that stand between a task and the server it asks, and disturb it at a chosen moment."""

from __future__ import annotations

import os
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import psutil

OUR_OWN = ("connection", "transfer-encoding", "date", "server")


class Between(ThreadingHTTPServer):
    """Passes each request on to the server behind it, and the whole answer back."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(behind).netloc
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def passes_on(self, request: BaseHTTPRequestHandler) -> bool:
        """Whether the server behind is to hear of the request."""
        return True

    def passes_back(self, request: BaseHTTPRequestHandler) -> bool:
        """Whether who asked is to hear of the answer."""
        return True

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


class Killer(Between):
    """Instead of passing back the first answer to a POST of a version, kills the process that asked."""

    def __init__(self, behind: str) -> None:
        self.killed: list[int] = []
        super().__init__(behind)

    def passes_back(self, request: BaseHTTPRequestHandler) -> bool:
        if self.killed or request.command != "POST" or "/versions" not in request.path:
            return True
        ports = (request.client_address[1], self.server_port)
        found = [c for c in psutil.net_connections("tcp") if c.raddr and c.pid]
        owner = next(c.pid for c in found if (c.laddr.port, c.raddr.port) == ports)
        assert owner != os.getpid()
        self.killed.append(owner)
        psutil.Process(owner).kill()
        return False


class Stalling(Between):
    """An S3 that answers until somebody asks for data."""

    def __init__(self, behind: str, seconds: float) -> None:
        self.seconds = seconds
        self.asked = threading.Event()
        self.done = threading.Event()
        super().__init__(behind)

    def passes_on(self, request: BaseHTTPRequestHandler) -> bool:
        if request.command != "GET" or not request.path.partition("?")[0].endswith(".parquet"):
            return True
        self.asked.set()
        self.done.wait(self.seconds)
        return False

    def stop(self) -> None:
        self.done.set()
        super().stop()


class Refusing(Between):
    """An S3 that refuses requests while it is told to, and counts all of them."""

    def __init__(self, behind: str) -> None:
        self.requests: list[str] = []
        self.refusals: list[tuple[int, str]] = []
        self.always: tuple[int, str] | None = None
        super().__init__(behind)

    def passes_on(self, request: BaseHTTPRequestHandler) -> bool:
        self.requests.append(request.path)
        refusal = self.refusals.pop(0) if self.refusals else self.always
        if refusal is None:
            return True
        status, code = refusal
        body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
        return False


class _Handler(BaseHTTPRequestHandler):
    server: Between

    def _pass(self) -> None:
        if not self.server.passes_on(self):
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = HTTPConnection(self.server.behind, timeout=120)
        connection.request(self.command, self.path, body=body or None, headers=dict(self.headers))
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        if not self.server.passes_back(self):
            return
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in OUR_OWN:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._pass()

    def do_HEAD(self) -> None:
        self._pass()

    def do_POST(self) -> None:
        self._pass()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
