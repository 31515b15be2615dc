"""The states that answers are made from."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property, reduce
from operator import add
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.rows import find_dataset, find_model, find_version
from aporia_provider.backend.sync.profiles import read_profile
from aporia_provider.backend.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.tables import VersionRow
from aporia_provider.errors import NotFoundError
from aporia_provider.monitoring.plan import Grid, load_grids
from aporia_provider.monitoring.states import State
from aporia_provider.schema import VersionSchema

Range = tuple[int | None, int | None]
"""First second, and the first one after it; None where it is open."""
States = list[tuple[int | None, State]]


class VersionSource:
    """
    What is stored of a version.

    :param session: A transaction that reads.
    :param row: The version.
    """

    def __init__(self, session: Session, row: VersionRow) -> None:
        self._session, self._row = session, row
        self._read: dict[tuple[str, str, Range], States] = {}
        self._grids: dict[str, dict[str, Grid]] = {}

    @cached_property
    def schema(self) -> VersionSchema:
        """Its schema."""
        return VersionSchema.from_wire(self._row.registration)

    def grid(self, role: str, key: str) -> Grid | None:
        """The grid that a field of a dataset was counted on."""
        if role not in self._grids:
            dataset = find_dataset(self._session, self._row, role)
            stored = select(SyncRow.grids).filter_by(dataset_key=dataset.key, part=FIELDS)
            self._grids[role] = load_grids(self._session.scalar(stored) or {})
        return self._grids[role].get(key)

    def states(self, role: str, key: str, within: Range) -> States:
        """
        States of a field of a dataset, with their buckets, in order.

        :raises aporia_provider.errors.NotFoundError: if there is no such dataset.
        """
        asked = (role, key, within)
        if asked not in self._read:
            dataset = find_dataset(self._session, self._row, role)
            found = read_profile(self._session, dataset.key, [key], *within)
            self._read[asked] = [(bucket, state) for bucket, _, state in found]
        return self._read[asked]

    def merged(self, role: str, key: str, within: Range) -> State | None:
        """The state of a whole range; None if it has no rows."""
        merged: State | None = total(state for _, state in self.states(role, key, within))
        return merged


class Sources:
    """
    The versions of a model.

    :param session: A transaction that reads.
    :param environment: The model's environment.
    :param model_id: The model.
    :raises aporia_provider.errors.NotFoundError: if there is no such model.
    """

    def __init__(self, session: Session, environment: str, model_id: str) -> None:
        self._session, self._environment, self._model_id = session, environment, model_id
        self._model = find_model(session, environment, model_id)
        self._versions: dict[str | None, VersionSource] = {}

    @property
    def period(self) -> str:
        """How long a bucket is: ``hourly`` or ``daily``."""
        return self._model.registration.get("aggregation_period") or "daily"

    def version(self, name: str | None) -> VersionSource:
        """
        A version, or the latest.

        :raises aporia_provider.errors.NotFoundError: if there is no such version.
        """
        if name not in self._versions:
            row = self._latest() if name is None else find_version(self._session, *self._place(name))
            self._versions[name] = VersionSource(self._session, row)
        return self._versions[name]

    def _place(self, name: str) -> tuple[str, str, str]:
        return self._environment, self._model_id, name

    def _latest(self) -> VersionRow:
        versions = select(VersionRow).filter_by(model_key=self._model.key).order_by(VersionRow.key.desc())
        row = self._session.scalar(versions.limit(1))
        if row is None:
            raise NotFoundError(f"Model {self._model_id!r} has no version")
        return row


def total(states: Iterable[State]) -> Any:
    """Sum of states; None if there are none."""
    found = list(states)
    return reduce(add, found) if found else None
