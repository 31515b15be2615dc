"""Inputs and results of a sync."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from aporia_provider.backend.registration.version_segments import VersionSegment, computable
from aporia_provider.backend.store.baselines import Baseline
from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.store.retention_cutoffs import (
    CLOCK_TOLERANCE,
    RETAINED_ROLES,
    RetentionCutoffs,
)
from aporia_provider.backend.store.tables import utc_now
from aporia_provider.backend.sync.reading.dataset_table import ConnectedTable
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.embedded.engines import EmbeddedEngines
from aporia_provider.engine.embedded.process import BATCH_ROWS, MIN_BATCH_ROWS, batch_rows
from aporia_provider.engine.limits import EngineLimits
from aporia_provider.engine.session import Session, is_embedded, open_session, require_installed
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.changes import LogPosition
from aporia_provider.monitoring.profiles.plan import ROWS, Bins, ProfilePlan
from aporia_provider.monitoring.profiles.profile import Profile
from aporia_provider.retention import Retention
from aporia_provider.schema import VersionSchema

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Version of the profiling algorithm. Increase it whenever the same rows result in different states.
STATES_VERSION = 5
# The same of performance states, which are computed again without the states of fields.
PERFORMANCE_STATES_VERSION = 1


@dataclass(frozen=True)
class VersionSnapshot:
    """
    A version and its datasets at the start of a sync.

    :param schema: Schema of the version.
    :param period: Length of a bucket: ``hourly`` or ``daily``.
    :param datasets: Datasets by role.
    :param baseline: Bins of the version.
    :param retention: Retention of the model; None if states are kept for ever.
    :param segments: Segments of the model.
    """

    schema: VersionSchema
    period: str
    datasets: Mapping[str, DatasetConnection]
    baseline: Baseline
    retention: Retention | None = None
    segments: tuple[VersionSegment, ...] = ()

    @property
    def readable_roles(self) -> frozenset[str]:
        """Return the roles of the datasets that the engine can read."""
        datasets = self.datasets.items()
        return frozenset(role for role, dataset in datasets if dataset.data_source.unreadable_reason is None)

    def segments_of(self, role: str) -> tuple[VersionSegment, ...]:
        """Return the segments whose conditions name only fields that a dataset has."""
        return computable(self.segments, self.datasets[role], self.schema) if self.segments else ()

    def cutoffs(self, role: str) -> RetentionCutoffs | None:
        """
        Return the times before which states of a dataset are dropped; None if they are kept for ever.

        They are not earlier than the times of other workers, whose clocks may differ.
        """
        if self.retention is None or role not in RETAINED_ROLES:
            return None
        return RetentionCutoffs.of(self.retention, utc_now() + CLOCK_TOLERANCE)

    @property
    def bucket_seconds(self) -> int:
        """Return the length of a bucket in seconds."""
        return ProfilePlan(self.period, ()).seconds


@dataclass(frozen=True)
class Checkpoint:
    """
    Checkpoint of a part of a dataset.

    :param fingerprint: Fingerprint of the inputs, see :mod:`~.sync.fingerprints`; None if the part was never
        synced.
    :param positions: Log positions of the tables that were read, by role of the dataset.
    """

    fingerprint: str | None = None
    positions: Mapping[str, LogPosition] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """
    Result of syncing a part of a dataset.

    :param checkpoint: New checkpoint.
    :param reason: Reason why these buckets, or all of them, were recomputed.
    :param states: New states.
    :param intervals: Recomputed buckets, as half-open intervals in seconds since 1970; None for all.
    :param null_timestamps: Whether the state of rows without a timestamp was recomputed.
    :param baseline: New baseline, if its bins have changed.
    :param extent: Number and total size in bytes of the files that were read; None if there is no log.
    :param bins: Bins of the states by key of the field.
    :param types: Types of the columns, in Spark's JSON form, by key of the field.
    :param notes: Warnings about the data.
    :param computed_at_version: Version of the table, if all states and all their bins were computed from all
        of its rows.
    :param copied: Whether the states were copied from another version without reading the table.
    :param committed_at: Time of the last commit that changed the data of the table; None if unknown.
    :param cutoffs: Times before which states are dropped; None if they are kept for ever.
    :param late_buckets: Number of changed buckets that were not computed, because nothing of them is kept.
    :param segments: Keys of the segments whose states are up to date with the result.
    :param whole: Whether it has the states of all rows, and not only states of segments.
    """

    checkpoint: Checkpoint
    reason: str
    states: Profile = field(default_factory=dict)
    intervals: tuple[Interval, ...] | None = ()
    null_timestamps: bool = False
    baseline: Baseline | None = None
    extent: tuple[int, int] | None = (0, 0)
    bins: Mapping[str, Bins] = field(default_factory=dict)
    types: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    computed_at_version: int | None = None
    copied: bool = False
    committed_at: datetime | None = None
    cutoffs: RetentionCutoffs | None = None
    late_buckets: int = 0
    segments: frozenset[int] = frozenset()
    whole: bool = True

    @property
    def changed(self) -> bool:
        """Return whether anything was recomputed."""
        return self.intervals is None or bool(self.intervals) or self.null_timestamps

    @property
    def rows(self) -> int:
        """Return the number of rows that the states were computed from."""
        keys = {key for _, key in self.states}
        counted_key = ROWS if ROWS in keys else min(keys, default=None)
        return sum(state.rows for (_, key), state in self.states.items() if key == counted_key)


class SyncContext:
    """
    The tables of a version and a session of the engine, opened on first use.

    :param snapshot: The version and its datasets.
    :param credentials: Credentials used to access S3; None for the credentials of the environment.
    :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster.
    :param limits: Limits of the embedded engine.
    :param engines: The embedded engines of the caller. One of them is used or started.
    """

    def __init__(
        self,
        snapshot: VersionSnapshot,
        credentials: AwsCredentials | None,
        engine: str,
        limits: EngineLimits,
        engines: EmbeddedEngines,
    ) -> None:
        self.snapshot = snapshot
        self._credentials = credentials
        self._engine, self._limits, self._engines = engine, limits, engines
        self._max_batch_rows = BATCH_ROWS
        self._stack = ExitStack()
        self._session: Session | None = None
        self._tables: dict[str, ConnectedTable] = {}
        self._ignore_statistics = False

    @property
    def spark(self) -> SparkSession:
        """Return the Spark Connect session."""
        if self._session is None:
            require_installed(self._engine)
            session = open_session(
                self._engine,
                self._credentials,
                self._limits,
                engines=self._engines,
                batch_rows=self._batch_rows(),
            )
            self._session = self._stack.enter_context(session)
        return self._session.spark

    def start_engine(self) -> None:
        """Start the embedded engine in the background, if it is used and not running."""
        if is_embedded(self._engine):
            require_installed(self._engine)
            self._engines.start(self._credentials or AwsCredentials(), self._max_batch_rows)

    def reduce_batches(self) -> bool:
        """
        Close the session, so that the next one has the smallest batches; return False if it had them already.
        """
        if not is_embedded(self._engine) or self._batch_rows() == MIN_BATCH_ROWS:
            return False
        self._max_batch_rows = MIN_BATCH_ROWS
        self._stack.close()
        self._session = None
        self._tables.clear()
        return True

    def _batch_rows(self) -> int:
        """Return the number of rows of a batch, which is smaller if the rows of a table are large."""
        sizes = [table.log.bytes_per_row for table in self._tables.values()]
        return batch_rows(max(sizes, default=0), self._max_batch_rows)

    @contextmanager
    def engine_exit_errors(self) -> Iterator[None]:
        """
        Replace errors of the block by the reason why the engine has exited, if it has.

        See :meth:`aporia_provider.engine.limits.EngineWatchdog.converted_errors`.
        """
        try:
            yield
        except Exception:
            watchdog = self._session.watchdog if self._session is not None else None
            with watchdog.converted_errors() if watchdog else nullcontext():
                raise

    def set_baseline(self, baseline: Baseline) -> None:
        """Replace the baseline of the snapshot."""
        self.snapshot = replace(self.snapshot, baseline=baseline)

    def reopen_tables(self, *, ignore_statistics: bool = False) -> None:
        """
        Discard the open tables, so that their logs are read again.

        :param ignore_statistics: Whether to read tables without the statistics in their logs from now on.
        """
        self._ignore_statistics = self._ignore_statistics or ignore_statistics
        self._tables.clear()

    def table(self, role: str) -> ConnectedTable:
        """Return the table of a dataset; always the same object until :meth:`reopen_tables` is called."""
        if role not in self._tables:
            dataset = self.snapshot.datasets[role]
            self._tables[role] = ConnectedTable(
                dataset, self._credentials, self._engine, self._ignore_statistics
            )
        return self._tables[role]

    def positions(self, *roles: str) -> dict[str, LogPosition]:
        """Return the log positions of the datasets' tables by role; tables without a log are omitted."""
        positions = {role: self.table(role).log.position(self.snapshot.schema) for role in roles}
        return {role: position for role, position in positions.items() if position is not None}

    def latest_version(self, role: str) -> int | None:
        """Return the latest version of a dataset's table, if its log was read."""
        table = self._tables.get(role)
        return table.log.latest_version if table else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()
