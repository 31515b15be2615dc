"""Access checks of local data sources, which a server accepts only within allowed folders."""

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
    Yield the reasons to refuse a local data source; nothing for other data sources.

    Symbolic links are resolved at the time of the call and may change, so the check is repeated before the
    data is read.

    :param allowed: Allowed folders; None allows all.
    """
    path = _path_on_disk(source)
    if allowed is None or path is None:
        return
    # A reader may decode the path once more, so both forms have to be inside.
    if not all(_is_inside(reading, allowed) for reading in (path, unquote(path))):
        yield f"object_path: {path!r} is on the local disk, outside the allowed folders. {_ADVICE}"
    elif source.delta_uri is None and (match := _PATTERN.search(unquote(path))):
        # An engine that expands a pattern could leave the folder: {a.csv,../../b.csv}.
        yield f"object_path: {path!r} has a {match[0]!r}, which may begin a pattern of files"


def link_faults(source: DataSource, allowed: Sequence[str] | None) -> Iterator[str]:
    """
    Yield the problems of :func:`local_path_faults`, and symbolic links in the data that lead outside.

    The folder is searched recursively. Hard links cannot be distinguished from regular files.

    :param allowed: Allowed folders; None allows all.
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
    """Return a symbolic link at or below the path that leads outside, or None."""
    folders, searched = [path.resolve()], set()
    while folders:
        folder = folders.pop()
        # Files below a folder without search permission cannot be opened.
        if folder in searched or not folder.is_dir() or not os.access(folder, os.X_OK):
            continue
        searched.add(folder)
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
