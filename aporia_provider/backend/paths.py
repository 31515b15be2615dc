"""Data sources on the local disk, which a server accepts from a few folders only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from aporia_provider.data_sources import DataSource, S3DataSource
from aporia_provider.lake.diagnosis import local_path


def local_path_faults(source: DataSource, allowed: Sequence[str] | None) -> Iterator[str]:
    """
    Why a data source on the local disk is refused; nothing for one that is elsewhere.

    Links are followed at this moment and may change, so whoever reads the data has to ask again.

    :param allowed: Folders to read from, or None for all.
    """
    if allowed is None or not isinstance(source, S3DataSource) or not source.uri.startswith("file://"):
        return
    path = local_path(source.uri)
    # In case a reader decodes the path once more, both readings have to be inside.
    if not all(_is_inside(reading, allowed) for reading in (path, unquote(path))):
        yield (
            f"object_path: {source.object_path} is on the disk of the server, outside the folders it reads. "
            "The server's administrator allows folders with --allow-local-folder"
        )


def _is_inside(path: str, allowed: Sequence[str]) -> bool:
    if not path.startswith("/") or "\x00" in path:
        return False
    try:
        real = Path(path).resolve()
        return any(real.is_relative_to(Path(folder).resolve()) for folder in allowed)
    except (OSError, RuntimeError):
        return False
