"""Limits of connections: their number, and the time a client may take to send and to receive."""

from __future__ import annotations

import math
import sys
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 1_000
"""Maximum number of open connections, if the process may open as many files."""
MAX_HEADERS = 32 * 1024
"""Maximum size in bytes of an incomplete request head."""
HEADER_SECONDS = 10
"""Time limit in seconds to send the head of a request."""
BODY_SECONDS = 10
"""
Time limit in seconds to send a body, or to receive buffered output, plus one second for each
:data:`BODY_RATE` bytes.
"""
BODY_RATE = 20_000
"""Minimum transfer rate in bytes per second."""

FREE_PIECES = 1_000
"""Pieces of a body, such as chunks, that may have any size."""
LEAST_PIECE = 64
"""Minimum mean size in bytes of the pieces of a body with more pieces: each piece costs processing time."""

_OTHER_FILES = 160
"""Number of open files that are not connections: libraries, and the database in each thread."""
_LEAST_CONNECTIONS = 16


def most_connections() -> int:
    """
    Return the number of connections that the limit of open files allows, at most :data:`MAX_CONNECTIONS`.
    """
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(_LEAST_CONNECTIONS, min(MAX_CONNECTIONS, files - _OTHER_FILES))


class LimitedConfig(uvicorn.Config):
    """
    Configuration of a server with limited connections.

    :param app: The ASGI application.
    :param options: Further options, see :class:`uvicorn.Config`.
    """

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(
            app,
            http=LimitedProtocol,
            ws="none",
            h11_max_incomplete_event_size=MAX_HEADERS,
            # Connections waiting to be accepted become open files as well.
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
    HTTP/1.1 connection that is closed if its client is too slow, or to make room for others.

    At the maximum number of connections, a new one replaces the connection that has been without a request
    for the longest time, so idle connections do not block new clients.
    """

    _since = 0.0
    _received = 0
    _state: Any = None
    _received_by = math.inf

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.conn = _LimitedReader(h11.SERVER, MAX_HEADERS)

    def connection_made(self, transport: Any) -> None:
        """Accept the connection; at the limit, close the longest idle one."""
        super().connection_made(transport)
        self._enter()
        config = cast("LimitedConfig", self.config)
        if len(self.connections) > config.most_connections:
            others = cast("set[LimitedProtocol]", self.connections)
            waiting = [other for other in others if other.is_waiting]
            min(waiting, key=lambda other: other._since).close_now()

    def data_received(self, data: bytes) -> None:
        """Process received bytes."""
        self._received += len(data)
        super().data_received(data)
        if self.conn.their_state is not self._state:
            self._enter()

    def send_400_response(self, msg: str) -> None:
        """Reject malformed HTTP, and abort the response in progress, if any."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            # The error is the last response on this connection.
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.close_now()
                return
        super().send_400_response(msg)

    def on_response_complete(self) -> None:
        """Restart the timer for the next request."""
        super().on_response_complete()
        self._enter()

    def pause_writing(self) -> None:
        """Start the timer for the client to receive the buffered output."""
        super().pause_writing()
        seconds = BODY_SECONDS + self.transport.get_write_buffer_size() / BODY_RATE
        self._received_by = self.loop.time() + seconds

    def resume_writing(self) -> None:
        """Stop the timer for the buffered output."""
        super().resume_writing()
        self._received_by = math.inf

    @property
    def is_waiting(self) -> bool:
        """Return whether no request of the connection is in progress."""
        return self.cycle is None or self.cycle.response_complete

    def close_if_slow(self, now: float) -> None:
        """
        Close the connection if the client has exceeded the time limit to send or to receive.

        :param now: Time of the event loop in seconds.
        """
        if self.flow.read_paused:
            # The server has paused reading, so the delay is not the client's.
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
        """Restart the timer for the current part of the request."""
        self._since, self._received, self._state = self.loop.time(), 0, self.conn.their_state
