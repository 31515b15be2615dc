"""
An S3 in a process of its own: ``python -m aporia_provider.testing.s3_process``.

Prints the port it listens on (loopback only) and ends with its standard input or its parent.
"""

from __future__ import annotations

import logging
import os
import sys

from aporia_provider.engine.embedded.server import wait_for_parent


def main() -> None:
    """Serve until the parent is gone."""
    from moto.server import ThreadedMotoServer

    # It would write a line for every request.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    parent = os.getppid()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    wait_for_parent(parent)
    server.stop()


if __name__ == "__main__":
    main()
