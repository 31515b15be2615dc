"""
The embedded engine in a process of its own: ``python -m aporia_provider.engine.embedded.server DESCRIPTOR``.

Prints the port it listens on (loopback only), and ends with its standard input or its parent, so that a task
that was killed leaves no orphan. Only its parent can use it: the descriptor is a socket at whose other end
the parent tells which connections are its own. Where the system has no means for that, the reason follows
the port.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from typing import TYPE_CHECKING

from aporia_provider.engine.embedded.admission import Admission
from aporia_provider.engine.embedded.seccomp import UnsupportedError

if TYPE_CHECKING:
    from pysail.spark import SparkConnectServer

# Statistics leave NaN out, and this engine takes a column whose least value is its greatest for constant.
_STATISTICS = ("SAIL_EXECUTION__COLLECT_STATISTICS", "false")
_GLANCE = 1.0
_GRACE = 5


def main() -> None:
    """Serve until the parent is gone."""
    parent = os.getppid()
    admission, lack = Admission(socket.socket(fileno=int(sys.argv[1]))), ""
    try:
        server = admission.start(listening)
        admission.prove(_address(server))
    except UnsupportedError as error:
        server, lack = listening(), str(error)
    sys.stdout.write(f"{_address(server)[1]} {lack}\n")
    sys.stdout.flush()
    wait_for_parent(parent)
    # It waits for what is still running, which may be for ever.
    signal.alarm(_GRACE)
    server.stop()


def listening() -> SparkConnectServer:
    """Start a server on a free port of loopback."""
    os.environ.setdefault(*_STATISTICS)
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    return server


def _address(server: SparkConnectServer) -> tuple[str, int]:
    address = server.listening_address
    if address is None:
        raise SystemExit("The embedded engine does not listen")
    host, port = address
    return host, port


def wait_for_parent(parent: int) -> None:
    """
    Wait until standard input or the parent process ends.

    :param parent: Id of the parent process.
    """
    # A fork of the parent may hold the other end of the pipe open, so its end is not waited for alone.
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], _GLANCE)
        if readable and not os.read(sys.stdin.fileno(), 1):
            return


if __name__ == "__main__":
    main()
