"""A scripted HTTP server on loopback that remembers what it was asked: the other side of a client."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from aporia_provider.api import ENVIRONMENT_PATH


@dataclass(frozen=True)
class Answer:
    """
    What to do with one request.

    :param body: Bytes as they are, or a value to send as JSON.
    :param act: ``reply``; be ``slow`` (two seconds) about it; ``drop`` the connection instead; or ``hang``
        until the server ends.
    """

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"
    act: Literal["reply", "slow", "drop", "hang"] = "reply"

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


DROP = Answer(act="drop")
HANG = Answer(act="hang")
NOT_THERE = Answer(404, {"error": {"message": "Not Found", "detail": "Not Found"}})


@dataclass(frozen=True)
class Recorded:
    """One request as it arrived; ``path`` is raw."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content) if self.content else None


class RecordingServer(ThreadingHTTPServer):
    """
    Answers from its script in order, then with ``otherwise``; the question for the environment of the token
    is neither scripted nor recorded with the others: like any path outside of the protocol, it is not there.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[Answer] = []
        self.otherwise = Answer()
        self.environment = NOT_THERE
        self.recorded: list[Recorded] = []
        self.asked_environment: list[Recorded] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Method and raw path of every request."""
        return [(request.method, request.path) for request in self.recorded]

    def answer(self, *script: Answer) -> None:
        """Forget what was recorded, and answer in this way from now on."""
        self.recorded.clear()
        self.asked_environment.clear()
        self.environment = NOT_THERE
        self.script[:] = script

    def answer_to(self, request: Recorded) -> Answer:
        if request.path.endswith(ENVIRONMENT_PATH):
            self.asked_environment.append(request)
            return self.environment
        self.recorded.append(request)
        return self.script.pop(0) if self.script else self.otherwise


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RecordingServer

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Recorded(self.command, self.path, dict(self.headers), content)
        answer = self.server.answer_to(request)
        if answer.act in ("reply", "slow"):
            self.server.over.wait(2 if answer.act == "slow" else 0)
            self._reply(answer)
            return
        if answer.act == "hang":
            self.server.over.wait(30)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _reply(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.content)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)

    def do_GET(self) -> None:
        self.do_POST()

    def do_DELETE(self) -> None:
        self.do_POST()

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def recording(script: Sequence[Answer] = ()) -> Iterator[RecordingServer]:
    """Run a recording server until the block ends."""
    server = RecordingServer()
    server.answer(*script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
