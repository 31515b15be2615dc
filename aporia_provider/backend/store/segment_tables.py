"""Tables of segments and custom metrics."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from aporia_provider.backend.store.json_columns import MAX_NAME
from aporia_provider.backend.store.tables import Base, ModelRow, new_id


class SegmentRow(Base):
    """
    A segment of a model. ``registration`` is the body it was registered with.

    ``terms`` holds a label and a condition for each term. ``manual`` is false for the segments of the filters
    of custom metrics. States refer to the key, so keys are not used again after a deletion.
    """

    __tablename__ = "aporia_segment"
    __table_args__ = (UniqueConstraint("model_key", "name"), {"sqlite_autoincrement": True})

    model_key: Mapped[int] = mapped_column(ForeignKey(ModelRow.key, ondelete="CASCADE"))
    id: Mapped[str] = mapped_column(String(36), default=new_id, unique=True)
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    registration: Mapped[dict[str, Any]]
    terms: Mapped[list[list[str]]] = mapped_column(JSON())
    manual: Mapped[bool]


class CustomMetricRow(Base):
    """
    A custom metric of a model. ``registration`` is the body it was registered with.

    ``filters`` holds the names of the segments of its filters, those within other segments included.
    """

    __tablename__ = "aporia_custom_metric"
    __table_args__ = (UniqueConstraint("model_key", "name"),)

    model_key: Mapped[int] = mapped_column(ForeignKey(ModelRow.key, ondelete="CASCADE"))
    id: Mapped[str] = mapped_column(String(36), default=new_id, unique=True)
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    registration: Mapped[dict[str, Any]]
    filters: Mapped[list[str]] = mapped_column(JSON())
