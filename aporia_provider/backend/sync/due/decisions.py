"""Decision whether datasets are due, from the database and the end of each table's log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aporia_provider.backend.registration.profile_plans import performance_plan, with_baseline
from aporia_provider.backend.store.sync_tables import FIELDS, PERFORMANCE
from aporia_provider.backend.sync.due.candidates import KnownPart, KnownVersion
from aporia_provider.backend.sync.fingerprints import (
    fields_fingerprint,
    fields_registered,
    performance_fingerprint,
    performance_registered,
    registered_part,
)
from aporia_provider.datasets import ACTUALS, SERVING
from aporia_provider.errors import AporiaError
from aporia_provider.lake.log.changes import Position
from aporia_provider.lake.log.latest_commits import Asked, LogEnd
from aporia_provider.preflight.inspection import version_wanted

NEVER_SYNCED: Final = "it was never synced"
FAILED: Final = "its last sync failed"
REGISTRATION: Final = "what is profiled, or how, has changed"
BINS: Final = "the bins of some fields were made anew"
NO_LOG: Final = "its files have no log that tells whether they have changed"
NOT_KNOWN: Final = "the last commit that was synced is not known, or is not in the log any more"
COMMITS: Final = "its table has new commits"
ANOTHER_TABLE: Final = "another table is in its place"
NOT_READ: Final = "its log could not be looked at"

UNCHANGED: Final = "its table has no new commit"
NO_ENGINE: Final = "no engine reads its data source"
TURNED_OFF: Final = "its syncs are turned off"
SCHEDULE: Final = "its schedule has not come round"
NO_ROOM: Final = "more are due than were asked for"

Ends = Mapping[Asked, LogEnd | AporiaError]


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

    :param known: The version.
    :param now: The current time.
    """

    known: KnownVersion
    now: datetime
    decisions: dict[str, Decision] = field(default_factory=dict)
    unchanged: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        for role in self.known.datasets:
            if (reason := self._not_eligible(role)) is not None:
                self.decisions[role] = Decision(False, reason)
        self._parts = {role: _fields_of(self.known, role) for role in self.known.datasets if self._open(role)}
        asked = self._open(SERVING) or self._open(ACTUALS)
        self._performance = _performance_of(self.known) if asked else None

    def tables(self) -> Iterator[tuple[str, int, bool]]:
        """
        Yield the tables to check: URI, synced version, and whether the data source is pinned to a version.
        """
        for part in (*self._parts.values(), self._performance):
            if part is not None and part.reason is None:
                for table in part.tables.values():
                    yield table.uri, table.position.version, table.pinned

    def decide(self, ends: Ends, latest: Mapping[str, int]) -> None:
        """
        Decide on the datasets for which the stored data is not sufficient.

        :param ends: Ends of the logs.
        :param latest: Version from which the log was listed, by URI of the table.
        """
        for role, part in self._parts.items():
            self.decisions[role] = part.decision(ends, latest)
            if not self.decisions[role].due and part.known is not None:
                self.unchanged.add(part.known.key)
        if self._performance is not None:
            self._decide_on_performance(self._performance, self._performance.decision(ends, latest))

    def _decide_on_performance(self, part: _Part, decision: Decision) -> None:
        """Mark one dataset as due if the performance is out of date and no due dataset will update it."""
        if not decision.due:
            if part.known is not None:
                self.unchanged.add(part.known.key)
            return
        holders = [role for role in (SERVING, ACTUALS) if role in self._parts]
        if any(self.decisions[role].due and self._parts[role].good for role in holders):
            return
        for role in holders:
            if not self.decisions[role].due:
                self.decisions[role] = Decision(True, f"performance: {decision.reason}", decision.detail)
                known = self._parts[role].known
                self.unchanged.discard(known.key if known else -1)
                return

    def _open(self, role: str) -> bool:
        return role in self.known.datasets and role not in self.decisions

    def _not_eligible(self, role: str) -> str | None:
        dataset = self.known.datasets[role]
        if not dataset.data_source.readable:
            return NO_ENGINE
        if not dataset.enabled:
            return TURNED_OFF
        times = [part.synced_at for part in self.known.of(role)]
        synced_at = None if None in times else min((time for time in times if time), default=None)
        return None if _has_come_round(dataset.schedule, synced_at, self.now) else SCHEDULE


