"""
Tables of registrations: models, versions, datasets, monitors and tokens.

All table names begin with ``aporia_``, and Alembic's version table has a separate name, so the tables can
share a database with another application, for example Airflow.
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
    """Timezone-aware UTC datetime; stored without a time zone in SQLite, which has none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


def utc_now() -> datetime:
    """Return the current time as a timezone-aware datetime in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """
    Base class of all tables.

    JSON columns have type JSON on PostgreSQL as well: JSONB does not preserve the order of keys, which is the
    order of features.
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


def new_id() -> str:
    """Return a random id."""
    return str(uuid4())


class ModelRow(Base):
    """A model. ``registration`` is the body it was registered with; ``owner`` reflects later changes."""

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
    """A version of a model. ``registration`` is the body it was registered with."""

    __tablename__ = "aporia_version"
    __table_args__ = (UniqueConstraint("model_key", "name"),)

    model_key: Mapped[int] = mapped_column(ForeignKey(ModelRow.key, ondelete="CASCADE"))
    id: Mapped[str] = mapped_column(String(36), default=new_id, unique=True)
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    registration: Mapped[dict[str, Any]]


class AttachmentRow(Base):
    """Data sent for a version after its registration: the latest body of each kind."""

    __tablename__ = "aporia_attachment"
    __table_args__ = (UniqueConstraint("version_key", "kind"),)

    version_key: Mapped[int] = mapped_column(ForeignKey(VersionRow.key, ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(40))
    body: Mapped[dict[str, Any]]


class DatasetRow(Base):
    """A data source connected to a version in a role. ``registration`` holds no secrets."""

    __tablename__ = "aporia_dataset"
    __table_args__ = (UniqueConstraint("version_key", "role"),)

    version_key: Mapped[int] = mapped_column(ForeignKey(VersionRow.key, ondelete="CASCADE"))
    id: Mapped[str] = mapped_column(String(36), default=new_id, unique=True)
    role: Mapped[str] = mapped_column(String(20))
    enabled: Mapped[bool]
    registration: Mapped[dict[str, Any]]


class MonitorRow(Base):
    """A rule on metrics. ``subject`` is the id of the model that its configuration names, or empty."""

    __tablename__ = "aporia_monitor"
    __table_args__ = (UniqueConstraint("environment", "subject", "name"),)

    environment: Mapped[str] = mapped_column(String(MAX_NAME))
    subject: Mapped[str] = mapped_column(String(MAX_NAME))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    id: Mapped[str] = mapped_column(String(36), default=new_id, unique=True)
    registration: Mapped[dict[str, Any]]


class TokenRow(Base):
    """An API token. Only its digest is stored."""

    __tablename__ = "aporia_token"
    __table_args__ = (UniqueConstraint("environment", "name"),)

    environment: Mapped[str] = mapped_column(String(MAX_NAME))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    read_only: Mapped[bool] = mapped_column(default=False, server_default=false())
