"""Access to the stored states of a model's versions."""

from __future__ import annotations

from functools import cached_property

from sqlalchemy.orm import Session

from aporia_provider.backend.metrics.states_term import StatesTerm
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.registration.latest_version import latest_version
from aporia_provider.backend.registration.version_segments import VersionSegment
from aporia_provider.backend.store.lookups import find_model, find_version
from aporia_provider.backend.store.retention_cutoffs import model_retention
from aporia_provider.backend.store.segment_lookups import find_custom_metric, find_segment, model_segments
from aporia_provider.backend.store.tables import VersionRow
from aporia_provider.retention import Retention
from aporia_provider.segment_values import SegmentValue


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
        self._terms: dict[tuple[str, str], StatesTerm] = {}
        self._segment_names: set[str] | None = None
        self._segments: dict[str, VersionSegment] = {}

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

    def term(self, value: SegmentValue | None) -> StatesTerm | None:
        """
        Return a term of a segment; None for all rows.

        :raises aporia_provider.errors.NotFoundError: if there is no such segment.
        :raises aporia_provider.errors.ValidationError: if the segment has no such term.
        """
        if value is None:
            return None
        place = (value.id, value.value)
        if place not in self._terms:
            self._terms[place] = StatesTerm.of(self._segment(value.id), value.value)
        return self._terms[place]

    def has_segment(self, name: str) -> bool:
        """Return whether the model has a segment of a name, that of a filter of a custom metric included."""
        if self._segment_names is None:
            self._segment_names = {row.name for row in model_segments(self._session, self._model.key)}
        return name in self._segment_names

    def terms(self, segment: str) -> list[StatesTerm]:
        """
        Return all terms of a segment.

        :param segment: Name or id of the segment.
        :raises aporia_provider.errors.NotFoundError: if there is no such segment.
        """
        found = self._segment(segment)
        return [StatesTerm(found, place) for place in range(len(found.terms))]

    def _segment(self, name_or_id: str) -> VersionSegment:
        if name_or_id not in self._segments:
            row = find_segment(self._session, self._model, name_or_id)
            self._segments[name_or_id] = VersionSegment.of(row)
        return self._segments[name_or_id]

    def custom_metric(self, name_or_id: str) -> tuple[str, str]:
        """
        Return the name and the code of a custom metric.

        :raises aporia_provider.errors.NotFoundError: if there is none.
        """
        row = find_custom_metric(self._session, self._model, name_or_id)
        return row.name, row.registration["code"]

    def forget(self) -> None:
        """Clear the caches of all versions."""
        for version in self._versions.values():
            version.forget()

    def _find(self, name: str | None) -> VersionRow:
        if name is None:
            return latest_version(self._session, self._model)
        return find_version(self._session, self._environment, self._model_id, name)
