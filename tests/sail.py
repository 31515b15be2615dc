"""
Sail as a cluster that every process of the tests can use: ``python -m tests.sail``.

Prints the port it listens on (loopback only), and ends with its standard input or its parent.
"""

from __future__ import annotations

import os
import sys

from aporia_provider.engine.embedded.server import start_server, wait_for_parent

if __name__ == "__main__":
    parent, server = os.getppid(), start_server()
    assert server.listening_address is not None
    sys.stdout.write(f"{server.listening_address[1]}\n")
    sys.stdout.flush()
    wait_for_parent(parent)
