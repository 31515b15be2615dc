"""API tokens stored in files."""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from aporia_provider.backend.server.auth.tokens import TokenPermissions, digest
from aporia_provider.errors import ValidationError

SHORTEST = 16
_READ_ONLY = "read-only"
_LARGEST = 1_000_000  # Bytes.
_LOOK_AGAIN = 1.0  # Seconds.

log = logging.getLogger(__name__)


class TokenFile:
    """
    A file of API tokens, reloaded when it changes.

    Each line holds an environment, a token, and optionally ``read-only``; ``#`` begins a comment.

    :param path: Path of the file.
    :raises aporia_provider.errors.ValidationError: if other users can read the file, or if lines are invalid,
        all of which are listed without their content.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._looked_at = time.monotonic()
        self._identity = _identity(path)
        self._permissions = _read(path)

    def permissions(self) -> Mapping[str, TokenPermissions]:
        """
        Return the permissions by digest of the token.

        If the file has become unreadable or invalid, log an error and keep the previous tokens.
        """
        with self._lock:
            if time.monotonic() - self._looked_at >= _LOOK_AGAIN:
                self._look_again()
            return self._permissions

    def _look_again(self) -> None:
        self._looked_at = time.monotonic()
        try:
            identity = _identity(self.path)
            if identity == self._identity:
                return
            self._identity = identity
            self._permissions = _read(self.path)
        except ValidationError as error:
            log.error("The tokens are unchanged: %s", error.message)
        else:
            log.info("Read %d tokens from %s", len(self._permissions), self.path)


def _identity(path: Path) -> tuple[int, ...] | None:
    """
    Return a value that changes whenever the file is changed or replaced; None if the file does not exist.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode


def _read(path: Path) -> dict[str, TokenPermissions]:
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise ValidationError(f"{path} contains tokens and others can read it; run chmod 600 on it")
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValidationError(f"The token file {path} has more than {_LARGEST:,} bytes")
        lines = content.decode("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ValidationError(f"The token file {path} cannot be read: {reason}") from None
    return _parse(path, lines)


def _parse(path: Path, lines: list[str]) -> dict[str, TokenPermissions]:
    permissions: dict[str, TokenPermissions] = {}
    first_lines: dict[str, int] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) not in (2, 3) or len(words[1]) < SHORTEST or words[2:] not in ([], [_READ_ONLY]):
            problems.append(
                f"line {number} is not an environment, a token of {SHORTEST} characters or more and, "
                f"for a token that may only read, {_READ_ONLY}"
            )
            continue
        token_digest = digest(words[1])
        if token_digest in permissions:
            problems.append(f"line {number} has the same token as line {first_lines[token_digest]}")
            continue
        first_lines[token_digest] = number
        name = f"line {number} of {path.name}"
        permissions[token_digest] = TokenPermissions(words[0], name, words[2:] == [_READ_ONLY])
    if problems:
        raise ValidationError(f"The token file {path} is not valid", problems=problems)
    return permissions
