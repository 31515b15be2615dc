"""Access to the stored states of a model's versions."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from aporia_provider.backend.metrics.dropped_ranges import NOTHING_DROPPED, DroppedRanges
from aporia_provider.backend.metrics.state_series import Series, StatesKey, StatesSummary, total
from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.registration.latest_version import latest_version
from aporia_provider.backend.store.buckets import Range
from aporia_provider.backend.store.lookups import find_dataset, find_model, find_version
from aporia_provider.backend.store.retention_cutoffs import RETAINED_ROLES, model_retention
from aporia_provider.backend.store.state_sums import StateSums
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow
from aporia_provider.monitoring.profiles.plan import Bins, load_bins
from aporia_provider.monitoring.states.state import State
from aporia_provider.retention import Retention
from aporia_provider.schema import VersionSchema


class VersionStates:
    """
    The stored bins and states of a version.

    :param session: A session with a read transaction.
    :param row: The version.
    :param retention: Retention of the model; None if states are kept for ever.
    """

    def __init__(self, session: Session, row: VersionRow, retention: Retention | None = None) -> None:
        self._session, self._row, self._retention = session, row, retention
        self._read: dict[StatesKey, Series] = {}
        self._sums: dict[StatesKey, StateSums] = {}
        self._outlines: dict[StatesKey, StatesSummary] = {}
        self._dropped: dict[StatesKey, DroppedRanges] = {}
        self._merged: dict[StatesKey, State | None] = {}
        self._bins: dict[tuple[str, str], Bins | None] = {}
        self._dumped_bins: dict[str, dict[str, Any]] = {}
        self._synced: dict[str, bool] = {}
        self._labelled: dict[str, list[str]] = {}

    @property
    def name(self) -> str:
        """Return the name of the version."""
        return self._row.name

    @cached_property
    def schema(self) -> VersionSchema:
        """Return the schema of the version."""
        return VersionSchema.from_wire(self._row.registration)

    def bins(self, role: str, key: str) -> Bins | None:
        """Return the bins that the stored states of a dataset's field use."""
        if (role, key) not in self._bins:
            stored = self._stored_bins(role).get(key)
            self._bins[role, key] = None if stored is None else load_bins({key: stored})[key]
        return self._bins[role, key]

    def _stored_bins(self, role: str) -> dict[str, Any]:
        if role not in self._dumped_bins:
            dataset = find_dataset(self._session, self._row, role)
            of_fields = SyncRow.dataset_key == dataset.key, SyncRow.part == FIELDS
            text = self._session.scalar(select(cast(SyncRow.grids, Text)).where(*of_fields))
            # With many fields, the json module takes longer than the rest of a query.
            self._dumped_bins[role] = msgspec.json.decode(text) if text else {}
        return self._dumped_bins[role]

    def is_synced(self, role: str) -> bool:
        """Return whether a sync of a dataset has ever succeeded."""
        if role not in self._synced:
            dataset = find_dataset(self._session, self._row, role)
            synced = select(SyncRow.synced_at).filter_by(dataset_key=dataset.key, part=FIELDS)
            self._synced[role] = self._session.scalar(synced) is not None
        return self._synced[role]

    def labelled(self, role: str) -> list[str]:
        """
        Return the predictions that have labels in a dataset.

        The labels of the serving dataset include those in the actuals.
        """
        if role not in self._labelled:
            self._labelled[role] = self._find_labelled(role)
        return self._labelled[role]

    def _find_labelled(self, role: str) -> list[str]:
        roles = ("serving", "actuals") if role == "serving" else (role,)
        query = select(DatasetRow).filter(DatasetRow.version_key == self._row.key, DatasetRow.role.in_(roles))
        datasets = [connection_of(row) for row in self._session.scalars(query)]
        columns = [item for dataset in datasets for item in dataset.columns(self.schema)]
        labelled_names = {name for category, name, _ in columns if category == "labels"}
        return [name for name in self.schema.predictions if name in labelled_names]

    def summary(self, key: StatesKey) -> StatesSummary:
        """
        Return a summary of the states that :meth:`series` would read.

        :raises aporia_provider.errors.NotFoundError: if there is no such dataset.
        """
        if key not in self._outlines:
            sums = self._state_sums(key)
            self._outlines[key] = StatesSummary(sums.extent, sums.pieces)
        return self._outlines[key]

    def series(self, key: StatesKey) -> Series:
        """
        Return the states of a field of a dataset in a range; they are cached until :meth:`forget` is called.

        :raises aporia_provider.errors.NotFoundError: if there is no such dataset.
        """
        if key not in self._read:
            self._read[key] = self._part_of_known(key) or self._read_series(key)
        return self._read[key]

    def dropped(self, key: StatesKey) -> DroppedRanges:
        """
        Return the ranges whose states :meth:`series` lacks because retention has dropped them.

        :raises aporia_provider.errors.NotFoundError: if there is no such dataset.
        """
        if self._retention is None or key.role not in RETAINED_ROLES:
            return NOTHING_DROPPED
        if key not in self._dropped:
            self._dropped[key] = DroppedRanges(self._state_sums(key).dropped, self._retention.described)
        return self._dropped[key]

    def _read_series(self, key: StatesKey) -> Series:
        pieces = self._state_sums(key).read()
        return Series([(piece.first, piece.state) for piece in pieces], [piece.last for piece in pieces])

    def _part_of_known(self, key: StatesKey) -> Series | None:
        for read_key, series in self._read.items():
            if self.dropped(read_key):
                continue
            is_finer = (read_key.role, read_key.field) == (key.role, key.field) and {*read_key.spans} <= {
                *key.spans
            }
            if is_finer and _contains(read_key.within, key.within):
                part = series.part(key.within)
                if part is not None:
                    return part
        return None

    def _state_sums(self, key: StatesKey) -> StateSums:
        if key not in self._sums:
            dataset = find_dataset(self._session, self._row, key.role)
            self._sums[key] = StateSums(self._session, dataset.key, key.field, key.within, key.spans)
        return self._sums[key]

    def forget(self) -> None:
        """Clear the cache of states."""
        self._read.clear()
        self._merged.clear()

    def merged(self, key: StatesKey) -> State | None:
        """Return the sum of the states in a range; None if it has no rows."""
        if key not in self._merged:
            self._merged[key] = total(state for _, state in self.series(key).states)
        return self._merged[key]


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

    @cached_property
    def retention(self) -> Retention | None:
        """Return the retention of the model; None if states are kept for ever."""
        return model_retention(self._model)

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
            self._versions[name] = VersionStates(self._session, row, self.retention)
        return self._versions[name]

    def forget(self) -> None:
        """Clear the caches of all versions."""
        for version in self._versions.values():
            version.forget()

    def _find(self, name: str | None) -> VersionRow:
        if name is None:
            return latest_version(self._session, self._model)
        return find_version(self._session, self._environment, self._model_id, name)


def _contains(whole: Range, part: Range) -> bool:
    """Return whether a range contains another. Only the unbounded range contains rows without a timestamp."""
    if whole[0] is None or whole[1] is None:
        return True
    return part[0] is not None and part[1] is not None and whole[0] <= part[0] and part[1] <= whole[1]
