"""API tokens, each valid for one environment."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypedDict

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.json_columns import check_names
from aporia_provider.backend.store.tables import TokenRow, utc_now
from aporia_provider.errors import AporiaError, ConflictError, NotFoundError, ValidationError

log = logging.getLogger(__name__)

PREFIX = "aporia_"
_LONGEST = timedelta(days=36_500)
_USE_NOTED = timedelta(minutes=1)
"""Minimum interval between two updates of ``last_used_at``."""


class TokenInfo(TypedDict):
    """
    Description of a token.

    ``expires_at`` is None if the token does not expire. ``last_used_at`` is accurate to a minute, and None if
    the token was never used.
    """

    environment: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    read_only: bool


@dataclass(frozen=True)
class TokenPermissions:
    """
    Permissions of a token.

    :param environment: Environment that the token is valid for.
    :param name: Name of the token, for logs.
    :param read_only: Whether the token permits reading only.
    """

    environment: str
    name: str
    read_only: bool = False


def digest(token: str) -> str:
    """
    Return the digest under which a token is stored.

    A single SHA-256 is sufficient, unlike for passwords: 256 random bits cannot be guessed, so a slow hash
    would only delay every request.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def create_token(
    database: Database,
    environment: str,
    name: str,
    *,
    expires_in: timedelta | None = None,
    read_only: bool = False,
) -> str:
    """
    Create a token and return it. It cannot be retrieved later.

    :param expires_in: Lifetime of the token; None for a token that does not expire.
    :param read_only: Whether the token permits reading only.
    :raises aporia_provider.errors.ConflictError: if the environment already has a token with this name.
    :raises aporia_provider.errors.ValidationError: if a name is not valid, or the lifetime is not positive or
        longer than a hundred years.
    """
    check_names(environment=environment, name=name)
    if expires_in is not None and not timedelta() < expires_in <= _LONGEST:
        raise ValidationError(
            f"A token cannot expire in {expires_in}: give a positive time of at most a hundred years"
        )
    token = PREFIX + secrets.token_urlsafe(32)
    created_at = utc_now()
    row = TokenRow(
        environment=environment,
        name=name,
        digest=digest(token),
        created_at=created_at,
        expires_at=None if expires_in is None else created_at + expires_in,
        read_only=read_only,
    )
    try:
        with database.write_transaction() as session:
            session.add(row)
    except IntegrityError:
        raise ConflictError(f"Environment {environment} has a token named {name}; revoke it first") from None
    return token


def list_tokens(database: Database, environment: str | None = None) -> list[TokenInfo]:
    """Return the tokens of one environment or of all, oldest first."""
    query = select(TokenRow).order_by(TokenRow.key)
    if environment is not None:
        query = query.where(TokenRow.environment == environment)
    with database.read_transaction() as session:
        return [
            {
                "environment": row.environment,
                "name": row.name,
                "created_at": row.created_at,
                "expires_at": row.expires_at,
                "last_used_at": row.last_used_at,
                "read_only": row.read_only,
            }
            for row in session.scalars(query)
        ]


def revoke_token(database: Database, environment: str, name: str) -> None:
    """
    Revoke a token, with effect from the next request.

    :raises aporia_provider.errors.NotFoundError: if there is no token with this name.
    """
    statement = delete(TokenRow).where(TokenRow.environment == environment, TokenRow.name == name)
    with database.write_transaction() as session:
        revoked = session.execute(statement.returning(TokenRow.key)).first()
    if revoked is None:
        raise NotFoundError(f"Environment {environment} has no token named {name}")


def find_permissions(
    database: Database, presented: str, from_file: Mapping[str, TokenPermissions]
) -> TokenPermissions | None:
    """
    Return the permissions of a token, and record the use of a stored token.

    :param presented: Digest of the token.
    :param from_file: Grants by digest, see :class:`~.token_files.TokenFile`.
    :return: The permissions; None if the token is unknown, revoked or expired.
    """
    stored = None
    for file_digest, permissions in from_file.items():
        if hmac.compare_digest(file_digest, presented):
            stored = permissions
    if stored is not None:
        return stored
    now = utc_now()
    with database.read_transaction() as session:
        row = _valid(session, presented, now)
        if row is None:
            return None
        permissions = TokenPermissions(row.environment, row.name, row.read_only)
        key, used_at = row.key, row.last_used_at
    if used_at is None or used_at < now - _USE_NOTED:
        _note_use(database, key, now)
    return permissions


def _valid(session: Session, presented: str, now: datetime) -> TokenRow | None:
    row = session.scalar(select(TokenRow).where(TokenRow.digest == presented))
    if row is None or not hmac.compare_digest(row.digest, presented):
        return None
    return row if row.expires_at is None or now < row.expires_at else None


def _note_use(database: Database, key: int, now: datetime) -> None:
    unused = or_(TokenRow.last_used_at.is_(None), TokenRow.last_used_at < now)
    try:
        with database.write_transaction() as session:
            session.execute(update(TokenRow).where(TokenRow.key == key, unused).values(last_used_at=now))
    except (AporiaError, SQLAlchemyError) as error:
        # The request may succeed nevertheless, for example on a read-only replica.
        reason = error.message if isinstance(error, AporiaError) else type(error).__name__
        log.warning("The use of a token cannot be recorded: %s", reason)
