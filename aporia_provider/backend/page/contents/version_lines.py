"""The versions of a model on a time axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.page.contents.page_days import moment
from aporia_provider.backend.store.bucket_ranges import NO_BUCKET, NO_BUCKETS, BucketRange
from aporia_provider.backend.store.tables import ModelRow, TagRow, VersionRow
from aporia_provider.monitoring.profiles.plan import BUCKET_SECONDS

MAX_VERSIONS = 50
"""Maximum number of versions of a view: those whose serving data extends furthest."""


@dataclass(frozen=True)
class VersionLine:
    """
    A version on the time axis.

    :param name: Name of the version.
    :param registered_at: When it was registered.
    :param serving_from: Start of the first bucket of its serving data; None if there is no such data.
    :param serving_to: End of the last bucket of its serving data that is not in the future.
    :param is_latest: Whether it is the latest version of the model.
    :param tags: Tags of the model whose value is the name of the version, such as ``champion``.
    """

    name: str
    registered_at: datetime
    serving_from: datetime | None
    serving_to: datetime | None
    is_latest: bool
    tags: tuple[str, ...]


@dataclass(frozen=True)
class ModelVersions:
    """
    The versions of a model, the latest first.

    :param rows: The versions of the view, at most :data:`MAX_VERSIONS`.
    :param ranges: Buckets of the serving data by key of the version.
    :param left_out: Number of further versions.
    """

    rows: tuple[VersionRow, ...]
    ranges: Mapping[int, BucketRange]
    left_out: int

    @classmethod
    def read(cls, session: Session, model: ModelRow, ranges: Mapping[int, BucketRange]) -> ModelVersions:
        """
        Read the versions of a model.

        :param session: A session with a read transaction.
        :param model: The model.
        :param ranges: Buckets of the serving data by key of the version.
        """
        keys = session.scalars(select(VersionRow.key).filter_by(model_key=model.key)).all()
        ordered = sorted(keys, key=lambda key: (ranges.get(key, NO_BUCKETS), key), reverse=True)
        shown = ordered[:MAX_VERSIONS]
        rows = {row.key: row for row in session.scalars(select(VersionRow).where(VersionRow.key.in_(shown)))}
        return cls(tuple(rows[key] for key in shown), ranges, len(ordered) - len(shown))

    def lines(self, session: Session, model: ModelRow) -> tuple[VersionLine, ...]:
        """Return the versions as lines of the time axis."""
        tags = session.execute(select(TagRow.name, TagRow.value).filter_by(model_key=model.key)).all()
        seconds = BUCKET_SECONDS[model.registration.get("aggregation_period") or "daily"]
        return tuple(
            VersionLine(
                row.name,
                row.created_at,
                *self._serving(row.key, seconds),
                index == 0,
                tuple(sorted(name for name, value in tags if value == row.name)),
            )
            for index, row in enumerate(self.rows)
        )

    def _serving(self, key: int, seconds: int) -> tuple[datetime | None, datetime | None]:
        last, _, first = self.ranges.get(key, NO_BUCKETS)
        return (
            None if NO_BUCKET in (first, last) else moment(first),
            None if last == NO_BUCKET else moment(last + seconds),
        )

    def within(self, start: int, end: int) -> list[VersionRow]:
        """Return the versions with serving data in a range, the latest first."""
        ranges = ((row, self.ranges.get(row.key, NO_BUCKETS)) for row in self.rows)
        return [
            row for row, (last, _, first) in ranges if last >= start and first < end and last != NO_BUCKET
        ]
