"""The Delta tables of a version that receive data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.store.tables import DatasetRow
from aporia_provider.data_sources import DataSource
from aporia_provider.datasets import ACTUALS, SERVING
from aporia_provider.errors import AporiaError
from aporia_provider.preflight.inspection import requested_version


@dataclass(frozen=True)
class ConnectedTable:
    """
    A Delta table that is connected to a version.

    :param dataset_key: Key of the dataset.
    :param role: ``serving`` or ``actuals``.
    :param uri: The table.
    :param source: The data source.
    """

    dataset_key: int
    role: str
    uri: str
    source: DataSource


def connected_tables(session: Session, version_keys: Iterable[int]) -> list[ConnectedTable]:
    """
    Return the Delta tables of serving datasets and actuals whose syncs are enabled.

    Tables that are read at a fixed version are left out.

    :param session: A session with a transaction.
    :param version_keys: Keys of the versions.
    """
    query = select(DatasetRow).where(
        DatasetRow.version_key.in_(list(version_keys)),
        DatasetRow.role.in_((SERVING, ACTUALS)),
        DatasetRow.enabled,
    )
    tables = []
    for row in session.scalars(query.order_by(DatasetRow.key)):
        source = connection_of(row).data_source
        if source.delta_uri is not None and _is_current(source):
            tables.append(ConnectedTable(row.key, row.role, source.delta_uri, source))
    return sorted(tables, key=lambda table: table.role != SERVING)


def _is_current(source: DataSource) -> bool:
    """Return whether the current version of a table is read."""
    try:
        return requested_version(source) is None
    except AporiaError:
        return False
