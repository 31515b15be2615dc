"""Access to the stored states of a model's versions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.metrics.moving_sums import MovingSum
from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.registration.latest_version import latest_version
from aporia_provider.backend.store.lookups import find_dataset, find_model, find_version
from aporia_provider.backend.store.profiles import read_profile, summarize_states
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow
from aporia_provider.monitoring.profiles.plan import Grid, load_grids
from aporia_provider.monitoring.states.state import State
from aporia_provider.schema import VersionSchema

Range = tuple[int | None, int | None]
"""Half-open range in seconds since 1970; None where it is unbounded."""
States = list[tuple[int | None, State]]


class Series:
    """
    States of a field of a dataset.

    :param states: States in the order of their buckets; the position of the state without a bucket does not
        matter.
    """

    def __init__(self, states: States) -> None:
        self.states = states
        self._timed = [(bucket, state) for bucket, state in states if bucket is not None]
        self._buckets = [bucket for bucket, _ in self._timed]

    @property
    def extent(self) -> Range:
        """
        Return the range from the start of the first bucket to one second after the start of the last.

        The range is unbounded if there are no buckets.
        """
        return (self._buckets[0], self._buckets[-1] + 1) if self._buckets else (None, None)

    @cached_property
    def moving(self) -> MovingSum:
        """Return an object that computes sums over moving windows."""
        return MovingSum(self._timed)

    def within(self, part: Range) -> States:
        """
        Return the states in a range; all states, including those without a bucket, if the range is unbounded.
        """
        start, end = part
        if start is None or end is None:
            return self.states
        return [*self._timed[bisect_left(self._buckets, start) : bisect_left(self._buckets, end)]]


@dataclass(frozen=True)
class StatesSummary:
    """
    Summary of stored states, known before they are read.

    :param extent: See :attr:`Series.extent`.
    :param states: Number of states.
    """

    extent: Range = (None, None)
    states: int = 0


class VersionStates:
    """
    The stored bins and states of a version.

    :param session: A session with a read transaction.
    :param row: The version.
    """

    def __init__(self, session: Session, row: VersionRow) -> None:
        self._session, self._row = session, row
        self._read: dict[tuple[str, str, Range], Series] = {}
        self._outlines: dict[tuple[str, str, Range], StatesSummary] = {}
        self._merged: dict[tuple[str, str, Range], State | None] = {}
        self._grids: dict[str, dict[str, Grid]] = {}

    @property
    def name(self) -> str:
        """Return the name of the version."""
        return self._row.name

    @cached_property
    def schema(self) -> VersionSchema:
        """Return the schema of the version."""
        return VersionSchema.from_wire(self._row.registration)

    def grid(self, role: str, key: str) -> Grid | None:
        """Return the bins that the stored states of a dataset's field use."""
        if role not in self._grids:
            dataset = find_dataset(self._session, self._row, role)
            stored = select(SyncRow.grids).filter_by(dataset_key=dataset.key, part=FIELDS)
            self._grids[role] = load_grids(self._session.scalar(stored) or {})
        return self._grids[role].get(key)

    def is_synced(self, role: str) -> bool:
        """Return whether a sync of a dataset has ever succeeded."""
        dataset = find_dataset(self._session, self._row, role)
        synced = select(SyncRow.synced_at).filter_by(dataset_key=dataset.key, part=FIELDS)
        return self._session.scalar(synced) is not None

    def labelled(self, role: str) -> list[str]:
        """
        Return the predictions that have labels in a dataset.

        The labels of the serving dataset include those in the actuals.
        """
        roles = ("serving", "actuals") if role == "serving" else (role,)
        connected = select(DatasetRow).filter(
            DatasetRow.version_key == self._row.key, DatasetRow.role.in_(roles)
        )
        datasets = [connection_of(row) for row in self._session.scalars(connected)]
        brought = [item for dataset in datasets for item in dataset.columns(self.schema)]
        found = {name for category, name, _ in brought if category == "labels"}
        return [name for name in self.schema.predictions if name in found]

    def summary(self, role: str, key: str, within: Range) -> StatesSummary:
        """
        Return a summary of the states that :meth:`series` would read.

        :raises aporia_provider.errors.NotFoundError: if there is no such dataset.
        """
        asked = (role, key, within)
        if asked not in self._outlines:
            dataset = find_dataset(self._session, self._row, role)
            first, last, states = summarize_states(self._session, dataset.key, key, *within)
            extent = (None, None) if first is None or last is None else (first, last + 1)
            self._outlines[asked] = StatesSummary(extent, states)
        return self._outlines[asked]

    def series(self, role: str, key: str, within: Range) -> Series:
        """
        Return the states of a field of a dataset in a range; they are cached until :meth:`forget` is called.

        :raises aporia_provider.errors.NotFoundError: if there is no such dataset.
        """
        asked = (role, key, within)
        if asked not in self._read:
            self._read[asked] = self._part_of_known(asked) or self._read_series(*asked)
        return self._read[asked]

    def _part_of_known(self, asked: tuple[str, str, Range]) -> Series | None:
        *of, part = asked
        for (role, key, known), series in self._read.items():
            if [role, key] == of and _contains(known, part):
                return Series(series.within(part))
        return None

    def _read_series(self, role: str, key: str, within: Range) -> Series:
        dataset = find_dataset(self._session, self._row, role)
        found = read_profile(self._session, dataset.key, None, [key], *within)
        return Series([(bucket, state) for bucket, _, state in found])

    def forget(self) -> None:
        """Clear the cache of states."""
        self._read.clear()
        self._merged.clear()

    def merged(self, role: str, key: str, within: Range) -> State | None:
        """Return the sum of the states in a range; None if it has no rows."""
        asked = (role, key, within)
        if asked not in self._merged:
            self._merged[asked] = total(state for _, state in self.series(*asked).states)
        return self._merged[asked]


class ModelStates:
    """
    The versions of a model.

    :param session: A session with a read transaction.
    :param environment: Environment of the model.
    :param model_id: Id of the model.
    :raises aporia_provider.errors.NotFoundError: if there is no such model.
    """

    def __init__(self, session: Session, environment: str, model_id: str) -> None:
        self._session, self._environment, self._model_id = session, environment, model_id
        self._model = find_model(session, environment, model_id)
        self._versions: dict[str | None, VersionStates] = {}

    @property
    def period(self) -> str:
        """Return the length of a bucket: ``hourly`` or ``daily``."""
        return self._model.registration.get("aggregation_period") or "daily"

    def version(self, name: str | None) -> VersionStates:
        """
        Return a version; without a name, the latest one, see :func:`~.latest_version.latest_version`.

        :raises aporia_provider.errors.NotFoundError: if there is no such version.
        """
        if name not in self._versions:
            row = self._find(name)
            self._versions[name] = VersionStates(self._session, row)
        return self._versions[name]

    def forget(self) -> None:
        """Clear the caches of all versions."""
        for version in self._versions.values():
            version.forget()

    def _find(self, name: str | None) -> VersionRow:
        if name is None:
            return latest_version(self._session, self._model)
        return find_version(self._session, self._environment, self._model_id, name)


def total(states: Iterable[State]) -> Any:
    """Return the sum of states; None if there are none."""
    found: State | None = None
    for state in states:
        check_deadline()
        found = state if found is None else found + state
    return found


def _contains(known: Range, part: Range) -> bool:
    """Return whether a range contains another. Only the unbounded range contains rows without a timestamp."""
    if known[0] is None or known[1] is None:
        return True
    return part[0] is not None and part[1] is not None and known[0] <= part[0] and part[1] <= known[1]
