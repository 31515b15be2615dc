"""The versions that a monitor judges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.metrics.states_term import StatesTerm
from aporia_provider.backend.monitors.data_times import data_time
from aporia_provider.backend.monitors.monitored_model import MonitoredModel
from aporia_provider.backend.monitors.version_states import MonitoredVersion
from aporia_provider.backend.store.bucket_ranges import NO_BUCKET, serving_ranges
from aporia_provider.backend.store.tables import DatasetRow, VersionRow
from aporia_provider.datasets import SERVING
from aporia_provider.errors import NotFoundError
from aporia_provider.monitor_configuration import MonitorConfiguration
from aporia_provider.nearest import nearest
from aporia_provider.segment_values import SegmentValue


@dataclass(frozen=True)
class DataRange:
    """
    The serving data of a version.

    :param dataset_keys: Keys of the serving datasets.
    :param complete: Time up to which the data is complete, in seconds since 1970; None if it is not known.
    :param first: Start of the first bucket; None if there is none.
    :param last: Start of the last bucket that is not in the future.
    """

    dataset_keys: tuple[int, ...] = ()
    complete: int | None = None
    first: int | None = None
    last: int | None = None


Place = tuple[str, str]
"""Name of a version, empty for the union of all, and text of the value of a segment, empty for all rows."""


@dataclass(frozen=True)
class Target:
    """
    A version that a monitor judges.

    :param name: Name of the version; None for the union of all versions.
    :param version: The version, or the rows of a value of a segment in it.
    :param data: Its serving data.
    """

    name: str | None
    version: MonitoredVersion
    data: DataRange

    @property
    def segment(self) -> str:
        """Text of the value of a segment; empty for all rows."""
        return self.version.segment

    @property
    def place(self) -> Place:
        """Name of the version, empty for the union, and text of the value of the segment."""
        return self.name or "", self.segment

    @property
    def described(self) -> str:
        """The version and the value of the segment, for messages."""
        name = "all versions" if self.name is None else f"version {self.name}"
        return f"{name}, {self.segment}" if self.segment else name


class Targets:
    """
    The versions of a model.

    :param session: A session with a read transaction.
    :param model: The model.
    :param now: The current time in seconds since 1970.
    :param only: Name of the only version to judge, apart from the union; None for all.
    """

    def __init__(self, session: Session, model: MonitoredModel, now: int, only: str | None) -> None:
        self._session, self.model, self._now, self._only = session, model, now, only
        self._targets: dict[str, Target] = {}
        query = select(VersionRow).filter_by(model_key=model.row.key).order_by(VersionRow.key)
        self.rows = session.scalars(query).all()

    @cached_property
    def created(self) -> tuple[int, ...]:
        """Times at which the versions were registered, in seconds since 1970."""
        return tuple(int(row.created_at.timestamp()) for row in self.rows)

    @cached_property
    def _active(self) -> list[VersionRow]:
        """Versions whose serving data is synced."""
        keys = set(
            self._session.scalars(
                select(DatasetRow.version_key).where(DatasetRow.role == SERVING, DatasetRow.enabled)
            )
        )
        return [row for row in self.rows if row.key in keys]

    @cached_property
    def _ranges(self) -> dict[int, tuple[int, int, int]]:
        return serving_ranges(self._session, self.model.row.key, self._now)

    def of(self, configuration: MonitorConfiguration) -> list[Target]:
        """
        Return the versions that a monitor judges; of a monitor of a segment, each with each of its values.

        :raises aporia_provider.errors.NotFoundError: if there are none, or there is no such segment.
        :raises aporia_provider.errors.ValidationError: if the segment has no such value.
        """
        versions, terms = self._versions(configuration), self._terms(configuration)
        return [
            replace(target, version=target.version.of_term(term)) for target in versions for term in terms
        ]

    def _terms(self, configuration: MonitorConfiguration) -> Sequence[StatesTerm | None]:
        if configuration.segment is None:
            return [None]
        group, value = configuration.segment
        if value is None:
            return self.model.terms(group)
        return [self.model.term(SegmentValue(id=group, value=value))]

    def _versions(self, configuration: MonitorConfiguration) -> list[Target]:
        name = configuration.identification.models.version
        if configuration.type == "model_staleness":
            return [Target(None, self.model.version(None), DataRange())]
        if name == "all_versions":
            return [self._union()]
        versions = [self.model.latest()] if name == "latest" else self._named(name)
        return [self._target(row) for row in versions if self._only in (None, row.name)]

    def _named(self, name: str | None) -> Sequence[VersionRow]:
        if name is None:
            if not self._active:
                raise NotFoundError("no version has a serving dataset whose syncs are enabled")
            return self._active
        versions = [row for row in self.rows if name in (row.id, row.name)]
        if not versions:
            hint = nearest(name, [row.name for row in self.rows])
            raise NotFoundError(f"models.version: there is no version {name!r}; {hint}")
        return versions[:1]

    def _target(self, row: VersionRow) -> Target:
        if row.name not in self._targets:
            target = Target(row.name, self.model.version(row.name), self._data([row]))
            self._targets[row.name] = target
        return self._targets[row.name]

    def _union(self) -> Target:
        rows = self._named(None)
        return Target(None, self.model.union([row.name for row in rows]), self._data(rows))

    def _data(self, rows: Sequence[VersionRow]) -> DataRange:
        keys = [row.key for row in rows]
        datasets = select(DatasetRow.key).where(DatasetRow.version_key.in_(keys), DatasetRow.role == SERVING)
        times = [time for key in keys if (time := data_time(self._session, key)) is not None]
        ranges = [self._ranges[key] for key in keys if key in self._ranges]
        firsts = [first for _, _, first in ranges if first != NO_BUCKET]
        lasts = [last for last, _, _ in ranges if last != NO_BUCKET]
        return DataRange(
            tuple(self._session.scalars(datasets.order_by(DatasetRow.key))),
            max(times, default=None),
            min(firsts, default=None),
            max(lasts, default=None),
        )
