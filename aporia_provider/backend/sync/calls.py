"""The calls that sync datasets and tell how far they are."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from aporia_provider.backend.registration.scope import Scope
from aporia_provider.backend.store.lookups import find_dataset, find_version
from aporia_provider.backend.sync.leases import LEASE_SECONDS
from aporia_provider.backend.sync.options import check_turn, checked_options
from aporia_provider.datasets import ROLES, Role
from aporia_provider.engine.limits import UNLIMITED, EngineLimits
from aporia_provider.engine.session import EMBEDDED
from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials

if TYPE_CHECKING:
    from aporia_provider.backend.sync.due.calls import DatasetTurn, FindCredentials

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
        limits: EngineLimits = UNLIMITED,
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
        :param limits: Limits of the embedded engine. What exceeds that of memory is not worth a retry.
        :param full: Recompute everything, whatever the log says, and make the bins anew that were made from
            this dataset. That replaces a number that came from bytes which changed on the way: nothing
            notices these over plain HTTP in files without page checksums (delta-rs writes none), in CSV and
            in JSON, and other syncs do not read the files again. Use an endpoint with https.
        :param patience: Seconds to wait for another sync of the same version.
        :param lease_seconds: How long this sync holds the version after it last showed a sign of life; at
            most 600.
        :return: As :meth:`get_dataset_sync_status`, with ``changed``: whether anything that is
            known has changed, and ``changed_parts``: what has, ``fields`` or ``performance``.
        :raises aporia_provider.errors.ValidationError: naming every option that is wrong.
        :raises aporia_provider.errors.AporiaError: if the data cannot be read or does not fit any more.
        """
        from aporia_provider.backend.sync.runner import SyncRunner

        full = checked_options(full, patience=patience, lease_seconds=lease_seconds)
        self._check(model_id, model_version, role)
        run = SyncRunner(self, model_id, model_version, credentials=credentials, engine=engine, limits=limits)
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
            :func:`~.type_differences.type_notes`), the ``seconds`` that the last good sync
            took, and ``last_error``. The serving dataset has the same of the ``performance`` of its
            predictions. ``provisional_bins`` names the fields whose bins were made from fewer than 1,000
            values, with their number: they are made anew by a sync of the dataset they were made from that
            finds twice as many rows.
        """
        from aporia_provider.backend.sync.sync_status import status

        _check_role(role)
        with self.database.reading() as session:
            version = find_version(session, self.environment, model_id, model_version)
            return status(session, find_dataset(session, version, role))

    def get_due_datasets(
        self,
        now: datetime | None = None,
        *,
        limit: int | None = None,
        find_credentials: FindCredentials = AwsCredentials,
    ) -> list[dict[str, str]]:
        """
        The datasets whose next sync is due; parameters: see :meth:`explain_due_datasets`, which also tells
        why.

        :return: ``model_id``, ``model_version`` and ``role`` of each, baselines first.
        """
        turns = self.explain_due_datasets(now, limit=limit, find_credentials=find_credentials)
        return [
            {"model_id": turn["model_id"], "model_version": turn["model_version"], "role": turn["role"]}
            for turn in turns
            if turn["due"]
        ]

    def explain_due_datasets(
        self,
        now: datetime | None = None,
        *,
        limit: int | None = None,
        find_credentials: FindCredentials = AwsCredentials,
    ) -> list[DatasetTurn]:
        """
        Find out of all datasets whether their next sync is due, and why, or why not.

        A dataset is due if its syncs are enabled, an engine can read it, its schedule (cron, UTC) has come
        round since it was last known to be up to date (one without a schedule has none to wait for), and
        there may be something to do: it was never synced or its last sync failed; its Delta table has new
        commits or was made anew; its schema, its bins or the program have changed; or its table could not be
        looked at. Files without a log are always due. The predictions and the labels of a version are
        compared by the sync of either: if only that is to be done, one of the two is due.

        A look at a table is one small request; up to 32 are made at the same time, and none for what is due
        in any case. A dataset whose table is found to be unchanged is recorded as synced now.

        :param now: The time that schedules are compared with, with a time zone; now without.
        :param limit: At most so many are due: those that have not been tried, or found to be up to date, for
            the longest time.
        :param find_credentials: Returns the credentials for S3; called only if there is a table on S3.
        :return: Those that are due, baselines first, then the others.
        :raises aporia_provider.errors.ValidationError: naming each of ``now`` and ``limit`` that is wrong.
        """
        from aporia_provider.backend.sync.due.calls import find_turns

        check_turn(now, limit)
        return find_turns(
            self.database, self.environment, now=now, limit=limit, find_credentials=find_credentials
        )

    def _check(self, model_id: str, model_version: str, role: Role) -> None:
        _check_role(role)
        with self.database.reading() as session:
            find_dataset(session, find_version(session, self.environment, model_id, model_version), role)


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise ValidationError(f"{role!r} is not one of {', '.join(ROLES)}")
