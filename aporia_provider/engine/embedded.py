"""
The embedded engine in a process of its own: ``python -m aporia_provider.engine.embedded``.

Prints the port it listens on (loopback only) and ends with its standard input or its parent, so that a task
that was killed leaves no orphan.
"""

from __future__ import annotations

import os
import select
import signal
import sys

# Statistics leave NaN out, and this engine takes a column whose least value is its greatest for constant.
_STATISTICS = ("SAIL_EXECUTION__COLLECT_STATISTICS", "false")
_GLANCE = 1.0
_GRACE = 5


def main() -> None:
    """Serve until the parent is gone."""
    os.environ.setdefault(*_STATISTICS)
    from pysail.spark import SparkConnectServer

    parent = os.getppid()
    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    address = server.listening_address
    if address is None:
        raise SystemExit("The embedded engine does not listen")
    sys.stdout.write(f"{address[1]}\n")
    sys.stdout.flush()
    wait_for_parent(parent)
    # It waits for what is still running, which may be for ever.
    signal.alarm(_GRACE)
    server.stop()


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
