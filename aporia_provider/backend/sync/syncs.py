"""The calls that sync datasets and tell how far they are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.api import Role
from aporia_provider.backend.rows import find_dataset, find_version
from aporia_provider.backend.scope import Scope
from aporia_provider.backend.sync.leases import LEASE_SECONDS
from aporia_provider.backend.sync_tables import SyncRow
from aporia_provider.backend.tables import DatasetRow, ModelRow, VersionRow, utc_now
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import ROLES
from aporia_provider.engine.session import EMBEDDED
from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials

PATIENCE = 600.0
"""Seconds that a sync waits for another one of the same version."""


class Syncs(Scope):
    """The calls that sync datasets."""

    def sync_dataset(
        self,
        model_id: str,
        model_version: str,
        role: Role,
        *,
        credentials: AwsCredentials | None = None,
        engine: str = EMBEDDED,
        full: bool = False,
        patience: float = PATIENCE,
        lease_seconds: float = LEASE_SECONDS,
    ) -> dict[str, Any]:
        """
        Bring the profiles of a dataset up to the version its table has now.

        Only the buckets that commits have touched are recomputed. What is stored changes in one transaction
        for each part, so a sync that fails or is killed leaves the last good state, and the next one starts
        from there.

        :param model_id: The model.
        :param model_version: The version.
        :param role: Role of the dataset. A sync of the serving dataset and one of the actuals both bring
            the performance of predictions up to date.
        :param credentials: Credentials for S3; those of the environment without.
        :param engine: ``embedded``, or the ``sc://host:port`` of a cluster.
        :param full: Recompute everything, whatever the log says, and make the bins anew that were made from
            this dataset.
        :param patience: Seconds to wait for another sync of the same version.
        :param lease_seconds: How long this sync holds the version after it last showed a sign of life.
        :return: As :meth:`get_dataset_sync_status`, with ``changed``: whether anything that is
            known has changed, and ``changed_parts``: what has, ``fields`` or ``performance``.
        :raises aporia_provider.errors.AporiaError: if the data cannot be read or does not fit any more.
        """
        from aporia_provider.backend.sync.runs import Run

        self._check(model_id, model_version, role)
        run = Run(self, model_id, model_version, credentials=credentials, engine=engine)
        parts = run.sync(role, full=full, patience=patience, lease_seconds=lease_seconds)
        status = self.get_dataset_sync_status(model_id, model_version, role)
        return {**status, "changed": bool(parts), "changed_parts": parts}

    def get_dataset_sync_status(self, model_id: str, model_version: str, role: Role) -> dict[str, Any]:
        """
        What is known about the dataset's last sync.

        :return: ``status`` (``never_synced``, ``synced`` or ``failed``), ``last_sync_at``, the
            ``table_version`` that was reached, the ``latest_version`` that was seen and the ``lag`` between
            them in commits, ``rows`` and ``buckets`` that are profiled, what the last sync that changed
            something read (``reason``, ``rows_read``, ``buckets_recomputed``, ``files_read``,
            ``bytes_read``), ``notes``: warnings about values that may not be read as they were meant, and
            about columns that have another type in another dataset of the version (see
            :func:`aporia_provider.columns.differences.type_notes`), the ``seconds`` that the last good sync
            took, and ``last_error``. The serving dataset has the same of the ``performance`` of its
            predictions. ``provisional_bins`` names the fields whose bins were made from fewer than 1,000
            values, with their number: they are made anew by a sync of the dataset they were made from that
            finds twice as many rows.
        """
        from aporia_provider.backend.sync.records import status

        _check_role(role)
        with self.database.reading() as session:
            version = find_version(session, self.environment, model_id, model_version)
            return status(session, find_dataset(session, version, role))

    def get_due_datasets(
        self, now: datetime | None = None, *, limit: int | None = None
    ) -> list[dict[str, str]]:
        """
        The datasets whose next sync is due: those that are enabled, and whose schedule (cron, UTC) has come
        round since their last good sync. One without a schedule is always due; one that the engine cannot
        read never is.

        :param now: The time; now without.
        :param limit: At most so many, those whose last sync began longest ago.
        :return: ``model_id``, ``model_version`` and ``role`` of each, baselines first.
        """
        now = now or utc_now()
        query = (
            select(ModelRow.id, VersionRow.name, DatasetRow)
            .join(VersionRow, VersionRow.model_key == ModelRow.key)
            .join(DatasetRow, DatasetRow.version_key == VersionRow.key)
            .where(ModelRow.environment == self.environment, DatasetRow.enabled)
            .order_by(DatasetRow.key)
        )
        with self.database.reading() as session:
            found = [
                (
                    _started_at(session, dataset),
                    {"model_id": model, "model_version": version, "role": dataset.role},
                )
                for model, version, dataset in session.execute(query)
                if dataset.registration["data_source"]["type"] == S3DataSource.type
                and _is_due(dataset.registration["sync"].get("schedule"), _synced_at(session, dataset), now)
            ]
        longest_ago = sorted(found, key=lambda item: item[0])[:limit]
        return sorted((due for _, due in longest_ago), key=lambda item: ROLES.index(item["role"]))

    def _check(self, model_id: str, model_version: str, role: Role) -> None:
        _check_role(role)
        with self.database.reading() as session:
            find_dataset(session, find_version(session, self.environment, model_id, model_version), role)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise ValidationError(f"{role!r} is not one of {', '.join(ROLES)}")


def _synced_at(session: Session, dataset: DatasetRow) -> datetime | None:
    """When all parts of a dataset had been synced for the last time."""
    times = session.scalars(select(SyncRow.synced_at).filter_by(dataset_key=dataset.key)).all()
    return min((time for time in times if time), default=None) if None not in times else None


def _started_at(session: Session, dataset: DatasetRow) -> float:
    """When a sync of it last began, in seconds since 1970; 0 if none ever did."""
    times = session.scalars(select(SyncRow.started_at).filter_by(dataset_key=dataset.key))
    return max((time.timestamp() for time in times), default=0.0)


def _is_due(schedule: str | None, synced_at: datetime | None, now: datetime) -> bool:
    if schedule is None or synced_at is None:
        return True
    from croniter import croniter

    following: datetime = croniter(schedule, synced_at).get_next(datetime)
    return following <= now
