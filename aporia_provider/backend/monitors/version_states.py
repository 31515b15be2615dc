"""States of the versions of a model, read once for all its monitors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.metrics.model_states import (
    ModelStates,
    Range,
    Series,
    States,
    StatesKey,
    StatesSummary,
    VersionStates,
    total,
)
from aporia_provider.backend.registration.latest_version import latest_version
from aporia_provider.backend.store.field_totals import read_totals
from aporia_provider.backend.store.lookups import find_dataset
from aporia_provider.backend.store.profiles import read_profile
from aporia_provider.backend.store.tables import DatasetRow, VersionRow
from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.profiles.plan import Bins
from aporia_provider.monitoring.states.state import State


class MonitoredVersion(VersionStates):
    """
    States of a version. Sums over a range are computed once, whatever the number of monitors.

    :param session: A session with a read transaction.
    :param row: The version.
    """

    def __init__(self, session: Session, row: VersionRow) -> None:
        super().__init__(session, row)
        self.row = row
        self._loaded: dict[tuple[str, str], tuple[Range, Series]] = {}
        self._ranges: dict[StatesKey, Series] = {}
        self._synced: dict[str, bool] = {}
        self._labelled: dict[str, list[str]] = {}

    def prepare(self, role: str, keys: Iterable[str], within: tuple[int, int]) -> None:
        """
        Read the states of fields of a dataset in a range, with one query.

        :param role: Role of the dataset.
        :param keys: Keys of the fields.
        :param within: The range.
        """
        missing = sorted({key for key in keys if not self._is_loaded(role, key, within)})
        if not missing:
            return
        dataset = find_dataset(self._session, self.row, role)
        states: dict[str, States] = defaultdict(list)
        for bucket, field, state in read_profile(self._session, dataset.key, None, missing, *within):
            states[field].append((bucket, state))
        for key in missing:
            self._loaded[role, key] = within, Series(states[key])

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
            for field, state in read_totals(self._session, dataset.key, sorted(missing)).items():
                self._ranges[missing[field]] = Series([(None, state)])

    def _is_loaded(self, role: str, key: str, within: Range) -> bool:
        return (role, key) in self._loaded and _contains(self._loaded[role, key][0], within)

    def series(self, key: StatesKey) -> Series:
        """Return the states of a range; the sum of them unless they are asked for by bucket."""
        if key not in self._ranges:
            self._ranges[key] = self._found(key)
        return self._ranges[key]

    def _found(self, key: StatesKey) -> Series:
        if key.within[0] is None or not self._is_loaded(key.role, key.field, key.within):
            return super().series(key)
        states = self._loaded[key.role, key.field][1].within(key.within)
        if not key.spans or len(states) < 2:
            return Series(states)
        return Series([(states[0][0], total(state for _, state in states))], [states[-1][0]])

    def summary(self, key: StatesKey) -> StatesSummary:
        """Return a summary of states, which are read if they have not been."""
        if key.within[0] is None or not self._is_loaded(key.role, key.field, key.within):
            return super().summary(key)
        series = self.series(key)
        return StatesSummary(series.extent, len(series.states))

    def is_synced(self, role: str) -> bool:
        """Return whether a sync of a dataset has ever succeeded."""
        if role not in self._synced:
            self._synced[role] = super().is_synced(role)
        return self._synced[role]

    def labelled(self, role: str) -> list[str]:
        """Return the predictions that have labels in a dataset."""
        if role not in self._labelled:
            self._labelled[role] = super().labelled(role)
        return self._labelled[role]


class UnionOfVersions(MonitoredVersion):
    """
    The union of the rows of several versions, which have the schema of the latest one.

    :param session: A session with a read transaction.
    :param latest: The latest version.
    :param versions: All versions.
    """

    def __init__(self, session: Session, latest: VersionRow, versions: Sequence[MonitoredVersion]) -> None:
        super().__init__(session, latest)
        self._versions = versions

    def prepare(self, role: str, keys: Iterable[str], within: tuple[int, int]) -> None:
        """See :meth:`MonitoredVersion.prepare`."""
        found = list(keys)
        for version in self._versions:
            version.prepare(role, found, within)

    def prepare_totals(self, role: str, keys: Iterable[str]) -> None:
        """See :meth:`MonitoredVersion.prepare_totals`."""
        found = list(keys)
        for version in self._versions:
            version.prepare_totals(role, found)

    def bins(self, role: str, key: str) -> Bins | None:
        """
        Return the bins of a field, which must be the same in all versions.

        :raises aporia_provider.errors.ValidationError: if they differ.
        """
        every: list[Any] = [version.bins(role, key) for version in self._versions]
        if any(bins != every[0] for bins in every):
            raise ValidationError(
                f"the versions have different bins of {key!r}: monitor each version by itself"
            )
        return every[0]  # type: ignore[no-any-return]

    def is_synced(self, role: str) -> bool:
        """Return whether the dataset of any version has ever been synced."""
        return any(version.is_synced(role) for version in self._versions)

    def labelled(self, role: str) -> list[str]:
        """Return the predictions that have labels in a dataset of any version."""
        found = [name for version in self._versions for name in version.labelled(role)]
        return list(dict.fromkeys(found))

    def _found(self, key: StatesKey) -> Series:
        states = [item for version in self._versions for item in version.series(key).states]
        states.sort(key=lambda item: (item[0] is not None, item[0] or 0))
        if not key.spans or len(states) < 2:
            return Series(states)
        return Series([(states[0][0], self._sum([state for _, state in states]))], [states[-1][0]])

    def _sum(self, states: list[State]) -> State:
        try:
            return total(states)  # type: ignore[no-any-return]
        except (TypeError, ValueError):
            raise ValidationError(
                "the states of the versions cannot be added: monitor each version by itself"
            ) from None


class MonitoredModel(ModelStates):
    """The versions of a model; for the parameters see :class:`~.model_states.ModelStates`."""

    def __init__(self, session: Session, environment: str, model_id: str) -> None:
        super().__init__(session, environment, model_id)
        self.row = self._model
        self._monitored: dict[str, MonitoredVersion] = {}
        self._union: UnionOfVersions | None = None

    def version(self, name: str | None) -> MonitoredVersion:
        """Return a version; without a name, the latest one."""
        row = self._find(name)
        return self._monitored.setdefault(row.name, MonitoredVersion(self._session, row))

    def latest(self) -> VersionRow:
        """Return the latest version."""
        return latest_version(self._session, self._model)

    def union(self, names: Sequence[str]) -> UnionOfVersions:
        """Return the union of versions."""
        if self._union is None:
            versions = [self.version(name) for name in names]
            self._union = UnionOfVersions(self._session, self.latest(), versions)
        return self._union


def _contains(known: Range, asked: Range) -> bool:
    if known[0] is None or known[1] is None or asked[0] is None or asked[1] is None:
        return False
    return known[0] <= asked[0] and asked[1] <= known[1]
