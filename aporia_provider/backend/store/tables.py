"""
The tables of the embedded backend.

Their names begin with ``aporia_``, and Alembic's bookmark is a table of its own, so they can live in a
database that belongs to something else as well, Airflow's for instance.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, MetaData, String, Text, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from aporia_provider.backend.store.json_columns import MAX_NAME

VERSION_TABLE = "aporia_alembic_version"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC; SQLite, which has no time zones, stores it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """
    Base of all tables.

    JSON is plain JSON on PostgreSQL too: JSONB would lose the order of keys, which is the order of features.
    """

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime(), dict[str, Any]: JSON(), str: Text()}

    key: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


def _uid() -> str:
    return str(uuid4())


class ModelRow(Base):
    """A model. ``registration`` stays what it was registered with; ``owner`` follows later changes."""

    __tablename__ = "aporia_model"
    __table_args__ = (UniqueConstraint("environment", "id"),)

    environment: Mapped[str] = mapped_column(String(MAX_NAME))
    id: Mapped[str] = mapped_column(String(MAX_NAME))
    owner: Mapped[str | None]
    registration: Mapped[dict[str, Any]]


class TagRow(Base):
    """A tag of a model."""

    __tablename__ = "aporia_tag"
    __table_args__ = (UniqueConstraint("model_key", "name"),)

    model_key: Mapped[int] = mapped_column(ForeignKey(ModelRow.key, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(15))
    value: Mapped[str]


class VersionRow(Base):
    """A version of a model; ``registration`` stays what it was registered with."""

    __tablename__ = "aporia_version"
    __table_args__ = (UniqueConstraint("model_key", "name"),)

    model_key: Mapped[int] = mapped_column(ForeignKey(ModelRow.key, ondelete="CASCADE"))
    id: Mapped[str] = mapped_column(String(36), default=_uid, unique=True)
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    registration: Mapped[dict[str, Any]]


class AttachmentRow(Base):
    """What was sent for a version after it was registered: the latest of each kind."""

    __tablename__ = "aporia_attachment"
    __table_args__ = (UniqueConstraint("version_key", "kind"),)

    version_key: Mapped[int] = mapped_column(ForeignKey(VersionRow.key, ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(40))
    body: Mapped[dict[str, Any]]


class DatasetRow(Base):
    """A data source connected to a version in a role; ``registration`` holds no secrets."""

    __tablename__ = "aporia_dataset"
    __table_args__ = (UniqueConstraint("version_key", "role"),)

    version_key: Mapped[int] = mapped_column(ForeignKey(VersionRow.key, ondelete="CASCADE"))
    id: Mapped[str] = mapped_column(String(36), default=_uid, unique=True)
    role: Mapped[str] = mapped_column(String(20))
    enabled: Mapped[bool]
    registration: Mapped[dict[str, Any]]


class MonitorRow(Base):
    """A rule on metrics. ``subject`` is the id of the model its configuration names, or empty."""

    __tablename__ = "aporia_monitor"
    __table_args__ = (UniqueConstraint("environment", "subject", "name"),)

    environment: Mapped[str] = mapped_column(String(MAX_NAME))
    subject: Mapped[str] = mapped_column(String(MAX_NAME))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    id: Mapped[str] = mapped_column(String(36), default=_uid, unique=True)
    registration: Mapped[dict[str, Any]]


class TokenRow(Base):
    """An API token: only its digest is stored."""

    __tablename__ = "aporia_token"
    __table_args__ = (UniqueConstraint("environment", "name"),)

    environment: Mapped[str] = mapped_column(String(MAX_NAME))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    read_only: Mapped[bool] = mapped_column(default=False, server_default=false())
