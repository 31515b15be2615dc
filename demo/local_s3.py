"""A local S3 for the demo."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUCKET = "lake"
REGION = "eu-central-1"
ACCESS_KEY, SECRET_KEY = "demo-access-key", "demo-secret-key"


@contextmanager
def local_s3(log: Path) -> Iterator[str]:
    """Start the server, and stop it after the block, with all that was written; its URL."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", endpoint.rpartition(":")[2]]
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file) as server:
        try:
            yield endpoint
        finally:
            server.terminate()


def create_bucket(endpoint: str, log: Path) -> None:
    """Create the bucket as soon as the server answers."""
    _wait_for(endpoint, log)
    request = urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")
    request.add_header("Host", "s3.amazonaws.com")
    urllib.request.urlopen(request, timeout=10).close()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(endpoint: str, log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(endpoint, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"The local S3 did not answer; see {log}")
