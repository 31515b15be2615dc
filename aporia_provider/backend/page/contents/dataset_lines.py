"""The datasets of versions: what was synced, and how far behind it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from aporia_provider.backend.page.contents.page_parts import DataOrigin, Missing
from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.store.sync_tables import FIELDS, MONTH, StateBlockRow, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow
from aporia_provider.datasets import ROLES, SERVING
from aporia_provider.monitoring.profiles.plan import ROWS


@dataclass(frozen=True)
class DatasetLine:
    """
    A dataset of a version.

    :param origin: What was synced.
    :param location: Path of the table or the files; None for a query.
    :param enabled: Whether it is synced.
    :param schedule: Cron expression of its syncs; None if there is none.
    :param latest_version: Newest version of the Delta table that was seen.
    :param rows: Number of rows that were synced.
    :param error: Why the last sync failed; None if it did not.
    """

    origin: DataOrigin
    location: str | None
    enabled: bool
    schedule: str | None
    latest_version: int | None
    rows: int
    error: str | None

    @property
    def lag(self) -> int | None:
        """Number of versions of the table that are not synced; None if it is not known."""
        if self.latest_version is None or self.origin.table_version is None:
            return None
        return max(0, self.latest_version - self.origin.table_version)

    @property
    def is_serving(self) -> bool:
        """Whether this is a serving dataset."""
        return self.origin.dataset_type == SERVING

    def is_of(self, version: str, role: str) -> bool:
        """Return whether this is the dataset of a version in a role."""
        return (self.origin.model_version, self.origin.dataset_type) == (version, role)

    @property
    def missing(self) -> Missing | None:
        """What is missing; None if the dataset was synced."""
        if self.origin.synced_at is not None:
            return None
        what = (
            f"The {self.origin.dataset_type} dataset of version {self.origin.model_version} was never synced."
        )
        if not self.enabled:
            return Missing(what, "Its syncs are disabled: enable them.")
        if self.error:
            return Missing(what, f"The last sync failed: {self.error}")
        return Missing(what, "Run SyncDatasetOperator, or the DAG monitor_models.")


def read_datasets(session: Session, versions: Iterable[VersionRow]) -> list[DatasetLine]:
    """
    Return the datasets of versions, in the order of the versions and of the roles.

    :param session: A session with a read transaction.
    :param versions: The versions.
    """
    names = {row.key: row.name for row in versions}
    sync = SyncRow
    columns = (sync.position, sync.synced_at, sync.latest_version, sync.error)
    query = (
        select(DatasetRow, *columns)
        .outerjoin(sync, and_(sync.dataset_key == DatasetRow.key, sync.part == FIELDS))
        .where(DatasetRow.version_key.in_(names))
    )
    dataset_rows = session.execute(query).all()
    counts = _row_counts(session, [row.key for row, *_ in dataset_rows])
    places = {key: index for index, key in enumerate(names)}
    dataset_rows = sorted(
        dataset_rows, key=lambda each: (places[each[0].version_key], ROLES.index(each[0].role))
    )
    return [
        _line(names[row.version_key], row, counts.get(row.key, 0), position, synced_at, latest, error)
        for row, position, synced_at, latest, error in dataset_rows
    ]


def _line(
    version: str,
    row: DatasetRow,
    rows: int,
    position: Mapping[str, Any] | None,
    synced_at: datetime | None,
    latest_version: int | None,
    error: str | None,
) -> DatasetLine:
    synced = ((position or {}).get(row.role) or {}).get("version")
    return DatasetLine(
        DataOrigin(version, row.role, synced, synced_at),
        getattr(connection_of(row).data_source, "object_path", None),
        row.enabled,
        row.registration["sync"].get("schedule"),
        latest_version,
        rows,
        error,
    )


def _row_counts(session: Session, datasets: Sequence[int]) -> dict[int, int]:
    """Return the number of rows of datasets that were synced."""
    row = StateBlockRow
    query = (
        select(row.dataset_key, func.sum(row.rows))
        .where(row.dataset_key.in_(datasets), row.field == ROWS)
        # Of hours, there are rows for each day and for each month.
        .where(or_(row.span == MONTH, row.first.is_(None)))
        .group_by(row.dataset_key)
    )
    return {key: int(count) for key, count in session.execute(query)}


def origin_of(datasets: Iterable[DatasetLine], version: str, role: str) -> DataOrigin:
    """Return the origin of the numbers of a dataset; one without a sync if it is not connected."""
    origins = (line.origin for line in datasets if line.is_of(version, role))
    return next(origins, DataOrigin(version, role))
