"""Access to the files of an SQLite database, which hold samples of the data: their owner's alone."""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from pathlib import Path

from sqlalchemy import URL

from aporia_provider.backend.store.database_urls import file_of

log = logging.getLogger(__name__)

_PRIVATE = 0o600
_OTHERS = 0o077
# SQLite gives the files beside the database the mode that the database has when they are made.
_BESIDE = ("-wal", "-shm", "-journal")


def make_private(url: URL) -> None:
    """
    Make the file of an SQLite database if it does not exist, and take it from everybody but its owner.

    A file that others can read is changed, with those beside it, and the log says so. If it belongs to
    somebody else, so that its mode cannot be changed, the log says that.

    :param url: URL of the database, whose folder exists.
    """
    path = file_of(url)
    _make(path)
    if _tighten(path):
        log.warning("Other users of this machine could read %s; its mode is 0600 now", path)
    for suffix in _BESIDE:
        _tighten(path.with_name(path.name + suffix))


def _make(path: Path) -> None:
    # An existing file must not be opened here: closing it would drop the locks that SQLite holds on it in
    # this process. SQLite itself reports what prevents making it.
    with contextlib.suppress(OSError):
        try:
            os.mknod(path, stat.S_IFREG | _PRIVATE)
        except PermissionError:
            # macOS allows it to nobody but root.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE))


def _tighten(path: Path) -> bool:
    """Remove the permissions of others; whether there were any and they are removed."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHERS:
            path.chmod(mode & ~_OTHERS)
        return bool(mode & _OTHERS)
    except FileNotFoundError:
        return False
    except OSError as error:
        log.warning(
            "Other users of this machine can access %s, and its mode cannot be changed (%s): "
            "its owner can run chmod 600 on it",
            path,
            error.strerror,
        )
        return False


def unwritable(url: URL) -> str | None:
    """
    Why the files of an SQLite database cannot be written, in words; None if they seem to be writable.

    SQLite writes files beside the database, so its folder has to be writable as well.

    :param url: URL of the database.
    """
    path = file_of(url)
    try:
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return "its disk is mounted read-only"
    except OSError:
        return None
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.W_OK):
            return f"this user may not write to {place}"
    return None
