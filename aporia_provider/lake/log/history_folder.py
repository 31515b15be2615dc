"""A folder that keeps histories of tables between processes, so that only new commits are read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from aporia_provider.lake.log.commit_history import HISTORY_FORMAT, CommitHistory

_MAX_BYTES = 64 << 20


class HistoryFolder:
    """
    Folder with one file for each table.

    A missing, damaged or unreadable file only means that the history is read again, as does a folder that
    cannot be written.

    :param path: The folder, which is created if it does not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)

    def load(self, uri: str) -> CommitHistory | None:
        """Return the history of a table; None if there is none that can be used."""
        import msgspec

        try:
            content = self._file(uri).read_bytes()
            history = msgspec.json.decode(content, type=CommitHistory)
        except (OSError, ValueError):
            return None
        return history if history.uri == uri and history.format == HISTORY_FORMAT else None

    def store(self, history: CommitHistory) -> None:
        """Store the history of a table."""
        import msgspec

        content = msgspec.json.encode(history)
        if len(content) > _MAX_BYTES:
            return
        with contextlib.suppress(OSError):
            self._path.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self._path, suffix=".tmp")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                Path(name).replace(self._file(history.uri))
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def _file(self, uri: str) -> Path:
        return self._path / f"{hashlib.sha256(uri.encode()).hexdigest()}.json"
