"""The tables that syncs fill: profiles, how far they reach, and who is at work."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from aporia_provider.backend.store.tables import Base, DatasetRow, VersionRow

FIELDS, PERFORMANCE = "fields", "performance"
"""The parts of a dataset that are synced each on its own."""

PART = 20


class SyncRow(Base):
    """
    How far a part of a dataset is synced: its ``fields``, or the ``performance`` of its predictions.

    ``position`` is where the tables were, ``report`` what the last sync that changed something did,
    ``fingerprint`` stands for what was profiled and how, and ``latest_version`` is the newest version of the
    table that was seen, whether it could be synced or not. ``started_at`` is when the last sync began,
    and ``synced_at`` when the last one that succeeded did; both are also set, without a sync, to when a look
    at the tables began that found nothing new, see
    :func:`~aporia_provider.backend.sync.due.candidates.record_unchanged`. ``grids`` are those of the
    stored states; the version may have newer ones already.
    """

    __tablename__ = "aporia_sync"
    __table_args__ = (UniqueConstraint("dataset_key", "part"),)

    dataset_key: Mapped[int] = mapped_column(ForeignKey(DatasetRow.key, ondelete="CASCADE"))
    part: Mapped[str] = mapped_column(String(PART))
    fingerprint: Mapped[str | None] = mapped_column(String(40))
    position: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    started_at: Mapped[datetime]
    synced_at: Mapped[datetime | None]
    seconds: Mapped[float | None] = mapped_column(Float())
    latest_version: Mapped[int | None] = mapped_column(BigInteger())
    error: Mapped[str | None]
    grids: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class ProfileRow(Base):
    """The state of a field in a bucket; ``bucket`` is its first second since 1970, null without a time."""

    __tablename__ = "aporia_profile"
    __table_args__ = (
        UniqueConstraint("dataset_key", "field", "bucket"),
        Index("ix_aporia_profile_bucket", "dataset_key", "part", "bucket"),
    )

    dataset_key: Mapped[int] = mapped_column(ForeignKey(DatasetRow.key, ondelete="CASCADE"))
    part: Mapped[str] = mapped_column(String(PART))
    field: Mapped[str]
    bucket: Mapped[int | None] = mapped_column(BigInteger())
    state: Mapped[dict[str, Any]]


class GridRow(Base):
    """
    The grids of a version, and the role of the dataset that they were made from.

    ``origins`` tells for each grid of which dataset it was made, and from how many values and rows.
    """

    __tablename__ = "aporia_grid"
    __table_args__ = (UniqueConstraint("version_key"),)

    version_key: Mapped[int] = mapped_column(ForeignKey(VersionRow.key, ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(20))
    grids: Mapped[dict[str, Any]]
    origins: Mapped[dict[str, Any]]


class LeaseRow(Base):
    """
    Who syncs the datasets of a version, until when at most; ``process`` is as of
    :func:`~aporia_provider.backend.sync.processes.this_process`.
    """

    __tablename__ = "aporia_lease"
    __table_args__ = (UniqueConstraint("version_key"),)

    version_key: Mapped[int] = mapped_column(ForeignKey(VersionRow.key, ondelete="CASCADE"))
    holder: Mapped[str] = mapped_column(String(36))
    process: Mapped[str | None] = mapped_column(String(200))
    what: Mapped[str]
    expires_at: Mapped[datetime]
