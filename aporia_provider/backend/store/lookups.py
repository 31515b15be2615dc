"""Lookup of rows by the protocol's names, and idempotent inserts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from aporia_provider.backend.store.json_columns import check_names
from aporia_provider.backend.store.tables import Base, DatasetRow, ModelRow, VersionRow
from aporia_provider.errors import NotFoundError
from aporia_provider.nearest import nearest

R = TypeVar("R", bound=Base)

_MAX_NAMES = 1000


def insert_or_find(
    session: Session, table: type[R], key: Mapping[str, Any], values: Mapping[str, Any]
) -> tuple[R, bool]:
    """
    Insert a row, or return the existing row that has the key.

    :param key: Columns of a unique constraint and their values.
    :return: The row, and whether it was inserted.
    """
    statement = (
        insert(session, table)
        .values(**key, **values)
        .on_conflict_do_nothing(index_elements=list(key))
        .returning(table)
    )
    # A second iteration is needed only if the row is deleted between the two statements.
    while True:
        inserted = session.scalar(statement)
        if inserted is not None:
            return inserted, True
        existing = session.scalar(select(table).filter_by(**key))
        if existing is not None:
            return existing, False


def upsert(session: Session, table: type[Base], key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Insert a row, or update ``values`` of the existing row that has the key."""
    statement = insert(session, table).values(**key, **values)
    session.execute(statement.on_conflict_do_update(index_elements=list(key), set_=dict(values)))


def upsert_all(
    session: Session, table: type[Base], key: Collection[str], rows: Sequence[Mapping[str, Any]]
) -> None:
    """
    Insert rows, or update the existing rows that have their keys.

    :param key: Names of the columns of a unique constraint.
    :param rows: Values by name of the column; all rows have the same columns.
    """
    if not rows:
        return
    statement = insert(session, table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    session.execute(
        statement.on_conflict_do_update(index_elements=list(key), set_=changed), [dict(row) for row in rows]
    )


def insert(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """Return an ``INSERT`` that supports ``ON CONFLICT``, in the session's dialect."""
    dialect = session.get_bind().dialect.name
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def find_model(session: Session, environment: str, model_id: str, *, change: bool = False) -> ModelRow:
    """
    Return a model, locked against deletion until the transaction ends.

    :param change: Also lock the model and its tags against changes. In SQLite, writing transactions are
        exclusive anyway.
    :raises aporia_provider.errors.NotFoundError: if there is no such model; the message names the most
        similar id.
    """
    check_names(model=model_id)
    query = select(ModelRow).where(ModelRow.environment == environment, ModelRow.id == model_id)
    row = session.scalar(query.with_for_update(read=not change, key_share=True))
    if row is None:
        ids = session.scalars(
            select(ModelRow.id).where(ModelRow.environment == environment).limit(_MAX_NAMES)
        )
        raise _not_found(f"model {model_id!r} in environment {environment!r}", model_id, ids)
    return row


def find_version(session: Session, environment: str, model_id: str, name: str) -> VersionRow:
    """
    Return a version of a model.

    :raises aporia_provider.errors.NotFoundError: if there is no such version; the message names the most
        similar name.
    """
    check_names(version=name)
    model = find_model(session, environment, model_id)
    row = session.scalar(select(VersionRow).filter_by(model_key=model.key, name=name))
    if row is None:
        names = session.scalars(select(VersionRow.name).filter_by(model_key=model.key).limit(_MAX_NAMES))
        raise _not_found(f"version {name!r} of model {model_id!r}", name, names)
    return row


def find_dataset(session: Session, version: VersionRow, role: str) -> DatasetRow:
    """
    Return the dataset of a version that is connected in a role.

    :raises aporia_provider.errors.NotFoundError: if there is no such dataset; the message names the connected
        roles.
    """
    row = session.scalar(select(DatasetRow).filter_by(version_key=version.key, role=role))
    if row is None:
        roles = session.scalars(select(DatasetRow.role).filter_by(version_key=version.key))
        raise _not_found(f"{role} dataset of version {version.name!r}", role, roles)
    return row


def _not_found(description: str, name: str, names: Iterable[str]) -> NotFoundError:
    return NotFoundError(f"There is no {description}; {nearest(name, list(names))}", status=404)
