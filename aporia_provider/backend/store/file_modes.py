"""
File permissions of an SQLite database, which holds samples of the data and is readable by its owner only.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
from pathlib import Path

from sqlalchemy import URL

from aporia_provider.backend.store.database_urls import sqlite_path

log = logging.getLogger(__name__)

_PRIVATE = 0o600
_OTHER_USERS = 0o077
# SQLite creates these files beside the database with the mode of the database file.
_SIDE_FILES = ("-wal", "-shm", "-journal")


def make_private(url: URL) -> None:
    """
    Create the file of an SQLite database if it does not exist, and restrict it to its owner.

    If other users have access to an existing file, or to SQLite's files beside it, remove their permissions
    and log a warning. If the mode cannot be changed, because the file belongs to another user, log a warning
    as well.

    :param url: URL of a database whose folder exists.
    """
    path = sqlite_path(url)
    _create(path)
    if _remove_other_permissions(path):
        log.warning("Other users of this machine could read %s; its mode is 0600 now", path)
    for suffix in _SIDE_FILES:
        _remove_other_permissions(path.with_name(path.name + suffix))


def _create(path: Path) -> None:
    # An existing file must not be opened here: closing it would release the locks that SQLite holds on it in
    # this process. If the file cannot be created, SQLite reports the reason.
    with contextlib.suppress(OSError):
        try:
            os.mknod(path, stat.S_IFREG | _PRIVATE)
        except PermissionError:
            # On macOS, only root may call mknod.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE))


def _remove_other_permissions(path: Path) -> bool:
    """Remove the permissions of other users; return whether there were any and they were removed."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHER_USERS:
            path.chmod(mode & ~_OTHER_USERS)
        return bool(mode & _OTHER_USERS)
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


def write_obstacle(url: URL) -> str | None:
    """
    Return why the files of an SQLite database cannot be written; None if no obstacle was found.

    SQLite creates files beside the database, so the folder has to be writable, too.

    :param url: URL of the database.
    """
    path = sqlite_path(url)
    try:
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            return "its disk is mounted read-only"
    except OSError:
        return None
    for required in (path.parent, path):
        if required.exists() and not os.access(required, os.W_OK):
            return f"this user may not write to {required}"
    return None
