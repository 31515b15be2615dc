"""Execution of a sync, from acquiring the lease to committing the results."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence, Set

from sqlalchemy import select

from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.registration.local_access import link_faults
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.registration.version_segments import VersionSegment
from aporia_provider.backend.store.lookups import find_version
from aporia_provider.backend.store.profiles import read_baseline
from aporia_provider.backend.store.retention_cutoffs import model_retention
from aporia_provider.backend.store.segment_lookups import model_segments
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, utc_now
from aporia_provider.backend.sync.context import Checkpoint, Result, SyncContext, VersionSnapshot
from aporia_provider.backend.sync.field_profiles import sync_fields
from aporia_provider.backend.sync.joined_segments import JoinedSegments
from aporia_provider.backend.sync.leases import Lease
from aporia_provider.backend.sync.performance_profiles import sync_performance
from aporia_provider.backend.sync.shared_baselines import copy_field_profiles
from aporia_provider.backend.sync.sync_store import StoredPart, SyncStore
from aporia_provider.datasets import ACTUALS, SERVING
from aporia_provider.engine.embedded.engines import EmbeddedEngines
from aporia_provider.engine.error_messages import BeforeCheckpointError, StatisticsError
from aporia_provider.engine.limits import EngineLimits, EngineMemoryError
from aporia_provider.errors import TransientError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.schema import VersionSchema

log = logging.getLogger(__name__)


class SyncRunner:
    """
    A sync of datasets of a version.

    :param scope: The environment and its database.
    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param credentials: Credentials used to access S3; None for the credentials of the environment.
    :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster.
    :param limits: Limits of the embedded engine.
    :param engines: The embedded engines of the caller. One of them is used or started.
    """

    def __init__(
        self,
        scope: RegistryBase,
        model_id: str,
        model_version: str,
        *,
        credentials: AwsCredentials | None,
        engine: str,
        limits: EngineLimits,
        engines: EmbeddedEngines,
    ) -> None:
        self._scope, self._model_id, self._model_version = scope, model_id, model_version
        self._credentials, self._engine, self._limits = credentials, engine, limits
        self._engines = engines

    def sync(
        self, role: str, *, full: bool, wait_seconds: float, lease_seconds: float
    ) -> dict[str, Set[int]]:
        """
        Sync a dataset while holding the version's lease.

        For the parameters and errors see :meth:`~aporia_provider.backend.sync.calls.Syncs.sync_dataset`.

        :return: Parts whose stored states have changed, with the starts of the changed buckets in seconds
            since 1970.
        """
        key, _ = self._snapshot()
        lease = Lease(self._scope.database, key, lease_seconds)
        dataset = f"{role} of version {self._model_version!r} of model {self._model_id!r}"
        with lease.hold(f"{dataset} since {utc_now():%Y-%m-%d %H:%M:%S} UTC", wait_seconds):
            # Read again: another sync may have computed the bins while this one waited for the lease.
            _, snapshot = self._snapshot()
            context = SyncContext(snapshot, self._credentials, self._engine, self._limits, self._engines)
            with context:
                store = SyncStore(self._scope.database, key, lease, snapshot.retention)
                changed: dict[str, Set[int]] = {}
                for owner, part in _affected_parts(snapshot, role):
                    buckets = self._sync_part(store, context, owner, part, full)
                    if buckets is not None:
                        changed[part] = buckets
                return changed

    def _sync_part(
        self, store: SyncStore, context: SyncContext, role: str, part: str, full: bool
    ) -> Set[int] | None:
        """
        Load the checkpoint of a part, compute its states and commit them.

        :return: Starts of the changed buckets; None if no stored state has changed.
        """
        started, clock = utc_now(), time.monotonic()
        stored = store.load(role, part)
        segments = store.load_segments(stored, context.snapshot.segments_of(role))
        checkpoint = Checkpoint() if full else stored.checkpoint
        joined = JoinedSegments.of(checkpoint, segments)
        try:
            result = self._compute_with_retry(context, role, part, checkpoint, joined, full)
        except Exception as error:
            store.record_failure(stored, started, error, context.latest_version(role))
            raise
        if result is None:
            return None
        changed = store.commit(stored, result, started, time.monotonic() - clock, segments)
        if result.baseline is not None:
            context.set_baseline(result.baseline)
        remaining = [
            segment for segment in segments if segment.segment and segment.segment.key not in result.segments
        ]
        added = self._add_segments(store, context, stored, remaining) if remaining else None
        return changed if added is None else added | (changed or frozenset())

    def _add_segments(
        self, store: SyncStore, context: SyncContext, stored: StoredPart, segments: Sequence[StoredPart]
    ) -> Set[int] | None:
        """Compute the states of segments that lack states of all rows of the part."""
        started, clock = utc_now(), time.monotonic()
        names = ", ".join(repr(segment.segment.name) for segment in segments if segment.segment)
        log.info("%s dataset: the states of segments %s are computed from all rows", stored.role, names)
        joined = JoinedSegments.alone(segments)
        try:
            result = self._compute_with_retry(
                context, stored.role, stored.part, Checkpoint(), joined, full=False
            )
        except Exception as error:
            for segment in segments:
                store.record_failure(segment, started, error, context.latest_version(stored.role))
            raise
        if result is None:
            return None
        changed = store.commit(stored, result, started, time.monotonic() - clock, segments)
        log.info("Segments %s: computed in %.1f s", names, time.monotonic() - clock)
        return changed

    def _compute_with_retry(
        self,
        context: SyncContext,
        role: str,
        part: str,
        checkpoint: Checkpoint,
        segments: JoinedSegments,
        full: bool,
    ) -> Result | None:
        """Compute a part; retry with another way of reading if the engine could not read a table."""
        try:
            return self._compute(context, role, part, checkpoint, segments, full)
        except StatisticsError as error:
            log.warning("%s: all files are read", error.message)
            context.reopen_tables(ignore_statistics=True)
        except EngineMemoryError as error:
            # Values may be much larger in memory than in the files.
            if not context.reduce_batches():
                raise
            log.warning("%s. The table is read again in smaller batches", error.message.partition(". ")[0])
        except BeforeCheckpointError:
            # A checkpoint was written after the log of the table was read.
            context.reopen_tables()
        try:
            return self._compute(context, role, part, checkpoint, segments, full)
        except StatisticsError as error:
            # Statistics were not read this time, so another entry of the log is malformed.
            raise TransientError(error.message) from None

    def _compute(
        self,
        context: SyncContext,
        role: str,
        part: str,
        checkpoint: Checkpoint,
        segments: JoinedSegments,
        full: bool,
    ) -> Result | None:
        with context.engine_exit_errors():
            if part == PERFORMANCE:
                return sync_performance(context, checkpoint, segments)
            is_copied = segments.whole and not full
            copied = copy_field_profiles(self._scope, context, role, checkpoint) if is_copied else None
            return copied or sync_fields(context, role, checkpoint, segments, rebuild_bins=full)

    def _snapshot(self) -> tuple[int, VersionSnapshot]:
        with self._scope.database.read_transaction() as session:
            version = find_version(session, self._scope.environment, self._model_id, self._model_version)
            model = session.get_one(ModelRow, version.model_key)
            rows = session.scalars(select(DatasetRow).filter_by(version_key=version.key))
            key, datasets = version.key, {row.role: connection_of(row) for row in rows}
            snapshot = VersionSnapshot(
                schema=VersionSchema.from_wire(version.registration),
                period=model.registration.get("aggregation_period") or "daily",
                retention=model_retention(model),
                datasets=datasets,
                baseline=read_baseline(session, key),
                segments=tuple(map(VersionSegment.of, model_segments(session, model.key))),
            )
        for dataset in datasets.values():
            # Symbolic links may have changed since the dataset was connected.
            if faults := list(link_faults(dataset.data_source, self._scope.allowed_local_folders)):
                raise ValidationError("The dataset cannot be read", problems=faults)
        return key, snapshot


def _affected_parts(snapshot: VersionSnapshot, role: str) -> Iterator[tuple[str, str]]:
    """Yield the parts that depend on a dataset, with the role under which each is stored."""
    yield role, FIELDS
    if role in (SERVING, ACTUALS) and SERVING in snapshot.readable_roles:
        yield SERVING, PERFORMANCE