def _has_come_round(schedule: str | None, synced_at: datetime | None, now: datetime) -> bool:
    if schedule is None or synced_at is None:
        return True
    from croniter import croniter

    following: datetime = croniter(schedule, synced_at).get_next(datetime)
    return following <= now


@dataclass(frozen=True)
class _Table:
    """A Delta table and its position at the last sync of a part."""

    uri: str
    position: Position
    pinned: bool

    def reason(self, ends: Ends, latest: Mapping[str, int]) -> tuple[str, str | None] | None:
        asked = self.position.version if self.pinned else latest[self.uri]
        end = ends[self.uri, asked]
        if isinstance(end, AporiaError):
            return NOT_READ, end.message
        if self.position.version < asked or (end.newer and not self.pinned):
            return COMMITS, None
        if end.commit is None:
            return NOT_KNOWN, None
        return None if end.commit == self.position.commit else (ANOTHER_TABLE, None)


@dataclass(frozen=True)
class _Part:
    """A part of a dataset: its checkpoint, and either the reason why it is due or the tables to check."""

    known: KnownPart | None
    reason: str | None
    detail: str | None = None
    tables: Mapping[str, _Table] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return self.known is not None and self.known.good

    def decision(self, ends: Ends, latest: Mapping[str, int]) -> Decision:
        if self.reason is not None:
            return Decision(True, self.reason, self.detail)
        for table in self.tables.values():
            if found := table.reason(ends, latest):
                return Decision(True, *found)
        return Decision(False, UNCHANGED)


def _fields_of(version: KnownVersion, role: str) -> _Part:
    snapshot = version.snapshot

    def fingerprint() -> str:
        return fields_fingerprint(snapshot, role, snapshot.baseline.grids)

    known = version.parts.get((role, FIELDS))
    return _part(version, (role,), known, fields_registered(snapshot, role), fingerprint)


def _performance_of(version: KnownVersion) -> _Part | None:
    """Return the performance part of a version; None if there is nothing to compare."""
    snapshot = version.snapshot
    if not {SERVING, ACTUALS} <= snapshot.readable:
        return None
    plan, _ = performance_plan(snapshot.datasets[SERVING], snapshot.datasets[ACTUALS], snapshot.schema)
    if not plan.outcomes:
        return None

    def fingerprint() -> str:
        return performance_fingerprint(snapshot, with_baseline(plan.outcomes, snapshot.baseline.grids))

    known = version.parts.get((SERVING, PERFORMANCE))
    return _part(version, (SERVING, ACTUALS), known, performance_registered(snapshot), fingerprint)


def _part(
    version: KnownVersion,
    roles: tuple[str, ...],
    known: KnownPart | None,
    registered: str,
    fingerprint: Callable[[], str],
) -> _Part:
    if known is None:
        return _Part(None, NEVER_SYNCED)
    if not known.good:
        return _Part(known, FAILED)
    if registered_part(known.fingerprint) != registered:
        return _Part(known, REGISTRATION)
    if version.baseline is not None and known.fingerprint != fingerprint():
        return _Part(known, BINS)
    if any(role not in known.positions for role in roles):
        return _Part(known, NO_LOG)
    if any(known.positions[role].commit is None for role in roles):
        return _Part(known, NOT_KNOWN)
    try:
        return _Part(known, None, tables={role: _table(version, role, known) for role in roles})
    except AporiaError as error:
        return _Part(known, NOT_READ, error.message)


def _table(version: KnownVersion, role: str, known: KnownPart) -> _Table:
    source = version.datasets[role].data_source
    return _Table((source.uri or "").rstrip("/"), known.positions[role], version_wanted(source) is not None)
