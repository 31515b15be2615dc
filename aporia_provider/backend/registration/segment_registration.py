"""Segments: parts of the rows of a model."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.latest_version import latest_version
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.registration.segment_terms import as_terms, check_number_of_terms, checked_terms
from aporia_provider.backend.store.json_columns import check_json, check_names
from aporia_provider.backend.store.lookups import find_model
from aporia_provider.backend.store.segment_lookups import (
    find_segment,
    model_custom_metrics,
    model_fields,
    model_segments,
)
from aporia_provider.backend.store.segment_states import delete_segment_states
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.backend.store.tables import ModelRow
from aporia_provider.errors import ConflictError
from aporia_provider.registrations import (
    IfExists,
    Registered,
    check_if_exists,
    differences,
    existing_registration,
)
from aporia_provider.segment_conditions import Term
from aporia_provider.segment_reports import RegisteredSegment
from aporia_provider.segments import Segment


class Segments(RegistryBase):
    """Registry methods for segments."""

    def create_segment(self, model_id: str, segment: Segment, *, if_exists: IfExists = "match") -> Registered:
        """
        Register a segment of a model.

        The next sync of each dataset computes its states, and only those.
        """
        check_if_exists(if_exists)
        Segment.check_type(segment)
        check_names(name=segment.name)
        body = segment.to_wire()
        check_json(body)
        with self.database.write_transaction() as session:
            # An exclusive lock, so that the limits hold.
            model = find_model(session, self.environment, model_id, change=True)
            query = select(SegmentRow).filter_by(model_key=model.key, name=segment.name)
            existing = session.scalar(query)
            if existing is not None:
                subject = f"Segment {segment.name!r} of model {model_id!r}"
                changes = differences(existing.registration, body)
                return existing_registration(subject, existing.id, changes, if_exists)
            others = model_segments(session, model.key)
            terms = terms_of(session, model, segment, others)
            check_number_of_terms(model_id, [each.terms for each in others], [terms])
            row = SegmentRow(
                model_key=model.key,
                name=segment.name,
                registration=body,
                terms=[list(term) for term in terms],
                manual=True,
            )
            session.add(row)
            session.flush()
            return {"id": row.id, "status": "created"}

    def list_segments(self, model_id: str) -> list[RegisteredSegment]:
        """Return the segments of a model, oldest first, including segments of filters of custom metrics."""
        with self.database.read_transaction() as session:
            model = find_model(session, self.environment, model_id)
            return [_registered(row) for row in model_segments(session, model.key)]

    def delete_segment(self, model_id: str, name: str) -> None:
        """Delete a segment, which is given by its name or its id, with its states."""
        with self.database.write_transaction() as session:
            model = find_model(session, self.environment, model_id, change=True)
            row = find_segment(session, model, name)
            if not row.manual:
                raise ConflictError(
                    f"Segment {row.name!r} of model {model_id!r} is the filter of custom metrics; it is "
                    "deleted with the last of them",
                    status=409,
                )
            _check_unused(session, model, row)
            delete_segment_states(session, row)
            session.delete(row)


def _check_unused(session: Session, model: ModelRow, segment: SegmentRow) -> None:
    """Raise an error if filters of custom metrics were made within the terms of a segment."""
    users = [
        repr(each.name)
        for each in model_custom_metrics(session, model.key)
        if segment.name in (each.registration.get("segments") or ())
    ]
    if users:
        raise ConflictError(
            f"Segment {segment.name!r} of model {model.id!r} is one of the segments of custom metrics "
            f"{', '.join(users)}: delete these first",
            status=409,
        )


def terms_of(session: Session, model: ModelRow, segment: Segment, others: Sequence[SegmentRow]) -> list[Term]:
    """
    Return the terms of a segment, with the canonical texts of their conditions.

    :param session: A session with a transaction.
    :param model: The model.
    :param segment: The segment.
    :param others: The other segments of the model, for intersections.
    :raises aporia_provider.errors.NotFoundError: if the model has no version.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """
    fields = model_fields(session, model.key, latest_version(session, model))
    known = {row.name: as_terms(row.terms) for row in others}
    return checked_terms(segment.name, segment.terms(fields, known), fields)


def _registered(row: SegmentRow) -> RegisteredSegment:
    return {
        "id": row.id,
        "name": row.name,
        "manual": row.manual,
        "created_at": row.created_at.isoformat(),
        "terms": [{"label": label, "condition": condition} for label, condition in row.terms],
        "registration": row.registration,
    }
