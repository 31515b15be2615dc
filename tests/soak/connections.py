"""Connections to a server that may break at any moment, and the answers that come over them."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import Self

from tests.soak.hostile import HALF, RESET, Request

SECONDS = 60.0
"""How long the server may take to answer, or to end the connection: its deadline is 30 s."""
CLOSED = "closed"
"""The connection ended without an answer."""
SILENT = "silent"
"""Neither an answer nor the end of the connection came in time."""
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Answer:
    """
    What came of a request.

    :param outcome: The status, :data:`CLOSED` or :data:`SILENT`.
    :param content: The beginning of the body.
    """

    outcome: str
    content: bytes = b""

    @property
    def counted_as(self) -> str:
        """Its class of statuses; a 503 that the deadline gave is a class of its own."""
        if self.outcome == "503" and b"The response was not complete after" in self.content:
            return "503 at the deadline"
        return f"{self.outcome[0]}xx" if self.outcome.isdecimal() else self.outcome


class Connection:
    """
    A client's connection, made again whenever it has ended.

    :param port: The port of the server on loopback.
    :param address: The address of the client.
    """

    def __init__(self, port: int, address: str = LOOPBACK) -> None:
        self._port, self._address = port, address
        self._socket: socket.socket | None = None
        self._received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, request: Request) -> Answer:
        """Send a request and read what comes. A request that a connection kept open lost is sent again."""
        is_new = self._socket is None
        answer = self._asked(request)
        if answer.outcome == CLOSED and request.due and not is_new:
            answer = self._asked(request)
        return answer

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._received = None, b""

    def _asked(self, request: Request) -> Answer:
        try:
            made = self._connected()
            self._send(made, request)
            answer = Answer(CLOSED) if request.then == RESET else self._answer(made, request)
        except TimeoutError:
            answer = Answer(SILENT)
        except OSError:
            answer = Answer(CLOSED)
        if request.then or not answer.outcome.isdecimal():
            self.close()
        return answer

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(
                (LOOPBACK, self._port), timeout=SECONDS, source_address=(self._address, 0)
            )
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _send(self, made: socket.socket, request: Request) -> None:
        try:
            made.sendall(request.data)
        except TimeoutError:
            raise
        except OSError:
            # The server has ended the connection, perhaps behind an answer.
            return
        if request.then == HALF:
            made.shutdown(socket.SHUT_WR)
        elif request.then == RESET:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _answer(self, made: socket.socket, request: Request) -> Answer:
        status = "100"
        while status[0] == "1":
            head = self._until(made, b"\r\n\r\n")
            if head is None:
                return Answer(CLOSED)
            status = head[9:12].decode("latin-1")
        fields = dict(line.lower().partition(b": ")[::2] for line in head.split(b"\r\n")[1:])
        content = b"" if request.is_head or status in ("204", "304") else self._content(made, fields)
        if fields.get(b"connection") == b"close":
            self.close()
        return Answer(status, content[:2_000])

    def _content(self, made: socket.socket, fields: dict[bytes, bytes]) -> bytes:
        if b"content-length" in fields:
            return self._exactly(made, int(fields[b"content-length"]))
        if fields.get(b"transfer-encoding") != b"chunked":
            while self._more(made):
                pass
            return self._received
        content = b""
        while (size := self._until(made, b"\r\n")) is not None:
            part = self._exactly(made, int(size, 16) + 2)
            content += part[:-2]
            if len(part) == 2:
                break
        return content

    def _more(self, made: socket.socket) -> bool:
        found = made.recv(65_536)
        self._received += found
        return bool(found)

    def _until(self, made: socket.socket, end: bytes) -> bytes | None:
        """What comes before a mark; None if the connection ends first."""
        while end not in self._received:
            if not self._more(made):
                return None
        found, _, self._received = self._received.partition(end)
        return found

    def _exactly(self, made: socket.socket, size: int) -> bytes:
        while len(self._received) < size:
            if not self._more(made):
                raise ConnectionResetError("the answer is not complete")
        found, self._received = self._received[:size], self._received[size:]
        return found
