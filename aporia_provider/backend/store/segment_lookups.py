"""Lookup of segments, custom metrics and the fields of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.json_columns import MAX_NAME, check_names
from aporia_provider.backend.store.segment_tables import CustomMetricRow, SegmentRow
from aporia_provider.backend.store.tables import ModelRow, VersionRow
from aporia_provider.errors import NotFoundError
from aporia_provider.nearest import nearest
from aporia_provider.schema import CATEGORIES
from aporia_provider.segments import FILTER_PREFIX

R = TypeVar("R", SegmentRow, CustomMetricRow)


def find_segment(session: Session, model: ModelRow, name_or_id: str) -> SegmentRow:
    """
    Return a segment of a model.

    :param name_or_id: Its name, or else its id.
    :raises aporia_provider.errors.NotFoundError: if there is none; the message names the most similar name.
    """
    return _found(session, SegmentRow, model, name_or_id, "segment")


def model_segments(session: Session, model_key: int) -> list[SegmentRow]:
    """Return the segments of a model, including segments of filters of custom metrics, oldest first."""
    query = select(SegmentRow).filter_by(model_key=model_key).order_by(SegmentRow.key)
    return list(session.scalars(query))


def find_custom_metric(session: Session, model: ModelRow, name_or_id: str) -> CustomMetricRow:
    """
    Return a custom metric of a model.

    :param name_or_id: Its name, or else its id.
    :raises aporia_provider.errors.NotFoundError: if there is none; the message names the most similar name.
    """
    return _found(session, CustomMetricRow, model, name_or_id, "custom metric")


def model_custom_metrics(session: Session, model_key: int) -> list[CustomMetricRow]:
    """Return the custom metrics of a model, oldest first."""
    query = select(CustomMetricRow).filter_by(model_key=model_key).order_by(CustomMetricRow.key)
    return list(session.scalars(query))


def filter_name(condition: str) -> str:
    """
    Return the name of the segment of the filter of a custom metric.

    :param condition: Canonical text of the filter. The name of a long one ends with its digest.
    """
    return _shortened(condition)


def filter_name_within(condition: str, segment: str) -> str:
    """
    Return the name of the segment of the filter of a custom metric within the terms of another segment.

    :param condition: Canonical text of the filter.
    :param segment: Name of the other segment.
    """
    # No canonical text has this sign outside quotes.
    return _shortened(f"{condition} & {segment}")


def _shortened(text: str) -> str:
    name = f"{FILTER_PREFIX}{text}"
    if len(name) <= MAX_NAME:
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:32]
    return f"{name[: MAX_NAME - len(digest) - 2]}… {digest}"


def model_fields(session: Session, model_key: int, latest: VersionRow) -> dict[str, str]:
    """
    Return the qualified names of the fields of all versions of a model, and their types.

    :param latest: The version whose types apply where versions differ. Its fields come first.
    """
    query = select(VersionRow).filter_by(model_key=model_key).order_by(VersionRow.key.desc())
    fields: dict[str, str] = {}
    for row in [latest, *session.scalars(query)]:
        for name, type_ in version_fields(row).items():
            fields.setdefault(name, type_)
    return fields


def version_fields(version: VersionRow) -> dict[str, str]:
    """Return the qualified names of the fields of a version, and their types."""
    schema = version.registration["version_schema"]
    return {
        f"{category}.{name}": field if isinstance(field, str) else field["type"]
        for category in CATEGORIES
        for name, field in (schema.get(category) or {}).items()
    }


def _found(session: Session, table: type[R], model: ModelRow, name_or_id: str, what: str) -> R:
    check_names(**{what.replace(" ", "_"): name_or_id})
    query = select(table).where(
        table.model_key == model.key, or_(table.name == name_or_id, table.id == name_or_id)
    )
    rows: Sequence[R] = session.scalars(query).all()
    if rows:
        return next((row for row in rows if row.name == name_or_id), rows[0])
    names = list(session.scalars(select(table.name).filter_by(model_key=model.key)))
    raise NotFoundError(
        f"Model {model.id!r} has no {what} {name_or_id!r}; {nearest(name_or_id, names)}", status=404
    )
