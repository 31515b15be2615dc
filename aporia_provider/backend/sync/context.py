"""Inputs and results of a sync."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from aporia_provider.backend.store.baselines import Baseline
from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.sync.reading.dataset_table import ConnectedTable
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.limits import UNLIMITED, EngineLimits
from aporia_provider.engine.session import Session, open_session
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.changes import Position
from aporia_provider.monitoring.profiles.plan import ROWS, Grid, ProfilePlan
from aporia_provider.monitoring.profiles.profile import Profile
from aporia_provider.schema import VersionSchema

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# To be raised whenever the same rows would make other states than before.
STATES = 3


@dataclass(frozen=True)
class VersionSnapshot:
    """
    A version whose datasets are synced.

    :param schema: Its schema.
    :param period: ``hourly`` or ``daily``: how long a bucket is.
    :param datasets: Role to dataset.
    :param baseline: Its grids.
    """

    schema: VersionSchema
    period: str
    datasets: Mapping[str, DatasetConnection]
    baseline: Baseline

    @property
    def readable(self) -> frozenset[str]:
        """Roles of the datasets that an engine can read; the others are registered but never read."""
        listed = self.datasets.items()
        return frozenset(role for role, dataset in listed if dataset.data_source.unreadable_reason is None)

    @property
    def seconds(self) -> int:
        """Length of a bucket."""
        return ProfilePlan(self.period, ()).seconds


@dataclass(frozen=True)
class Checkpoint:
    """
    How far a part of a dataset was synced.

    :param fingerprint: Text that changes with what is profiled and how; None if it was never synced.
    :param positions: Position in the log of each table that was read, by the role of its dataset.
    """

    fingerprint: str | None = None
    positions: Mapping[str, Position] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """
    The result of syncing a part of a dataset.

    :param checkpoint: How far the part is synced now.
    :param reason: Why these buckets, or all, were recomputed.
    :param states: The new states.
    :param intervals: The buckets that were recomputed, as half-open pairs of seconds; None for all.
    :param untimed: Whether the rows without a time were recomputed.
    :param baseline: New grids, if any were made.
    :param extent: How many files and bytes hold the rows that were read, if a log tells.
    :param grids: Those of the states, by the keys of fields.
    :param types: Types of the columns, in Spark's JSON form, by the keys of fields.
    :param notes: Warnings about what was read.
    :param made_at: The version of the table, if all grids of the states and all states were made from all of
        its rows.
    :param copied: Whether the states were copied from another version, and nothing was read.
    """

    checkpoint: Checkpoint
    reason: str
    states: Profile = field(default_factory=dict)
    intervals: tuple[Interval, ...] | None = ()
    untimed: bool = False
    baseline: Baseline | None = None
    extent: tuple[int, int] | None = (0, 0)
    grids: Mapping[str, Grid] = field(default_factory=dict)
    types: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    made_at: int | None = None
    copied: bool = False

    @property
    def changed(self) -> bool:
        """Whether anything was recomputed."""
        return self.intervals is None or bool(self.intervals) or self.untimed

    @property
    def rows(self) -> int:
        """How many rows the states were made from."""
        keys = {key for _, key in self.states}
        counted = ROWS if ROWS in keys else min(keys, default=None)
        return sum(state.rows for (_, key), state in self.states.items() if key == counted)


class SyncContext:
    """
    The tables of a version and a session of the engine, opened when they are first needed.

    :param snapshot: The version and its datasets.
    :param credentials: Credentials for S3; those of the environment without.
    :param engine: ``embedded``, or the ``sc://host:port`` of a cluster.
    :param limits: Limits of the embedded engine.
    """

    def __init__(
        self,
        snapshot: VersionSnapshot,
        credentials: AwsCredentials | None,
        engine: str,
        limits: EngineLimits = UNLIMITED,
    ) -> None:
        self.snapshot = snapshot
        self._credentials = credentials
        self._engine, self._limits = engine, limits
        self._stack = ExitStack()
        self._session: Session | None = None
        self._tables: dict[str, ConnectedTable] = {}
        self._values_only = False

    @property
    def spark(self) -> SparkSession:
        """The session of Spark Connect."""
        if self._session is None:
            session = open_session(self._engine, self._credentials, self._limits)
            self._session = self._stack.enter_context(session)
        return self._session.spark

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """
        Replace errors of the block by the reason why the engine has ended, if it has.

        See :meth:`aporia_provider.engine.limits.Watch.explaining`.
        """
        try:
            yield
        except Exception:
            watch = self._session.watch if self._session is not None else None
            with watch.explaining() if watch else nullcontext():
                raise

    def adopt(self, baseline: Baseline) -> None:
        """Use new grids from now on."""
        self.snapshot = replace(self.snapshot, baseline=baseline)

    def reopen_tables(self, *, values_only: bool = False) -> None:
        """
        Read the logs of all tables again when they are next used.

        :param values_only: Whether to read tables without the statistics in their logs from now on.
        """
        self._values_only = self._values_only or values_only
        self._tables.clear()

    def table(self, role: str) -> ConnectedTable:
        """Return the table of a dataset, the same object at every call."""
        if role not in self._tables:
            dataset = self.snapshot.datasets[role]
            self._tables[role] = ConnectedTable(dataset, self._credentials, self._engine, self._values_only)
        return self._tables[role]

    def positions(self, *roles: str) -> dict[str, Position]:
        """Return the positions of those tables that have a log, by the roles of their datasets."""
        found = {role: self.table(role).log.position(self.snapshot.schema) for role in roles}
        return {role: position for role, position in found.items() if position is not None}

    def latest_version(self, role: str) -> int | None:
        """Return the latest version of a dataset's table, if its log was read."""
        table = self._tables.get(role)
        return table.log.latest_version if table else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()
