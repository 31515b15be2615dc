"""
Plain names of local folders whose names have special characters.

The embedded engine encodes the path of a Delta table without decoding it again, so that it does not find a
folder with a special character in its name. A symbolic link to the folder has a plain name.
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
"""What a path is made of that every reader takes as it is written."""


def plain_path(path: str) -> str:
    """
    A path of the same folder without special characters: itself, or a link that lasts as long as the process.

    :param path: An absolute local path, not encoded.
    """
    if PLAIN.fullmatch(path) or not Path(path).exists():
        return path
    link = Path(_folder(os.getpid()), hashlib.sha256(os.fsencode(path)).hexdigest()[:32])
    # Two threads may make it at once.
    with suppress(FileExistsError):
        link.symlink_to(path)
    return str(link)


@cache
def _folder(process: int) -> str:
    """A folder that only this user can write to; a fork of the process has one of its own."""
    folder = tempfile.mkdtemp(prefix="aporia-links-")
    atexit.register(_remove, folder, process)
    return folder


def _remove(folder: str, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
