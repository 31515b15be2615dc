"""States of a version with a planted shift."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from aporia_provider.backend.metrics.dropped_ranges import DroppedRanges
from aporia_provider.backend.metrics.state_series import Series, StatesKey, StatesSummary, total
from aporia_provider.backend.monitors.version_states import MonitoredVersion
from aporia_provider.datasets import SERVING
from aporia_provider.monitoring.profiles.plan import Bins
from aporia_provider.monitoring.states.state import State


@dataclass(frozen=True)
class PlantedShift:
    """
    A shift of the serving data.

    :param key: Key of the states that it changes.
    :param description: What it changes, for people.
    :param change: Function that returns a state with the shift.
    """

    key: str
    description: str
    change: Callable[[State], State]


class PlantedVersion(MonitoredVersion):
    """
    The states of a version with a shift from a time on; nothing is stored.

    States of other fields are read from the version, so they are read once for several shifts.

    :param session: A session with a read transaction.
    :param version: The version.
    :param shift: The shift.
    :param since: Start of the first shifted bucket, in seconds since 1970.
    """

    def __init__(self, session: Session, version: MonitoredVersion, shift: PlantedShift, since: int) -> None:
        super().__init__(session, version.row, term=version.term)
        self.of_all_rows = version.of_all_rows
        self._version, self._shift, self._since = version, shift, since

    def series(self, key: StatesKey) -> Series:
        """Return the states of a range, see :meth:`.MonitoredVersion.series`."""
        if (key.role, key.field) != (SERVING, self._shift.key):
            return self._version.series(key)
        if key not in self._ranges:
            self._ranges[key] = self._planted(key)
        return self._ranges[key]

    def _planted(self, key: StatesKey) -> Series:
        start, end = key.within
        if start is None or end is None:
            states = self._version.series(replace(key, spans=())).states
            return Series([(bucket, self._changed(bucket, state)) for bucket, state in states])
        middle = min(max(start, self._since), end)
        before = self._version.series(replace(key, within=(start, middle))) if start < middle else Series([])
        after = self._version.series(replace(key, within=(middle, end))) if middle < end else Series([])
        if not key.spans:
            shifted = [(bucket, self._shift.change(state)) for bucket, state in after.states]
            return Series([*before.states, *shifted])
        sums = [(each, total(state for _, state in each.states)) for each in (before, after) if each.states]
        pieces = [
            (each.states[0][0], self._shift.change(sum_) if each is after else sum_) for each, sum_ in sums
        ]
        return Series(pieces, [_last(each) for each, _ in sums])

    def _changed(self, bucket: int | None, state: State) -> State:
        return state if bucket is None or bucket < self._since else self._shift.change(state)

    def merged(self, key: StatesKey) -> State | None:
        """See :meth:`.VersionStates.merged`."""
        is_planted = (key.role, key.field) == (SERVING, self._shift.key)
        return super().merged(key) if is_planted else self._version.merged(key)

    def summary(self, key: StatesKey) -> StatesSummary:
        """See :meth:`.VersionStates.summary`."""
        return self._version.summary(key)

    def bins(self, role: str, key: str) -> Bins | None:
        """See :meth:`.VersionStates.bins`."""
        return self._version.bins(role, key)

    def dropped(self, key: StatesKey) -> DroppedRanges:
        """See :meth:`.VersionStates.dropped`."""
        return self._version.dropped(key)

    def kept_since(self, role: str, *, whole_days: bool) -> int | None:
        """See :meth:`.MonitoredVersion.kept_since`."""
        return self._version.kept_since(role, whole_days=whole_days)

    def is_synced(self, role: str) -> bool:
        """See :meth:`.VersionStates.is_synced`."""
        return self._version.is_synced(role)

    def labelled(self, role: str) -> list[str]:
        """See :meth:`.VersionStates.labelled`."""
        return self._version.labelled(role)

    def prepare(self, role: str, keys: Iterable[str], within: tuple[int, int]) -> None:
        """See :meth:`.MonitoredVersion.prepare`."""
        self._version.prepare(role, keys, within)

    def prepare_totals(self, role: str, keys: Iterable[str]) -> None:
        """See :meth:`.MonitoredVersion.prepare_totals`."""
        self._version.prepare_totals(role, keys)


def _last(series: Series) -> int | None:
    last = series.extent[1]
    return None if last is None else last - 1
