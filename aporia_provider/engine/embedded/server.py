"""
Main program of the embedded engine: ``python -m aporia_provider.engine.embedded.server DESCRIPTOR FOLDER``,
with ``--preload`` if it imports the modules that the functions of syncs use.

Prints the port it listens on (loopback only). Usually its parent kills it. If the parent is killed, it
deletes its folder for temporary files and exits, so that nothing is left behind. Only its parent can use it:
the descriptor is a socket through which the parent confirms which connections are its own. If the system does
not support this, the reason is printed after the port.
"""

from __future__ import annotations

import importlib
import os
import select
import shutil
import socket
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from aporia_provider.engine.embedded.admission import ConnectionGuard
from aporia_provider.engine.embedded.seccomp import UnsupportedError

if TYPE_CHECKING:
    from pysail.spark import SparkConnectServer

PRELOAD = "--preload"
"""Argument with which the program imports the modules that the functions of syncs use."""
# Statistics exclude NaN, and the engine treats a column as constant if its minimum equals its maximum.
_NO_STATISTICS = ("SAIL_EXECUTION__COLLECT_STATISTICS", "false")
_CHECK_INTERVAL = 1.0
# The engine imports pyspark.worker to call Python functions; pyarrow imports pandas on first use.
_MODULES_OF_SYNCS = ("pandas", "pyspark.worker", "aporia_provider.engine.dataframes.worker_functions")


def main() -> None:
    """Serve until the parent ends."""
    parent = os.getppid()
    guard, missing_feature = ConnectionGuard(socket.socket(fileno=int(sys.argv[1]))), ""
    try:
        server = guard.start(start_server)
        guard.verify(_address(server))
    except UnsupportedError as error:
        server, missing_feature = start_server(), str(error)
    sys.stdout.write(f"{_address(server)[1]} {missing_feature}\n")
    sys.stdout.flush()
    if PRELOAD in sys.argv:
        threading.Thread(target=_preload, daemon=True).start()
    wait_for_parent(parent)
    shutil.rmtree(sys.argv[2], ignore_errors=True)
    os._exit(0)


def _preload() -> None:
    """Import what the functions of syncs use, while the parent connects and reads the log of the table."""
    for module in _MODULES_OF_SYNCS:
        # A query reports what is missing.
        with suppress(ImportError):
            importlib.import_module(module)


def start_server() -> SparkConnectServer:
    """Return a server started on a free port of the loopback interface."""
    os.environ.setdefault(*_NO_STATISTICS)
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    return server


def _address(server: SparkConnectServer) -> tuple[str, int]:
    address = server.listening_address
    if address is None:
        raise SystemExit("The embedded engine does not listen on a port")
    host, port = address
    return host, port


def wait_for_parent(parent: int) -> None:
    """
    Wait until standard input or the parent process ends.

    :param parent: Id of the parent process.
    """
    # A forked process may hold the other end of the pipe open, so waiting for its end alone is not
    # sufficient.
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], _CHECK_INTERVAL)
        if readable and not os.read(sys.stdin.fileno(), 1):
            return


if __name__ == "__main__":
    main()
