"""Decision whether datasets are due, from the database and the end of each table's log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aporia_provider.backend.registration.profile_plans import performance_plan, with_baseline
from aporia_provider.backend.registration.version_segments import VersionSegment
from aporia_provider.backend.store.segment_keys import segment_part
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE
from aporia_provider.backend.sync.due.candidates import StoredCheckpoint, StoredVersion
from aporia_provider.backend.sync.fingerprints import (
    fields_fingerprint,
    fields_registration,
    performance_fingerprint,
    performance_registration,
    registration_hash,
)
from aporia_provider.datasets import ACTUALS, SERVING
from aporia_provider.errors import AporiaError
from aporia_provider.lake.log.changes import LogPosition
from aporia_provider.lake.log.latest_commits import LogEnd, TableVersion
from aporia_provider.preflight.inspection import requested_version

NEVER_SYNCED: Final = "it was never synced"
FAILED: Final = "its last sync failed"
REGISTRATION: Final = "the schema, the dataset or the profiling method has changed"
BINS: Final = "the bins of some fields were rebuilt"
SEGMENTS: Final = "some segments have not been computed"
NO_LOG: Final = "its files have no log that shows whether they have changed"
UNKNOWN_COMMIT: Final = "the last commit that was synced is unknown, or is no longer in the log"
COMMITS: Final = "its table has new commits"
ANOTHER_TABLE: Final = "its table was replaced by another table"
LOG_NOT_READ: Final = "its log could not be read"

UNCHANGED: Final = "its table has no new commit"
NO_ENGINE: Final = "no engine reads its data source"
DISABLED: Final = "its syncs are disabled"
NOT_SCHEDULED: Final = "its next scheduled sync is in the future"
LIMIT_REACHED: Final = "the limit of due datasets was reached"

LogEnds = Mapping[TableVersion, LogEnd | AporiaError]


@dataclass(frozen=True)
class Decision:
    """
    Decision about a dataset.

    :param due: Whether the dataset is due.
    :param reason: Reason for the decision: one of the texts of this module.
    :param detail: Further information.
    """

    due: bool
    reason: str
    detail: str | None = None


@dataclass
class DueVersion:
    """
    Decisions about the datasets of a version.

    :param stored: The version.
    :param now: The current time.
    """

    stored: StoredVersion
    now: datetime
    decisions: dict[str, Decision] = field(default_factory=dict)
    unchanged: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        for role in self.stored.datasets:
            if (reason := self._exclusion_reason(role)) is not None:
                self.decisions[role] = Decision(False, reason)
        self._parts = {
            role: _fields_part(self.stored, role) for role in self.stored.datasets if self._is_undecided(role)
        }
        needs_performance = self._is_undecided(SERVING) or self._is_undecided(ACTUALS)
        self._performance = _performance_part(self.stored) if needs_performance else None

    def tables(self) -> Iterator[tuple[str, int, bool]]:
        """
        Yield the tables to check: URI, synced version, and whether the data source is pinned to a version.
        """
        for part in (*self._parts.values(), self._performance):
            if part is not None and part.reason is None:
                for table in part.tables.values():
                    yield table.uri, table.position.version, table.pinned

    def decide(self, ends: LogEnds, latest: Mapping[str, int]) -> None:
        """
        Decide on the datasets for which the stored data is not sufficient.

        :param ends: Ends of the logs.
        :param latest: Version from which the log was listed, by URI of the table.
        """
        for role, part in self._parts.items():
            self.decisions[role] = part.decision(ends, latest)
            if not self.decisions[role].due and part.checkpoint is not None:
                self.unchanged.add(part.checkpoint.key)
        if self._performance is not None:
            self._decide_on_performance(self._performance, self._performance.decision(ends, latest))

    def _decide_on_performance(self, part: _Part, decision: Decision) -> None:
        """Mark one dataset as due if the performance is out of date and no due dataset will update it."""
        if not decision.due:
            if part.checkpoint is not None:
                self.unchanged.add(part.checkpoint.key)
            return
        roles = [role for role in (SERVING, ACTUALS) if role in self._parts]
        if any(self.decisions[role].due and self._parts[role].succeeded for role in roles):
            return
        for role in roles:
            if not self.decisions[role].due:
                self.decisions[role] = Decision(True, f"performance: {decision.reason}", decision.detail)
                checkpoint = self._parts[role].checkpoint
                self.unchanged.discard(checkpoint.key if checkpoint else -1)
                return

    def _is_undecided(self, role: str) -> bool:
        return role in self.stored.datasets and role not in self.decisions

    def _exclusion_reason(self, role: str) -> str | None:
        dataset = self.stored.datasets[role]
        if not dataset.data_source.readable:
            return NO_ENGINE
        if not dataset.enabled:
            return DISABLED
        times = [checkpoint.synced_at for checkpoint in self.stored.checkpoints_of(role)]
        synced_at = None if None in times else min((time for time in times if time), default=None)
        return None if _has_occurred(dataset.schedule, synced_at, self.now) else NOT_SCHEDULED


def _has_occurred(schedule: str | None, synced_at: datetime | None, now: datetime) -> bool:
    if schedule is None or synced_at is None:
        return True
    from croniter import croniter

    following: datetime = croniter(schedule, synced_at).get_next(datetime)
    return following <= now


@dataclass(frozen=True)
class _Table:
    """A Delta table and its position at the last sync of a part."""

    uri: str
    position: LogPosition
    pinned: bool

    def reason(self, ends: LogEnds, latest: Mapping[str, int]) -> tuple[str, str | None] | None:
        version = self.position.version if self.pinned else latest[self.uri]
        end = ends[self.uri, version]
        if isinstance(end, AporiaError):
            return LOG_NOT_READ, end.message
        if self.position.version < version or (end.newer and not self.pinned):
            return COMMITS, None
        if end.commit is None:
            return UNKNOWN_COMMIT, None
        return None if end.commit == self.position.commit else (ANOTHER_TABLE, None)


@dataclass(frozen=True)
class _Part:
    """A part of a dataset: its checkpoint, and either the reason why it is due or the tables to check."""

    checkpoint: StoredCheckpoint | None
    reason: str | None
    detail: str | None = None
    tables: Mapping[str, _Table] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return self.checkpoint is not None and self.checkpoint.succeeded

    def decision(self, ends: LogEnds, latest: Mapping[str, int]) -> Decision:
        if self.reason is not None:
            return Decision(True, self.reason, self.detail)
        for table in self.tables.values():
            if reason := table.reason(ends, latest):
                return Decision(True, *reason)
        return Decision(False, UNCHANGED)


def _fields_part(version: StoredVersion, role: str) -> _Part:
    snapshot = version.snapshot

    def fingerprint() -> str:
        return fields_fingerprint(snapshot, role, snapshot.baseline.bins)

    registration = fields_registration(snapshot, role)
    return _part_to_check(version, (role,), (role, FIELDS), registration, fingerprint)


def _performance_part(version: StoredVersion) -> _Part | None:
    """Return the performance part of a version; None if there is nothing to compare."""
    snapshot = version.snapshot
    if not {SERVING, ACTUALS} <= snapshot.readable_roles:
        return None
    plan, _ = performance_plan(snapshot.datasets[SERVING], snapshot.datasets[ACTUALS], snapshot.schema)
    if not plan.outcomes:
        return None

    def fingerprint() -> str:
        return performance_fingerprint(snapshot, with_baseline(plan.outcomes, snapshot.baseline.bins))

    return _part_to_check(
        version,
        (SERVING, ACTUALS),
        (SERVING, PERFORMANCE),
        performance_registration(snapshot),
        fingerprint,
    )


def _part_to_check(
    version: StoredVersion,
    roles: tuple[str, ...],
    part: tuple[str, str],
    registration: str,
    fingerprint: Callable[[], str],
) -> _Part:
    checkpoint, segments = version.checkpoints.get(part), version.snapshot.segments_of(part[0])
    if checkpoint is None:
        return _Part(None, NEVER_SYNCED)
    if not checkpoint.succeeded:
        return _Part(checkpoint, FAILED)
    if registration_hash(checkpoint.fingerprint) != registration:
        return _Part(checkpoint, REGISTRATION)
    if version.baseline is not None and checkpoint.fingerprint != fingerprint():
        return _Part(checkpoint, BINS)
    if not all(_has_segment(version, checkpoint, part, segment) for segment in segments):
        return _Part(checkpoint, SEGMENTS)
    if (reason := _unknown_position(checkpoint, roles)) is not None:
        return _Part(checkpoint, reason)
    try:
        return _Part(checkpoint, None, tables={role: _table(version, role, checkpoint) for role in roles})
    except AporiaError as error:
        return _Part(checkpoint, LOG_NOT_READ, error.message)


def _unknown_position(checkpoint: StoredCheckpoint, roles: Iterable[str]) -> str | None:
    """Return why the changes cannot be determined from the log; None if they can."""
    if any(role not in checkpoint.positions for role in roles):
        return NO_LOG
    return UNKNOWN_COMMIT if any(checkpoint.positions[role].commit is None for role in roles) else None


def _has_segment(
    version: StoredVersion, checkpoint: StoredCheckpoint, part: tuple[str, str], segment: VersionSegment
) -> bool:
    """Return whether the states of a segment are from the same sync as the states of all rows."""
    role, name = part
    stored = version.segment_checkpoints.get((role, segment_part(name, segment.key)))
    if stored is None or not stored.succeeded:
        return False
    return (stored.fingerprint, stored.positions) == (checkpoint.fingerprint, checkpoint.positions)


def _table(version: StoredVersion, role: str, checkpoint: StoredCheckpoint) -> _Table:
    source = version.datasets[role].data_source
    return _Table(
        (source.uri or "").rstrip("/"), checkpoint.positions[role], requested_version(source) is not None
    )
