"""Registry methods that sync datasets and return their status."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.lookups import find_dataset, find_version
from aporia_provider.backend.store.tables import ModelRow
from aporia_provider.backend.sync.leases import LEASE_SECONDS
from aporia_provider.backend.sync.options import check_due_options, checked_options
from aporia_provider.datasets import ROLES, Role
from aporia_provider.engine.limits import UNLIMITED, EngineLimits
from aporia_provider.engine.session import EMBEDDED
from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials

if TYPE_CHECKING:
    from aporia_provider.backend.sync.due.calls import DueDataset, FindCredentials
    from aporia_provider.engine.embedded.engines import EmbeddedEngines

WAIT_SECONDS = 600.0
"""Maximum time in seconds to wait for another sync of the same version."""


def embedded_engines() -> EmbeddedEngines:
    """Return embedded engines that several syncs share, one for each set of credentials, for ``with``."""
    from aporia_provider.engine.embedded.engines import EmbeddedEngines

    return EmbeddedEngines(preload=True)


class Syncs(RegistryBase):
    """Registry methods that sync datasets and return their status."""

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
        wait_seconds: float = WAIT_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        engines: EmbeddedEngines | None = None,
    ) -> dict[str, Any]:
        """
        Update the profiles of a dataset to the current version of its table.

        Only buckets affected by new commits are recomputed. Each part is stored in one transaction, so a sync
        that fails or is killed leaves the previous state, from which the next sync continues.

        :param model_id: Id of the model.
        :param model_version: Name of the version.
        :param role: Role of the dataset. A sync of the serving dataset or of the actuals also updates the
            performance of predictions.
        :param credentials: Credentials used to access S3; None for the credentials of the environment.
        :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster.
        :param limits: Limits of the embedded engine. Exceeding the memory limit is not a transient error.
        :param full: Recompute everything, regardless of the log, and rebuild the bins that were made from
            this dataset. This corrects values that were computed from bytes corrupted in transit. Corruption
            is not detected over plain HTTP in files without page checksums (delta-rs writes none), in CSV and
            in JSON, and other syncs do not read the files again. Use an endpoint with https.
        :param wait_seconds: Maximum time in seconds to wait for another sync of the same version.
        :param lease_seconds: Duration of the version's lease in seconds after each renewal; at most 600.
        :param engines: Embedded engines that several syncs share, see ``embedded_engines()``. Default: an
            engine is started if it is needed, and ends with the sync.
        :return: The status, see :meth:`get_dataset_sync_status`, with ``changed`` (whether any stored state
            has changed), ``changed_parts`` (``fields`` or ``performance``) and ``changed_days`` (days in UTC,
            such as ``2026-01-31``, with changed states of rows that have a timestamp). If the model has
            active monitors, ``monitors`` is the result of
            :meth:`~aporia_provider.backend.monitors.evaluation_calls.MonitorEvaluations.evaluate_monitors`,
            or has an ``error``.
        :raises aporia_provider.errors.ValidationError: if options are invalid; all are listed.
        :raises aporia_provider.errors.AporiaError: if the data cannot be read or no longer matches the
            schema.
        """
        from aporia_provider.backend.sync.runner import SyncRunner

        full = checked_options(full, wait_seconds=wait_seconds, lease_seconds=lease_seconds)
        self._check(model_id, model_version, role)
        with nullcontext(engines) if engines is not None else embedded_engines() as used:
            run = SyncRunner(
                self,
                model_id,
                model_version,
                credentials=credentials,
                engine=engine,
                limits=limits,
                engines=used,
            )
            parts = run.sync(role, full=full, wait_seconds=wait_seconds, lease_seconds=lease_seconds)
        status = self.get_dataset_sync_status(model_id, model_version, role)
        report = {
            **status,
            "changed": bool(parts),
            "changed_parts": list(parts),
            "changed_days": _days(bucket for buckets in parts.values() for bucket in buckets),
        }
        monitors = self._evaluate_after_sync(model_id, model_version, credentials)
        return report if monitors is None else {**report, "monitors": monitors}

    def _evaluate_after_sync(
        self, model_id: str, model_version: str, credentials: AwsCredentials | None
    ) -> dict[str, Any] | None:
        """Evaluate monitors after a sync, in registries that have monitors."""
        return None

    def get_dataset_sync_status(self, model_id: str, model_version: str, role: Role) -> dict[str, Any]:
        """
        Return the status of a dataset's syncs.

        :return: ``status`` (``never_synced``, ``synced`` or ``failed``), ``last_sync_at``, the synced
            ``table_version``, the ``latest_version`` that was seen and the ``lag`` between them in commits,
            the numbers of profiled ``rows`` and ``buckets``, the data that the last sync with changes read
            (``reason``, ``rows_read``, ``buckets_recomputed``, ``files_read``, ``bytes_read``), the
            number of ``late_buckets`` that changed after the model's ``retention`` had dropped them,
            ``notes`` (warnings about values that may be interpreted differently than intended, and about
            columns with different types in the version's datasets, see
            :func:`~.type_differences.type_notes`), the duration of the last successful sync in ``seconds``,
            and ``last_error``. The serving dataset has the same for the ``performance`` of its predictions.
            ``provisional_bins`` maps fields whose bins were made from fewer than 1,000 values to the number
            of values; a sync of the dataset they were made from rebuilds them once the number of rows has
            doubled. ``segments`` has the status of each segment of the model: ``synced``, ``never_synced``,
            ``failed``, or ``not_computable`` with the ``reason``, such as a field that the dataset does not
            have.
        """
        from aporia_provider.backend.sync.sync_status import status

        _check_role(role)
        with self.database.read_transaction() as session:
            version = find_version(session, self.environment, model_id, model_version)
            model = session.get_one(ModelRow, version.model_key)
            dataset = find_dataset(session, version, role)
            return status(session, dataset, model.registration.get("retention"))

    def get_due_datasets(
        self,
        now: datetime | None = None,
        *,
        limit: int | None = None,
        find_credentials: FindCredentials = AwsCredentials,
    ) -> list[dict[str, str]]:
        """
        Return the datasets whose next sync is due.

        For the parameters see :meth:`explain_due_datasets`, which also returns the reasons.

        :return: ``model_id``, ``model_version`` and ``role`` of each dataset, baselines first.
        """
        datasets = self.explain_due_datasets(now, limit=limit, find_credentials=find_credentials)
        return [
            {
                "model_id": dataset["model_id"],
                "model_version": dataset["model_version"],
                "role": dataset["role"],
            }
            for dataset in datasets
            if dataset["due"]
        ]

    def explain_due_datasets(
        self,
        now: datetime | None = None,
        *,
        limit: int | None = None,
        find_credentials: FindCredentials = AwsCredentials,
    ) -> list[DueDataset]:
        """
        Return all datasets, whether their next sync is due, and the reason.

        A dataset is due if its syncs are enabled, the engine can read it, its schedule (cron, UTC) has had an
        occurrence since it was last up to date or it has no schedule, and there may be changes: it was never
        synced or its last sync failed; its Delta table has new commits or was replaced; its schema, its bins
        or the program have changed; or its log could not be read. Files without a log are always due. The
        sync of either the predictions or the labels compares both, so if only the comparison is out of date,
        one of the two datasets is due.

        One small request is made per table, up to 32 concurrently, except for datasets that are due in any
        case. Datasets whose table is unchanged are recorded as synced now.

        :param now: Timezone-aware time that schedules are compared with; None for the current time.
        :param limit: Maximum number of datasets to mark as due. Those with the oldest last attempt or check
            are preferred.
        :param find_credentials: Function that returns the credentials used to access S3; called only if there
            is a table on S3.
        :return: The due datasets, baselines first, then the others.
        :raises aporia_provider.errors.ValidationError: if ``now`` or ``limit`` is invalid; all problems are
            listed.
        """
        from aporia_provider.backend.sync.due.calls import find_due_datasets

        check_due_options(now, limit)
        return find_due_datasets(
            self.database, self.environment, now=now, limit=limit, find_credentials=find_credentials
        )

    def _check(self, model_id: str, model_version: str, role: Role) -> None:
        _check_role(role)
        with self.database.read_transaction() as session:
            find_dataset(session, find_version(session, self.environment, model_id, model_version), role)


def _days(buckets: Iterable[int]) -> list[str]:
    import numpy as np

    # Timestamps in files may be outside the years that datetime has.
    days = np.unique(np.array(list(buckets), "datetime64[s]").astype("datetime64[D]"))
    return [str(day) for day in days]


def _check_role(role: str) -> None:
    if role not in ROLES:
        raise ValidationError(f"{role!r} is not one of {', '.join(ROLES)}")
