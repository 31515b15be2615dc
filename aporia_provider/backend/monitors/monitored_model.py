"""The versions of a model, one by one or together, read once for all its monitors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from aporia_provider.backend.metrics.dropped_ranges import NOTHING_DROPPED, DroppedRanges
from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.state_series import Series, StatesKey, total
from aporia_provider.backend.metrics.states_term import StatesTerm
from aporia_provider.backend.monitors.version_states import MonitoredVersion
from aporia_provider.backend.registration.latest_version import latest_version
from aporia_provider.backend.store.tables import VersionRow
from aporia_provider.errors import ValidationError
from aporia_provider.monitor_configuration import MonitorConfiguration
from aporia_provider.monitoring.profiles.plan import Bins
from aporia_provider.monitoring.states.state import State
from aporia_provider.retention import Retention
from aporia_provider.segment_values import SegmentValue


class UnionOfVersions(MonitoredVersion):
    """
    The union of the rows of several versions, which have the schema of the latest one.

    :param session: A session with a read transaction.
    :param latest: The latest version.
    :param versions: All versions.
    :param retention: Retention of the model; None if states are kept for ever.
    :param term: Term of a segment, whose states the versions have; None for those of all rows.
    """

    def __init__(
        self,
        session: Session,
        latest: VersionRow,
        versions: Sequence[MonitoredVersion],
        retention: Retention | None = None,
        term: StatesTerm | None = None,
    ) -> None:
        super().__init__(session, latest, retention, term)
        self._versions = versions

    def _with_term(self, term: StatesTerm) -> UnionOfVersions:
        versions = [version.of_term(term) for version in self._versions]
        return UnionOfVersions(self._session, self._row, versions, self._retention, term)

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

    def dropped(self, key: StatesKey) -> DroppedRanges:
        """Return the ranges whose states were dropped in any version."""
        return NOTHING_DROPPED.union(version.dropped(key) for version in self._versions)

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
        self._monitored: dict[str | None, MonitoredVersion] = {}
        self._union: UnionOfVersions | None = None

    def version(self, name: str | None) -> MonitoredVersion:
        """Return a version; without a name, the latest one."""
        if name not in self._monitored:
            row = self._find(name)
            found = self._monitored.get(row.name) or MonitoredVersion(self._session, row, self.retention)
            self._monitored |= {name: found, row.name: found}
        return self._monitored[name]

    def baseline_term(self, configuration: MonitorConfiguration) -> StatesTerm | None:
        """
        Return the term of the segment that the baseline of a monitor names; None if it names none.

        :raises aporia_provider.errors.NotFoundError: if there is no such segment.
        :raises aporia_provider.errors.ValidationError: if the segment has no such value.
        """
        named = configuration.baseline_segment
        return None if named is None else self.term(SegmentValue(id=named[0], value=named[1]))

    def baseline(self, configuration: MonitorConfiguration, version: MonitoredVersion) -> MonitoredVersion:
        """Return the rows that rows are compared with: those of the same segment, unless it is named."""
        baseline = configuration.baseline
        if baseline is None or not baseline.names_segment:
            return version
        return version.compared(self.baseline_term(configuration))

    def latest(self) -> VersionRow:
        """Return the latest version."""
        return latest_version(self._session, self._model)

    def union(self, names: Sequence[str]) -> UnionOfVersions:
        """Return the union of versions."""
        if self._union is None:
            versions = [self.version(name) for name in names]
            self._union = UnionOfVersions(self._session, self.latest(), versions, self.retention)
        return self._union
