"""Data sources on the local disk, which a server accepts from a few folders only."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from aporia_provider.data_sources import DataSource
from aporia_provider.lake.failures import local_path

_PATTERN = re.compile(r"[*?\[\]{}]")
_ADVICE = "The administrator allows folders with --allow-local-folder or [aporia] allowed_local_folders"


def local_path_faults(source: DataSource, allowed: Sequence[str] | None) -> Iterator[str]:
    """
    Why a data source on the local disk is refused; nothing for one that is elsewhere.

    Links are followed at this moment and may change, so whoever reads the data has to ask again.

    :param allowed: Folders to read from, or None for all.
    """
    path = _path_on_disk(source)
    if allowed is None or path is None:
        return
    # In case a reader decodes the path once more, both readings have to be inside.
    if not all(_is_inside(reading, allowed) for reading in (path, unquote(path))):
        yield f"object_path: {path!r} is on the local disk, outside the allowed folders. {_ADVICE}"
    elif source.delta_uri is None and (found := _PATTERN.search(unquote(path))):
        # An engine that takes it for a pattern may leave the folder: {a.csv,../../b.csv}.
        yield f"object_path: {path!r} has a {found[0]!r}, which may begin a pattern of files"


def link_faults(source: DataSource, allowed: Sequence[str] | None) -> Iterator[str]:
    """
    The same, and for data that is accepted whether a link in its folder leads outside.

    All the folder is looked through. Hard links cannot be told from files.

    :param allowed: Folders to read from, or None for all.
    """
    faults = list(local_path_faults(source, allowed))
    yield from faults
    path = _path_on_disk(source)
    if faults or allowed is None or path is None:
        return
    try:
        link = _link_outside(Path(path), allowed)
    except OSError as error:
        yield (
            f"object_path: {path!r} cannot be searched for links that lead outside the allowed "
            f"folders: {error.filename}: {error.strerror}"
        )
        return
    if link is not None:
        yield (
            f"object_path: {path!r} has the link {link.name}, which leads outside the allowed "
            f"folders. {_ADVICE}"
        )


def _path_on_disk(source: DataSource) -> str | None:
    uri = source.uri or ""
    return local_path(uri) if uri.startswith("file://") else None


def _link_outside(path: Path, allowed: Sequence[str]) -> Path | None:
    """A link at or below a path that leads outside, if there is one."""
    folders, seen = [path.resolve()], set()
    while folders:
        folder = folders.pop()
        # What is below a folder without the right to search it cannot be opened.
        if folder in seen or not folder.is_dir() or not os.access(folder, os.X_OK):
            continue
        seen.add(folder)
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink() and not _is_inside(entry.path, allowed):
                    return Path(entry.path)
                if entry.is_dir():
                    folders.append(Path(entry.path).resolve())
    return None


def _is_inside(path: str, allowed: Sequence[str]) -> bool:
    if not path.startswith("/") or "\x00" in path:
        return False
    try:
        real = Path(path).resolve()
        return any(real.is_relative_to(Path(folder).resolve()) for folder in allowed)
    except (OSError, RuntimeError):
        return False
