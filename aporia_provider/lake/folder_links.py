"""
Symbolic links for local folders whose names contain special characters.

The embedded engine encodes the path of a Delta table without decoding it again, so it does not find a folder
with a special character in its name. A symbolic link to the folder has a name without such characters.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

PLAIN = re.compile(r"[A-Za-z0-9_./+=@,:-]*")
"""Pattern of paths that every reader uses unchanged."""


def plain_path(path: str) -> str:
    """
    Return a path of the same folder without special characters.

    :param path: An absolute local path, not encoded.
    :return: ``path``, or a link that exists until the process ends.
    """
    if PLAIN.fullmatch(path) or not Path(path).exists():
        return path
    link = Path(_folder(os.getpid()), hashlib.sha256(os.fsencode(path)).hexdigest()[:32])
    # Two threads may create it at the same time.
    with suppress(FileExistsError):
        link.symlink_to(path)
    return str(link)


@cache
def _folder(process: int) -> str:
    """Return a folder that only this user can write to. A forked process has its own."""
    folder = tempfile.mkdtemp(prefix="aporia-links-")
    atexit.register(_remove, folder, process)
    return folder


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
