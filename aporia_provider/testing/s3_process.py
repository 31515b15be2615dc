"""
S3 server process: ``python -m aporia_provider.testing.s3_process``.

Prints its port (on loopback), and exits when its standard input is closed or its parent exits.
"""

from __future__ import annotations

import logging
import os
import sys

from aporia_provider.engine.embedded.server import wait_for_parent


def main() -> None:
    """Run the server until the parent exits."""
    from moto.server import ThreadedMotoServer

    # Do not log every request.
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
