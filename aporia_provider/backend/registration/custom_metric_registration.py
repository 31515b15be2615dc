"""Custom metrics: expressions of metrics, whose filters are segments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.custom_metric_checks import MadeSegment, filters_of
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.registration.segment_terms import check_number_of_terms
from aporia_provider.backend.registration.version_segments import SUMS_KEY
from aporia_provider.backend.store.json_columns import check_json, check_names
from aporia_provider.backend.store.lookups import find_model
from aporia_provider.backend.store.segment_lookups import (
    find_custom_metric,
    model_custom_metrics,
    model_segments,
)
from aporia_provider.backend.store.segment_states import delete_segment_states
from aporia_provider.backend.store.segment_tables import CustomMetricRow, SegmentRow
from aporia_provider.backend.store.tables import ModelRow
from aporia_provider.custom_metrics import MAX_CUSTOM_METRICS, CustomMetric, RegisteredCustomMetric
from aporia_provider.errors import ValidationError
from aporia_provider.registrations import (
    IfExists,
    Registered,
    check_if_exists,
    differences,
    existing_registration,
)


class CustomMetrics(RegistryBase):
    """Registry methods for custom metrics."""

    def create_custom_metric(
        self, model_id: str, custom_metric: CustomMetric, *, if_exists: IfExists = "match"
    ) -> Registered:
        """
        Register a custom metric of a model.

        The next sync of each dataset computes the states of the segments of its filters.
        """
        check_if_exists(if_exists)
        CustomMetric.check_type(custom_metric)
        check_names(name=custom_metric.name)
        body = custom_metric.to_wire()
        check_json(body)
        with self.database.write_transaction() as session:
            # An exclusive lock, so that the limits hold.
            model = find_model(session, self.environment, model_id, change=True)
            query = select(CustomMetricRow).filter_by(model_key=model.key, name=custom_metric.name)
            existing = session.scalar(query)
            if existing is not None:
                subject = f"Custom metric {custom_metric.name!r} of model {model_id!r}"
                changes = differences(existing.registration, body)
                return existing_registration(subject, existing.id, changes, if_exists)
            row = _added(session, model, custom_metric, body)
            return {"id": row.id, "status": "created"}

    def list_custom_metrics(self, model_id: str) -> list[RegisteredCustomMetric]:
        """Return the custom metrics of a model, oldest first."""
        with self.database.read_transaction() as session:
            model = find_model(session, self.environment, model_id)
            return [
                {
                    "id": row.id,
                    "name": row.name,
                    "code": row.registration["code"],
                    "created_at": row.created_at.isoformat(),
                    "filters": row.filters,
                    "segments": row.registration.get("segments") or [],
                }
                for row in model_custom_metrics(session, model.key)
            ]

    def delete_custom_metric(self, model_id: str, name: str) -> None:
        """Delete a custom metric, which is given by its name or its id, and the filters only it uses."""
        with self.database.write_transaction() as session:
            model = find_model(session, self.environment, model_id, change=True)
            row = find_custom_metric(session, model, name)
            others = [each for each in model_custom_metrics(session, model.key) if each.key != row.key]
            used = {each for other in others for each in other.filters}
            _delete_filters(session, model, set(row.filters) - used)
            session.delete(row)


def _added(
    session: Session, model: ModelRow, custom_metric: CustomMetric, body: Mapping[str, str]
) -> CustomMetricRow:
    count = len(model_custom_metrics(session, model.key))
    if count >= MAX_CUSTOM_METRICS:
        raise ValidationError(
            f"Model {model.id!r} has {count} custom metrics, and can have {MAX_CUSTOM_METRICS}"
        )
    names = _add_filters(session, model, filters_of(session, model, custom_metric))
    row = CustomMetricRow(
        model_key=model.key, name=custom_metric.name, registration=dict(body), filters=names
    )
    session.add(row)
    session.flush()
    return row


def _add_filters(session: Session, model: ModelRow, filters: Mapping[str, MadeSegment]) -> list[str]:
    """Add the segments of a custom metric that the model does not have yet; return the names of all."""
    existing = model_segments(session, model.key)
    known = {row.name for row in existing}
    new = {name: made for name, made in filters.items() if name not in known}
    added = [made.terms for made in new.values()]
    check_number_of_terms(model.id, [row.terms for row in existing], added)
    session.add_all(
        SegmentRow(
            model_key=model.key,
            name=name,
            registration=_registration(name, made),
            terms=[list(term) for term in made.terms],
            manual=False,
        )
        for name, made in new.items()
    )
    return list(filters)


def _registration(name: str, made: MadeSegment) -> dict[str, Any]:
    conditions = [[condition, label] for label, condition in made.terms]
    sums = {SUMS_KEY: [list(number) for number in made.numbers]} if made.numbers else {}
    return {"name": name, "conditions": conditions, **sums}


def _delete_filters(session: Session, model: ModelRow, names: Collection[str]) -> None:
    for row in model_segments(session, model.key):
        if row.name in names and not row.manual:
            delete_segment_states(session, row)
            session.delete(row)
