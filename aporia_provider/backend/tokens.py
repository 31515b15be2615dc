"""API tokens, each bound to one environment."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import stat
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TypedDict

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from aporia_provider.backend.database import Database
from aporia_provider.backend.tables import TokenRow
from aporia_provider.backend.text import check_names
from aporia_provider.errors import ConflictError, NotFoundError, ValidationError

PREFIX = "aporia_"
SHORTEST = 16


class TokenInfo(TypedDict):
    """What can be told about a token."""

    environment: str
    name: str
    created_at: datetime


def digest(token: str) -> str:
    """
    What is stored of a token.

    A single SHA-256 is right here, unlike for passwords: 256 random bits cannot be guessed at any speed, so
    slowing the hash down would only slow down every request.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def create_token(database: Database, environment: str, name: str) -> str:
    """
    Make a token. It cannot be shown again.

    :raises aporia_provider.errors.ConflictError: if the environment has a token of this name.
    """
    check_names(environment=environment, name=name)
    token = PREFIX + secrets.token_urlsafe(32)
    try:
        with database.writing() as session:
            session.add(TokenRow(environment=environment, name=name, digest=digest(token)))
    except IntegrityError:
        raise ConflictError(f"Environment {environment} has a token named {name}; revoke it first") from None
    return token


def list_tokens(database: Database, environment: str | None = None) -> list[TokenInfo]:
    """Tokens of one environment or of all, oldest first."""
    query = select(TokenRow).order_by(TokenRow.key)
    if environment is not None:
        query = query.where(TokenRow.environment == environment)
    with database.reading() as session:
        return [
            {"environment": row.environment, "name": row.name, "created_at": row.created_at}
            for row in session.scalars(query)
        ]


def revoke_token(database: Database, environment: str, name: str) -> None:
    """
    Make a token worthless from the next request on.

    :raises aporia_provider.errors.NotFoundError: if there is none of this name.
    """
    statement = delete(TokenRow).where(TokenRow.environment == environment, TokenRow.name == name)
    with database.writing() as session:
        revoked = session.execute(statement.returning(TokenRow.key)).first()
    if revoked is None:
        raise NotFoundError(f"Environment {environment} has no token named {name}")


def environment_of(database: Database, token: str, from_file: Mapping[str, str]) -> str | None:
    """
    The environment a token opens, or None.

    :param from_file: Digest to environment, see :func:`read_token_file`.
    """
    presented = digest(token)
    found = None
    for known, environment in from_file.items():
        if hmac.compare_digest(known, presented):
            found = environment
    if found is not None:
        return found
    with database.reading() as session:
        row = session.scalar(select(TokenRow).where(TokenRow.digest == presented))
        return row.environment if row and hmac.compare_digest(row.digest, presented) else None


def read_token_file(path: Path) -> dict[str, str]:
    """
    Read a file with an environment and its token on every line; ``#`` begins a comment.

    :return: Digest to environment.
    :raises aporia_provider.errors.ValidationError: if others than its owner can read it, or naming every line
        that is wrong, without showing it.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ValidationError(f"{path} holds tokens, but others can read it; run chmod 600 on it")
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ValidationError(f"The token file {path} cannot be read: {reason}") from None
    return _read_lines(path, lines)


def _read_lines(path: Path, lines: list[str]) -> dict[str, str]:
    tokens: dict[str, str] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if len(words) == 2 and len(words[1]) >= SHORTEST:
            tokens[digest(words[1])] = words[0]
        elif words:
            problems.append(
                f"line {number} is not an environment and a token of {SHORTEST} characters or more"
            )
    if problems:
        raise ValidationError(f"The token file {path} is not valid", problems=problems)
    return tokens
