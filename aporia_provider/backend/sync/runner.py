"""A sync of one version's datasets, from the lease to the last transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import select

from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.registration.local_access import link_faults
from aporia_provider.backend.registration.scope import Scope
from aporia_provider.backend.store.lookups import find_version
from aporia_provider.backend.store.profiles import read_baseline
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, utc_now
from aporia_provider.backend.sync.context import Desk, Result, Seen, Subject
from aporia_provider.backend.sync.field_profiles import sync_fields
from aporia_provider.backend.sync.leases import Lease
from aporia_provider.backend.sync.performance_profiles import sync_performance
from aporia_provider.backend.sync.shared_baselines import copied_fields
from aporia_provider.backend.sync.sync_store import Records
from aporia_provider.datasets import ACTUALS, SERVING
from aporia_provider.engine.error_messages import BehindCheckpointError, StatisticsError
from aporia_provider.engine.limits import UNLIMITED, EngineLimits
from aporia_provider.errors import TransientError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.schema import VersionSchema

log = logging.getLogger(__name__)


class Run:
    """
    A sync of a version.

    :param scope: The environment and its database.
    :param model_id: The model.
    :param model_version: The version.
    :param credentials: Credentials for S3; those of the environment without.
    :param engine: ``embedded``, or the ``sc://host:port`` of a cluster.
    :param limits: Limits of the embedded engine.
    """

    def __init__(
        self,
        scope: Scope,
        model_id: str,
        model_version: str,
        *,
        credentials: AwsCredentials | None,
        engine: str,
        limits: EngineLimits = UNLIMITED,
    ) -> None:
        self._scope, self._model_id, self._model_version = scope, model_id, model_version
        self._credentials, self._engine, self._limits = credentials, engine, limits

    def sync(self, role: str, *, full: bool, patience: float, lease_seconds: float) -> list[str]:
        """
        Sync a dataset, alone; parameters and errors as of
        :meth:`~aporia_provider.backend.sync.calls.Syncs.sync_dataset`.

        :return: The parts of which anything has changed.
        """
        key, _ = self._subject()
        lease = Lease(self._scope.database, key, lease_seconds)
        what = f"{role} of version {self._model_version!r} of model {self._model_id!r}"
        with lease.held(f"{what} since {utc_now():%Y-%m-%d %H:%M:%S} UTC", patience):
            # Read afresh: another sync may have made the grids while this one waited.
            _, subject = self._subject()
            with Desk(subject, self._credentials, self._engine, self._limits) as desk:
                return self._parts(Records(self._scope.database, key, lease, desk), desk, role, full)

    def _parts(self, records: Records, desk: Desk, role: str, full: bool) -> list[str]:
        """Sync the parts that a dataset has a share in; those of which anything has changed."""

        def fields(seen: Seen) -> Result:
            copied = None if full else copied_fields(self._scope, desk, role, seen)
            return copied or sync_fields(desk, role, seen, anew=full)

        parts: list[tuple[str, str, Callable[[Seen], Result | None]]] = [(role, FIELDS, fields)]
        if role in (SERVING, ACTUALS) and SERVING in desk.subject.readable:
            parts.append((SERVING, PERFORMANCE, lambda seen: sync_performance(desk, seen)))
        return [part for owner, part, work in parts if records.sync(owner, part, _retried(desk, work), full)]

    def _subject(self) -> tuple[int, Subject]:
        with self._scope.database.reading() as session:
            version = find_version(session, self._scope.environment, self._model_id, self._model_version)
            model = session.get_one(ModelRow, version.model_key)
            rows = session.scalars(select(DatasetRow).filter_by(version_key=version.key))
            key, datasets = version.key, {row.role: connection_of(row) for row in rows}
            subject = Subject(
                schema=VersionSchema.from_wire(version.registration),
                period=model.registration.get("aggregation_period") or "daily",
                datasets=datasets,
                baseline=read_baseline(session, key),
            )
        for dataset in datasets.values():
            # Links on the disk may have changed since it was connected.
            if faults := list(link_faults(dataset.data_source, self._scope.allowed_local_folders)):
                raise ValidationError("The dataset cannot be read", problems=faults)
        return key, subject


def _retried(desk: Desk, work: Callable[[Seen], Result | None]) -> Callable[[Seen], Result | None]:
    """The work, done again if the engine could not read a table as it was tried."""

    def explained(seen: Seen) -> Result | None:
        with desk.explaining():
            return work(seen)

    def do(seen: Seen) -> Result | None:
        try:
            return explained(seen)
        except StatisticsError as error:
            log.warning("%s: all files are read", error.message)
            desk.look_again(values_only=True)
        except BehindCheckpointError:
            # Somebody has written a checkpoint since the table was looked at.
            desk.look_again()
        try:
            return explained(seen)
        except StatisticsError as error:
            # They were not read this time, so what is no JSON is a part of the log.
            raise TransientError(error.message) from None

    return do
