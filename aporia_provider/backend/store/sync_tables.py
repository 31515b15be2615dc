"""Tables written by syncs: profiles, checkpoints, bins and leases."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from aporia_provider.backend.store.tables import Base, DatasetRow, VersionRow

DAY, MONTH = "day", "month"
"""Spans of time that the states of a field are added up for."""
FIELDS, PERFORMANCE = "fields", "performance"
"""Parts of a dataset, which are synced independently of each other."""

PART = 20


class SyncRow(Base):
    """
    Checkpoint of a part of a dataset: of its ``fields``, or of the ``performance`` of its predictions.

    ``position`` holds the table versions that were read, ``report`` the result of the last sync that changed
    something, and ``fingerprint`` identifies the profiled columns and the method. ``latest_version`` is the
    newest version of the table that was seen, whether or not it could be synced. ``started_at`` is the start
    time of the last sync, and ``synced_at`` the time of the last successful one; a check that finds no
    changes also sets both, see :func:`~aporia_provider.backend.sync.due.candidates.record_unchanged`.
    ``grids`` are the bins of the stored states; the version may already have newer bins.
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


class StateBlockRow(Base):
    """
    Sum of the states of a field in a day or a month, and the states of its buckets.

    Hours are stored by day, and days by month. For hours, there is a second row for each month, without
    ``states``. Several rows cover a day or a month if its states are large. A row is written in the
    transaction that replaces one of its buckets, so its sum is never outdated.

    If the model has a retention, ``states`` of old rows are null and days of old months have no rows. Where
    nothing is kept, ``total`` is null as well; ``buckets`` and ``rows`` remain.

    ``first`` and ``last`` are the starts of the first and the last bucket that has a state, in seconds since
    1970, or null for the rows of the data whose timestamp is null. ``buckets`` is the number of states, and
    ``rows`` the number of rows they were computed from. ``total`` is null if the states cannot be added. For
    it and ``states`` see :mod:`~aporia_provider.backend.store.state_encoding`.
    """

    __tablename__ = "aporia_state_block"
    __table_args__ = (
        UniqueConstraint("dataset_key", "field", "span", "first"),
        Index("ix_aporia_state_block_part", "dataset_key", "part", "span", "first"),
    )

    dataset_key: Mapped[int] = mapped_column(ForeignKey(DatasetRow.key, ondelete="CASCADE"))
    part: Mapped[str] = mapped_column(String(PART))
    field: Mapped[str]
    span: Mapped[str] = mapped_column(String(5))
    first: Mapped[int | None] = mapped_column(BigInteger())
    last: Mapped[int | None] = mapped_column(BigInteger())
    buckets: Mapped[int]
    rows: Mapped[int] = mapped_column(BigInteger())
    total: Mapped[bytes | None]
    states: Mapped[bytes | None]


class BinsRow(Base):
    """
    Bins of a version, and the role of the dataset that they were made from.

    ``origins`` maps each field to the role, number of values and number of rows that its bins were made from.
    """

    __tablename__ = "aporia_grid"
    __table_args__ = (UniqueConstraint("version_key"),)

    version_key: Mapped[int] = mapped_column(ForeignKey(VersionRow.key, ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(20))
    grids: Mapped[dict[str, Any]]
    origins: Mapped[dict[str, Any]]


class LeaseRow(Base):
    """
    Lease held by a process while it syncs the datasets of a version.

    For ``process`` see :func:`~aporia_provider.backend.sync.processes.this_process`.
    """

    __tablename__ = "aporia_lease"
    __table_args__ = (UniqueConstraint("version_key"),)

    version_key: Mapped[int] = mapped_column(ForeignKey(VersionRow.key, ondelete="CASCADE"))
    holder: Mapped[str] = mapped_column(String(36))
    process: Mapped[str | None] = mapped_column(String(200))
    what: Mapped[str]
    expires_at: Mapped[datetime]
