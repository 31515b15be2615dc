"""States of the versions of a model, read once for all its monitors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.freshness.connected_tables import connected_tables
from aporia_provider.backend.freshness.stored_histories import StoredHistory, stored_histories
from aporia_provider.backend.metrics.dropped_ranges import NOTHING_DROPPED, DroppedRanges
from aporia_provider.backend.metrics.state_series import Series, States, StatesKey, StatesSummary, total
from aporia_provider.backend.metrics.states_term import StatesTerm
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.store.buckets import Range
from aporia_provider.backend.store.field_totals import read_day_sums, read_totals
from aporia_provider.backend.store.lookups import find_dataset
from aporia_provider.backend.store.profiles import read_profile
from aporia_provider.backend.store.retention_cutoffs import (
    CLOCK_TOLERANCE,
    RETAINED_ROLES,
    RetentionCutoffs,
)
from aporia_provider.backend.store.state_blocks import DAY_SECONDS, span_range
from aporia_provider.backend.store.sync_tables import DAY
from aporia_provider.backend.store.tables import DatasetRow, VersionRow, utc_now
from aporia_provider.monitoring.states.state import State
from aporia_provider.retention import Retention


class MonitoredVersion(VersionStates):
    """
    States of a version. Sums over a range are computed once, whatever the number of monitors.

    For the parameters see :class:`~.stored_states.VersionStates`.
    """

    def __init__(
        self,
        session: Session,
        row: VersionRow,
        retention: Retention | None = None,
        term: StatesTerm | None = None,
    ) -> None:
        super().__init__(session, row, retention, term)
        self.row = row
        self._loaded: dict[tuple[str, str], tuple[Range, Series]] = {}
        self._loaded_days: dict[tuple[str, str], tuple[Range, Series]] = {}
        self._ranges: dict[StatesKey, Series] = {}
        self._histories: dict[str, StoredHistory] | None = None

    def of_term(self, term: StatesTerm | None) -> MonitoredVersion:
        """See :meth:`.VersionStates.of_term`."""
        return cast("MonitoredVersion", super().of_term(term))

    def _with_term(self, term: StatesTerm) -> MonitoredVersion:
        return MonitoredVersion(self._session, self._row, self._retention, term)

    @property
    def segment(self) -> str:
        """Text of the term of a segment; empty for all rows."""
        return "" if self.term is None else self.term.text

    def compared(self, term: StatesTerm | None) -> MonitoredVersion:
        """Return the states of another term; None for those of all rows."""
        return cast("MonitoredVersion", self.of_all_rows).of_term(term)

    def _stored(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the keys of fields by the keys under which their states are stored."""
        prefix = "" if self.term is None else self.term.prefix
        return {f"{prefix}{key}": key for key in keys}

    def prepare(self, role: str, keys: Iterable[str], within: tuple[int, int]) -> None:
        """
        Read the states of fields of a dataset in a range, with one query.

        :param role: Role of the dataset.
        :param keys: Keys of the fields.
        :param within: The range.
        """
        keys = list(keys)
        self._prepare_days(role, keys, within)
        within = self._kept(role, within)
        missing = sorted({key for key in keys if not self._is_loaded(role, key, within)})
        if not missing or within[0] >= within[1]:
            return
        dataset = find_dataset(self._session, self.row, role)
        states: dict[str, States] = defaultdict(list)
        stored = self._stored(missing)
        for bucket, field, state in read_profile(self._session, dataset.key, None, [*stored], *within):
            states[stored[field]].append((bucket, state))
        for key in missing:
            self._loaded[role, key] = within, Series(states[key])

    def _prepare_days(self, role: str, keys: Sequence[str], within: tuple[int, int]) -> None:
        """Read the sums of the days of a range whose hours were dropped."""
        cutoffs = self._cutoffs(role)
        if cutoffs is None or self._retention is None or self._retention.spans[0].level != "hourly":
            return
        # A sum of which a part is in the range is not used.
        days = max(span_range(DAY, within[0])[0], cutoffs.days), min(within[1], cutoffs.hours)
        missing = sorted({key for key in keys if not _contains(self._days_of(role, key)[0], days)})
        if not missing or days[0] >= days[1]:
            return
        dataset = find_dataset(self._session, self.row, role)
        sums: dict[str, States] = {key: [] for key in missing}
        stored = self._stored(missing)
        for first, place, state in read_day_sums(self._session, dataset.key, [*stored], *days):
            field = stored[place]
            if state is None:
                sums.pop(field, None)
            elif field in sums:
                sums[field].append((first, state))
        for key, found in sums.items():
            self._loaded_days[role, key] = days, Series(found)

    def _days_of(self, role: str, key: str) -> tuple[Range, Series]:
        return self._loaded_days.get((role, key), ((None, None), Series([])))

    def _known(self, key: StatesKey) -> Series | None:
        """Return the states, or sums of days, that contain those of a range; None if they were not read."""
        if self._is_loaded(key.role, key.field, key.within):
            return self._loaded[key.role, key.field][1]
        within, sums = self._days_of(key.role, key.field)
        are_days = all(second is not None and second % DAY_SECONDS == 0 for second in key.within)
        return sums if key.spans and are_days and _contains(within, key.within) else None

    def _cutoffs(self, role: str) -> RetentionCutoffs | None:
        if self._retention is None or role not in RETAINED_ROLES:
            return None
        return RetentionCutoffs.of(self._retention, utc_now() + CLOCK_TOLERANCE)

    def _kept(self, role: str, within: tuple[int, int]) -> tuple[int, int]:
        """Return the part of a range of which all buckets are stored."""
        kept = self.kept_since(role, whole_days=False)
        return within if kept is None else (max(within[0], kept), within[1])

    def kept_since(self, role: str, *, whole_days: bool) -> int | None:
        """
        Return the time after which states were not dropped; None if all are kept.

        :param role: Role of the dataset.
        :param whole_days: Whether the sums of days are sufficient.
        """
        cutoffs = self._cutoffs(role)
        if cutoffs is None:
            return None
        return cutoffs.days if whole_days else cutoffs.hours

    def dropped(self, key: StatesKey) -> DroppedRanges:
        """Return the ranges whose states :meth:`series` lacks because retention has dropped them."""
        return super().dropped(key) if self._known(key) is None else NOTHING_DROPPED

    def prepare_totals(self, role: str, keys: Iterable[str]) -> None:
        """
        Read the sums of all states of fields of a dataset, with one query.

        :param role: Role of the dataset.
        :param keys: Keys of the fields.
        """
        every = [StatesKey(role, key, (None, None)) for key in keys]
        missing = {key.field: key for key in every if key not in self._ranges}
        dataset = self._session.scalar(select(DatasetRow).filter_by(version_key=self.row.key, role=role))
        if dataset is not None and missing:
            stored = self._stored(sorted(missing))
            for place, state in read_totals(self._session, dataset.key, [*stored]).items():
                self._ranges[missing[stored[place]]] = Series([(None, state)])

    def table_history(self, role: str) -> StoredHistory | None:
        """
        Return the commits of the table of a dataset; None if they were never read.

        :param role: Role of the dataset.
        """
        if self._histories is None:
            tables = connected_tables(self._session, [self.row.key])
            stored = stored_histories(self._session, [table.dataset_key for table in tables])
            self._histories = {
                table.role: stored[table.dataset_key]
                for table in tables
                if table.dataset_key in stored and stored[table.dataset_key].uri == table.uri
            }
        return self._histories.get(role)

    def _is_loaded(self, role: str, key: str, within: Range) -> bool:
        return (role, key) in self._loaded and _contains(self._loaded[role, key][0], within)

    def series(self, key: StatesKey) -> Series:
        """Return the states of a range; the sum of them unless they are asked for by bucket."""
        if key not in self._ranges:
            self._ranges[key] = self._found(key)
        return self._ranges[key]

    def _found(self, key: StatesKey) -> Series:
        known = self._known(key)
        if known is None:
            return super().series(key)
        states = known.within(key.within)
        if not key.spans or len(states) < 2:
            return Series(states)
        return Series([(states[0][0], total(state for _, state in states))], [states[-1][0]])

    def merged(self, key: StatesKey) -> State | None:
        """Return the sum of the states in a range; None if it has no rows."""
        known = self._known(key) if key not in self._merged and key not in self._ranges else None
        if known is not None and len(states := known.within(key.within)) < 2:
            self._merged[key] = states[0][1] if states else None
        return super().merged(key)

    def summary(self, key: StatesKey) -> StatesSummary:
        """Return a summary of states, which are read if they have not been."""
        if self._known(key) is None:
            return super().summary(key)
        series = self.series(key)
        return StatesSummary(series.extent, len(series.states))


def _contains(known: Range, asked: Range) -> bool:
    if known[0] is None or known[1] is None or asked[0] is None or asked[1] is None:
        return False
    return known[0] <= asked[0] and asked[1] <= known[1]
