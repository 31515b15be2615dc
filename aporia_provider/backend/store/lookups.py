"""Finding rows by the names of the protocol, and inserting them only once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from aporia_provider.backend.store.json_columns import check_names
from aporia_provider.backend.store.tables import Base, DatasetRow, ModelRow, VersionRow
from aporia_provider.errors import NotFoundError
from aporia_provider.nearest import nearest

R = TypeVar("R", bound=Base)

_MOST_NAMES = 1000


def insert_or_find(
    session: Session, table: type[R], key: Mapping[str, Any], values: Mapping[str, Any]
) -> tuple[R, bool]:
    """
    Insert a row, or find the one that has the key already.

    :param key: Columns of a unique constraint and their values.
    :return: The row and whether it is new.
    """
    statement = (
        insert(session, table)
        .values(**key, **values)
        .on_conflict_do_nothing(index_elements=list(key))
        .returning(table)
    )
    # It takes a second round only if somebody deletes the row between the two statements.
    while True:
        made = session.scalar(statement)
        if made is not None:
            return made, True
        found = session.scalar(select(table).filter_by(**key))
        if found is not None:
            return found, False


def upsert(session: Session, table: type[Base], key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Insert a row, or change ``values`` of the one that has the key already."""
    statement = insert(session, table).values(**key, **values)
    session.execute(statement.on_conflict_do_update(index_elements=list(key), set_=dict(values)))


def insert(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """An ``INSERT`` that knows ``ON CONFLICT``, in the dialect of the session."""
    dialect = session.get_bind().dialect.name
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def find_model(session: Session, environment: str, model_id: str, *, change: bool = False) -> ModelRow:
    """
    Find a model, and keep it from being deleted until the transaction ends.

    :param change: Also keep others from changing it or its tags. SQLite's writers are alone anyway.
    :raises aporia_provider.errors.NotFoundError: naming the nearest id there is.
    """
    check_names(model=model_id)
    query = select(ModelRow).where(ModelRow.environment == environment, ModelRow.id == model_id)
    row = session.scalar(query.with_for_update(read=not change, key_share=True))
    if row is None:
        ids = session.scalars(
            select(ModelRow.id).where(ModelRow.environment == environment).limit(_MOST_NAMES)
        )
        raise _missing(f"model {model_id!r} in environment {environment!r}", model_id, ids)
    return row


def find_version(session: Session, environment: str, model_id: str, name: str) -> VersionRow:
    """
    Find a version.

    :raises aporia_provider.errors.NotFoundError: naming the nearest name there is.
    """
    check_names(version=name)
    model = find_model(session, environment, model_id)
    row = session.scalar(select(VersionRow).filter_by(model_key=model.key, name=name))
    if row is None:
        names = session.scalars(select(VersionRow.name).filter_by(model_key=model.key).limit(_MOST_NAMES))
        raise _missing(f"version {name!r} of model {model_id!r}", name, names)
    return row


def find_dataset(session: Session, version: VersionRow, role: str) -> DatasetRow:
    """
    Find a dataset of a version.

    :raises aporia_provider.errors.NotFoundError: naming the roles that are connected.
    """
    row = session.scalar(select(DatasetRow).filter_by(version_key=version.key, role=role))
    if row is None:
        roles = session.scalars(select(DatasetRow.role).filter_by(version_key=version.key))
        raise _missing(f"{role} dataset of version {version.name!r}", role, roles)
    return row


def _missing(what: str, name: str, names: Iterable[str]) -> NotFoundError:
    return NotFoundError(f"There is no {what}; {nearest(name, list(names))}", status=404)
