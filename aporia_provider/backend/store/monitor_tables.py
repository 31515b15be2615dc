"""Tables written by the evaluation of monitors: changed buckets, verdicts, alerts and their events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from aporia_provider.backend.store.json_columns import MAX_NAME
from aporia_provider.backend.store.sync_tables import PART
from aporia_provider.backend.store.tables import Base, DatasetRow, MonitorRow, VersionRow, new_id

STATUS = 12


class BucketChangeRow(Base):
    """
    Number of times that a bucket of a part of a dataset was replaced by a different one.

    ``bucket`` is its start in seconds since 1970.
    """

    __tablename__ = "aporia_bucket_change"
    __table_args__ = (UniqueConstraint("dataset_key", "part", "bucket"),)

    dataset_key: Mapped[int] = mapped_column(ForeignKey(DatasetRow.key, ondelete="CASCADE"))
    part: Mapped[str] = mapped_column(String(PART))
    bucket: Mapped[int] = mapped_column(BigInteger())
    changes: Mapped[int]


class TableHistoryRow(Base):
    """
    Commits of the table of a dataset, see :mod:`~aporia_provider.backend.freshness.stored_histories`.

    ``read_at`` is when the log was last read, and ``error`` why the last attempt failed.
    """

    __tablename__ = "aporia_table_history"
    __table_args__ = (UniqueConstraint("dataset_key"),)

    dataset_key: Mapped[int] = mapped_column(ForeignKey(DatasetRow.key, ondelete="CASCADE"))
    uri: Mapped[str]
    read_at: Mapped[datetime | None]
    error: Mapped[str | None]
    history: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class AlertRow(Base):
    """
    An incident: failed windows of a monitor that belong together.

    ``version``, ``segment`` and ``field`` are empty for the union of all versions, for all rows, and for all
    fields of the monitor. ``first`` is the start of the first failed window and ``last`` the end of the last
    one, in seconds since 1970. ``status`` is ``open`` or ``resolved``. ``details`` holds the failed verdicts
    of the last failed window. ``emitted_by`` identifies the task that emitted the asset event of the alert,
    or emits it: then ``claimed_until`` is when another task may emit it. Both are null before.
    """

    __tablename__ = "aporia_alert"
    __table_args__ = (Index("ix_aporia_alert_group", "monitor_key", "version", "segment", "field"),)

    monitor_key: Mapped[int] = mapped_column(ForeignKey(MonitorRow.key, ondelete="CASCADE"))
    version_key: Mapped[int | None] = mapped_column(ForeignKey(VersionRow.key, ondelete="CASCADE"))
    id: Mapped[str] = mapped_column(String(36), default=new_id, unique=True)
    version: Mapped[str] = mapped_column(String(MAX_NAME))
    segment: Mapped[str] = mapped_column(String(MAX_NAME))
    field: Mapped[str]
    severity: Mapped[str] = mapped_column(String(STATUS))
    status: Mapped[str] = mapped_column(String(STATUS))
    first: Mapped[int] = mapped_column(BigInteger())
    last: Mapped[int] = mapped_column(BigInteger())
    occurrences: Mapped[int]
    opened_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None]
    snoozed_until: Mapped[datetime | None]
    details: Mapped[dict[str, Any]]
    emitted_by: Mapped[str | None]
    claimed_until: Mapped[datetime | None]


class VerdictRow(Base):
    """
    Verdict of a monitor on a version in a time window; see :class:`~aporia_provider.verdicts.WindowVerdict`.

    ``start`` and ``end`` are in seconds since 1970. ``findings`` holds the failed verdicts, and the numbers
    of those that passed and that were insufficient.
    """

    __tablename__ = "aporia_verdict"
    __table_args__ = (UniqueConstraint("monitor_key", "version", "segment", "start"),)

    monitor_key: Mapped[int] = mapped_column(ForeignKey(MonitorRow.key, ondelete="CASCADE"))
    version_key: Mapped[int | None] = mapped_column(ForeignKey(VersionRow.key, ondelete="CASCADE"))
    version: Mapped[str] = mapped_column(String(MAX_NAME))
    segment: Mapped[str] = mapped_column(String(MAX_NAME))
    start: Mapped[int] = mapped_column(BigInteger())
    end: Mapped[int] = mapped_column(BigInteger())
    outcome: Mapped[str] = mapped_column(String(STATUS))
    inputs: Mapped[str]
    judged_at: Mapped[datetime]
    findings: Mapped[dict[str, Any]] = mapped_column(JSON())


class AlertWindowRow(Base):
    """A failed window of an alert. A window belongs to several alerts if each field has its own."""

    __tablename__ = "aporia_alert_window"
    __table_args__ = (UniqueConstraint("alert_key", "start"),)

    alert_key: Mapped[int] = mapped_column(ForeignKey(AlertRow.key, ondelete="CASCADE"))
    start: Mapped[int] = mapped_column(BigInteger())
    end: Mapped[int] = mapped_column(BigInteger())


class AlertEventRow(Base):
    """
    A change of an alert: see :class:`~aporia_provider.alerts.AlertEvent`.

    ``created_at`` is its time. ``delivered_at`` is null until its notification has been sent;
    ``claimed_until`` is when another process may send it, if a process is sending it. ``delivered_to`` has
    the names of the receivers that have received it, if others have not.
    """

    __tablename__ = "aporia_alert_event"
    __table_args__ = (Index("ix_aporia_alert_event_undelivered", "delivered_at", "alert_key"),)

    alert_key: Mapped[int] = mapped_column(ForeignKey(AlertRow.key, ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(STATUS))
    details: Mapped[dict[str, Any]]
    claimed_until: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    delivered_to: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
