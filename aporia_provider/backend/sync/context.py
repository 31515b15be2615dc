"""The input and the result of a sync."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from aporia_provider.backend.store.baselines import Baseline
from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.sync.reading.dataset_table import ConnectedTable
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.limits import UNLIMITED, EngineLimits
from aporia_provider.engine.readers import why_unread
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
class Subject:
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
        return frozenset(role for role, dataset in listed if why_unread(dataset.data_source) is None)

    @property
    def seconds(self) -> int:
        """Length of a bucket."""
        return ProfilePlan(self.period, ()).seconds


@dataclass(frozen=True)
class Seen:
    """
    How far a part was synced.

    :param fingerprint: Stands for what was profiled, and how.
    :param positions: Role of a dataset to where its table was.
    """

    fingerprint: str | None = None
    positions: Mapping[str, Position] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """
    What a sync of a part came to.

    :param seen: How far it reaches now.
    :param reason: Why as much was recomputed as was.
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

    seen: Seen
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


class Desk:
    """
    The tables of a version and one session of the engine, opened when first needed.

    :param subject: The version.
    :param credentials: Credentials for S3; those of the environment without.
    :param engine: ``embedded``, or the ``sc://host:port`` of a cluster.
    :param limits: Limits of the embedded engine.
    """

    def __init__(
        self,
        subject: Subject,
        credentials: AwsCredentials | None,
        engine: str,
        limits: EngineLimits = UNLIMITED,
    ) -> None:
        self.subject = subject
        self._credentials = credentials
        self._engine, self._limits = engine, limits
        self._stack = ExitStack()
        self._tables: dict[str, ConnectedTable] = {}
        self._values_only = False

    @property
    def spark(self) -> SparkSession:
        """The session of Spark Connect."""
        return self._session.spark

    @cached_property
    def _session(self) -> Session:
        return self._stack.enter_context(open_session(self._engine, self._credentials, self._limits))

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Raise why the engine has ended; see :meth:`aporia_provider.engine.limits.Watch.explaining`."""
        try:
            yield
        except Exception:
            # Nothing has ended that was not opened.
            session = self.__dict__.get("_session")
            watch = session.watch if isinstance(session, Session) else None
            with watch.explaining() if watch else nullcontext():
                raise

    def adopt(self, baseline: Baseline) -> None:
        """Work with new grids from now on."""
        self.subject = replace(self.subject, baseline=baseline)

    def look_again(self, *, values_only: bool = False) -> None:
        """
        Look at all tables anew when they are next asked for.

        :param values_only: Whether to read them without the statistics in their logs from now on.
        """
        self._values_only = self._values_only or values_only
        self._tables.clear()

    def table(self, role: str) -> ConnectedTable:
        """The table of a dataset, the same at every call."""
        if role not in self._tables:
            dataset = self.subject.datasets[role]
            self._tables[role] = ConnectedTable(dataset, self._credentials, self._engine, self._values_only)
        return self._tables[role]

    def positions(self, *roles: str) -> dict[str, Position]:
        """Where the tables of datasets are, for those that have a log."""
        found = {role: self.table(role).log.position(self.subject.schema) for role in roles}
        return {role: position for role, position in found.items() if position is not None}

    def version_seen(self, role: str) -> int | None:
        """The version that a dataset's table turned out to have, if it was looked at."""
        table = self._tables.get(role)
        return table.log.version_seen if table else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()
