"""Limits of connections: how many there are, and how long a client may take to send and to receive."""

from __future__ import annotations

import math
import sys
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 1_000
"""Limit of open connections, if the process may open as many files."""
MAX_HEADERS = 32 * 1024
"""Limit of the bytes of a request up to its body that has not arrived as a whole."""
HEADER_SECONDS = 10
"""How long a client may take to send a request up to its body."""
BODY_SECONDS = 10
"""
How long it may take to send the body, and to receive what the server has written, besides one second for each
:data:`BODY_RATE` bytes.
"""
BODY_RATE = 20_000
"""Bytes of a body in a second below which a client is too slow."""

FREE_PIECES = 1_000
"""Pieces of a body, such as chunks, that may have any size."""
LEAST_PIECE = 64
"""Bytes that the pieces of a body have on average if there are more: each takes the event loop's time."""

_OTHER_FILES = 160
"""Files that are not connections: libraries, and the database in each thread."""
_LEAST_CONNECTIONS = 16


def most_connections() -> int:
    """How many connections the limit of open files leaves room for, at most :data:`MAX_CONNECTIONS`."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(_LEAST_CONNECTIONS, min(MAX_CONNECTIONS, files - _OTHER_FILES))


class LimitedConfig(uvicorn.Config):
    """
    Settings of a server whose connections are limited.

    :param app: The application.
    :param options: Further settings, see :class:`uvicorn.Config`.
    """

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(
            app,
            http=LimitedProtocol,
            ws="none",
            h11_max_incomplete_event_size=MAX_HEADERS,
            # Connections that are waiting to be accepted are files as well, as soon as they are.
            backlog=64,
            **options,
        )
        self.most_connections = most_connections()


class _LimitedReader(h11.Connection):
    """Reads requests, and refuses bodies that come in too many pieces."""

    _pieces = _size = 0

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._pieces = self._size = 0
        elif isinstance(event, h11.Data):
            self._pieces += 1
            self._size += len(event.data)
            if self._pieces > FREE_PIECES and self._size < self._pieces * LEAST_PIECE:
                raise h11.RemoteProtocolError("the pieces of the body are too small")
        return event


class LimitedProtocol(H11Protocol):
    """
    A connection that is closed if its client is too slow, or to make room for others.

    When all connections are taken, a new one takes the place of the one that has been waiting for a request
    longest, so that connections without requests keep nobody out.
    """

    _since = 0.0
    _received = 0
    _state: Any = None
    _received_by = math.inf

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = _LimitedReader(h11.SERVER, MAX_HEADERS)

    def connection_made(self, transport: Any) -> None:
        """Take the connection, if need be in the place of another one."""
        super().connection_made(transport)
        self._enter()
        config = cast("LimitedConfig", self.config)
        if len(self.connections) > config.most_connections:
            others = cast("set[LimitedProtocol]", self.connections)
            waiting = [other for other in others if other.is_waiting]
            min(waiting, key=lambda other: other._since).close_now()

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        self._received += len(data)
        super().data_received(data)
        if self.conn.their_state is not self._state:
            self._enter()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, and end the answer to the request that it came with, if there is one."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            # The refusal is the last answer on this connection, which would not take another one.
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.close_now()
                return
        super().send_400_response(msg)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._enter()

    def pause_writing(self) -> None:
        """Begin to measure how long the client takes to receive what was written."""
        super().pause_writing()
        seconds = BODY_SECONDS + self.transport.get_write_buffer_size() / BODY_RATE
        self._received_by = self.loop.time() + seconds

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        self._received_by = math.inf

    @property
    def is_waiting(self) -> bool:
        """Whether no request of the connection is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def close_if_slow(self, now: float) -> None:
        """
        Close the connection if the client takes too long to send what it has begun, or to receive an answer.

        :param now: The time of the event loop.
        """
        if self.flow.read_paused:
            # The server is not reading, so the client is not the one who is slow.
            self._enter()
        seconds, state = now - self._since, self.conn.their_state
        body_seconds = BODY_SECONDS + self._received / BODY_RATE
        limit = {h11.IDLE: HEADER_SECONDS, h11.SEND_BODY: body_seconds}.get(state, math.inf)
        if seconds > limit or now > self._received_by:
            self.close_now()

    def close_now(self) -> None:
        """Close the connection without waiting for the client."""
        self.connections.discard(self)
        self.transport.abort()

    def _enter(self) -> None:
        """Begin to measure the present part of the request."""
        self._since, self._received, self._state = self.loop.time(), 0, self.conn.their_state
