"""
Who may connect to a server in this process: nobody but the process that started it.

The kernel hands the accept calls of the server's threads over, see :mod:`~.embedded.seccomp`. A
connection is accepted here first, and the server gets it only if its other end is a socket of the parent
process, which is asked whether it is. So there is no moment at which another process could reach the server.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Callable
from typing import TypeVar

from aporia_provider.engine.embedded.seccomp import AcceptCall, hand_over_accept_calls, next_call

T = TypeVar("T")
Address = tuple[str, int]

YES, NO = b"1", b"0"
"""What the parent answers."""

_PROBE_SECONDS = 10


class Admission:
    """
    Accepts connections in place of a server.

    :param parent: A socket whose other end is read by
        :func:`aporia_provider.engine.embedded.sockets.answer_for_sockets` in the parent process.
    """

    def __init__(self, parent: socket.socket) -> None:
        self._parent = parent
        self._listener: int | None = None
        self._handed_over, self._open = threading.Event(), threading.Event()
        self._refused: set[Address] = set()

    def start(self, server: Callable[[], T]) -> T:
        """
        Start a server whose connections are accepted here.

        :param server: Starts it; all threads that accept connections descend from this one.
        :raises aporia_provider.engine.embedded.seccomp.UnsupportedError: if the system cannot do so; the
            server has not been started then.
        """
        # This thread is older than the filter, so that its own calls are not handed over.
        threading.Thread(target=self._serve, daemon=True).start()
        try:
            self._listener = hand_over_accept_calls()
        finally:
            self._handed_over.set()
        return server()

    def prove(self, address: Address) -> None:
        """
        Make sure that the server refuses a connection of this process, and let the parent in from now on.

        :param address: Where the server listens.
        :raises RuntimeError: if it does not: it accepts connections in another way than was thought.
        """
        with socket.create_connection(address, _PROBE_SECONDS) as probe:
            try:
                answer = probe.recv(1)
            except ConnectionResetError:
                answer = b""
            if answer or probe.getsockname() not in self._refused:
                raise RuntimeError("connections reach the server without having been checked")
        self._open.set()

    def _serve(self) -> None:
        self._handed_over.wait()
        if self._listener is None:
            return
        try:
            while True:
                self._decide(next_call(self._listener))
        finally:
            # Calls fail from now on, so nobody is let in.
            os.close(self._listener)

    def _decide(self, call: AcceptCall) -> None:
        waiting = socket.socket(fileno=call.descriptor)
        try:
            connection, peer = waiting.accept()
        except OSError as error:
            call.fail(error.errno or errno.ECONNABORTED)
            return
        finally:
            # The socket is the server's.
            waiting.detach()
        with connection:
            if self._admits(peer, connection.getsockname()):
                call.give(connection)
            else:
                call.fail(errno.ECONNABORTED)

    def _admits(self, peer: Address, own: Address) -> bool:
        if not self._open.is_set():
            self._refused.add(peer)
            return False
        try:
            self._parent.sendall("{} {} {} {}\n".format(*peer, *own).encode())
            return self._parent.recv(1) == YES
        except OSError:
            # The parent has ended.
            return False
