"""Checks of the codes of custom metrics."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.registration.latest_version import latest_version
from aporia_provider.backend.registration.segment_terms import canonical_condition
from aporia_provider.backend.store.segment_lookups import model_fields
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, VersionRow
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.custom_metrics import CustomMetricError, checked_metric
from aporia_provider.schema import VersionSchema


def filters_of(session: Session, model: ModelRow, custom_metric: CustomMetric) -> list[str]:
    """
    Return the canonical texts of the filters of a custom metric, each once.

    :param session: A session with a transaction.
    :param model: The model, against whose fields the code is checked.
    :param custom_metric: The custom metric.
    :raises aporia_provider.errors.ValidationError: if its code is not valid, with all faults.
    """
    latest = latest_version(session, model)
    fields = model_fields(session, model.key, latest)
    labels = _labels(session, model, latest)
    # The types of labels depend on the data.
    typed = {**fields, **{f"labels.{name}": "" for name in labels}}
    try:
        expression = checked_metric(custom_metric.code, typed, latest.registration["model_type"], labels)
    except CustomMetricError as error:
        subject = f"Custom metric {custom_metric.name!r} is not valid"
        raise ValidationError(subject, problems=error.faults) from None
    return list(dict.fromkeys(canonical_condition(each, fields) for each in expression.filters))


def _labels(session: Session, model: ModelRow, latest: VersionRow) -> dict[str, str]:
    """
    Return the columns of the labels of each prediction.

    Predictions of all versions are included, also those without labels, whose dataset may be connected later.
    """
    query = select(VersionRow).filter_by(model_key=model.key).order_by(VersionRow.key.desc())
    found: dict[str, str] = {}
    for version in [latest, *session.scalars(query)]:
        schema = VersionSchema.from_wire(version.registration)
        datasets = session.scalars(select(DatasetRow).filter_by(version_key=version.key))
        for row in datasets:
            for category, name, column in connection_of(row).columns(schema):
                if category == "labels":
                    found.setdefault(name, column)
        for name in schema.predictions:
            found.setdefault(name, name)
    return found
