"""
Access control of a server in this process: only the parent process may connect.

The kernel passes the accept calls of the server's threads to this module, see :mod:`~.embedded.seccomp`. It
accepts each connection, and passes it to the server only if the parent process confirms that the other end is
one of its sockets. So there is no time at which another process can reach the server.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

from aporia_provider.engine.embedded.seccomp import AcceptCall, intercept_accept_calls, next_call

T = TypeVar("T")
Address = tuple[str, int]

YES, NO = b"1", b"0"
"""Responses of the parent."""

_PROBE_SECONDS = 10


class ConnectionGuard:
    """
    Accepts connections for a server.

    :param parent: A socket whose other end is read by
        :func:`aporia_provider.engine.embedded.sockets.confirm_connections` in the parent process.
    """

    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent
        self._listener: int | None = None
        self._attempted, self._checked = threading.Event(), threading.Event()
        self._rejected: set[Address] = set()

    def start(self, server: Callable[[], T]) -> T:
        """
        Start a server whose connections are accepted by this object.

        :param server: Function that starts the server. All threads that accept connections must descend from
            this thread.
        :raises aporia_provider.engine.embedded.seccomp.UnsupportedError: if the system does not support it;
            the server is not started then.
        """
        # This thread is started before the filter is installed, so its own calls are not intercepted.
        threading.Thread(target=self._serve, daemon=True).start()
        try:
            self._listener = intercept_accept_calls()
        finally:
            self._attempted.set()
        return server()

    def verify(self, address: Address) -> None:
        """
        Check that the server rejects a connection from this process, then accept those from the parent.

        :param address: Address on which the server listens.
        :raises RuntimeError: if the connection is not rejected. The server then accepts connections in an
            unexpected way.
        """
        with socket.create_connection(address, _PROBE_SECONDS) as probe:
            try:
                response = probe.recv(1)
            except ConnectionResetError:
                response = b""
            if response or probe.getsockname() not in self._rejected:
                raise RuntimeError("connections reach the server without being checked")
        self._checked.set()

    def _serve(self) -> None:
        self._attempted.wait()
        if self._listener is None:
            return
        try:
            while True:
                self._handle(next_call(self._listener))
        finally:
            # Accept calls fail from now on, so no connection is accepted.
            os.close(self._listener)

    def _handle(self, call: AcceptCall) -> None:
        listening_socket = socket.socket(fileno=call.descriptor)
        try:
            connection, peer = listening_socket.accept()
        except OSError as error:
            call.return_error(error.errno or errno.ECONNABORTED)
            return
        finally:
            # The socket belongs to the server.
            listening_socket.detach()
        with connection:
            if self._is_parent(peer, connection.getsockname()):
                call.return_connection(connection)
            else:
                call.return_error(errno.ECONNABORTED)

    def _is_parent(self, peer: Address, own: Address) -> bool:
        if not self._checked.is_set():
            self._rejected.add(peer)
            return False
        try:
            self._parent.sendall("{} {} {} {}\n".format(*peer, *own).encode())
            return self._parent.recv(1) == YES
        except OSError:
            # The parent has ended.
            return False
