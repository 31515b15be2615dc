"""Checks of the codes of custom metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.datasets import connection_of
from aporia_provider.backend.registration.latest_version import latest_version
from aporia_provider.backend.registration.segment_terms import as_terms, canonical_condition, checked_terms
from aporia_provider.backend.store.segment_lookups import (
    filter_name,
    filter_name_within,
    model_fields,
    model_segments,
)
from aporia_provider.backend.store.tables import DatasetRow, ModelRow, VersionRow
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.custom_metrics import (
    CallSums,
    CustomMetricError,
    MetricExpression,
    checked_metric,
    sums_of,
)
from aporia_provider.monitoring.custom_metrics.call_sums import RowNumber
from aporia_provider.nearest import nearest
from aporia_provider.schema import VersionSchema
from aporia_provider.segment_conditions import Term
from aporia_provider.segments import FILTER_LABEL


@dataclass(frozen=True)
class MadeSegment:
    """
    A segment that is made for a custom metric.

    :param terms: Its terms; an empty condition stands for all rows.
    :param numbers: Numbers of the rows, whose sums and products are computed instead of the states of fields;
        empty for filters.
    """

    terms: list[Term]
    numbers: tuple[RowNumber, ...] = ()


def filters_of(
    session: Session,
    model: ModelRow,
    custom_metric: CustomMetric,
    known: Mapping[str, Sequence[Term]] | None = None,
) -> dict[str, MadeSegment]:
    """
    Return the segments of the filters of a custom metric and of the covariances of its sums, by their names.

    :param session: A session with a transaction.
    :param model: The model, against whose fields the code is checked.
    :param custom_metric: The custom metric.
    :param known: Terms of the segments that it may name. Default: the segments of the model.
    :raises aporia_provider.errors.ValidationError: if the custom metric is not valid, with all faults.
    """
    if known is None:
        known = {row.name: as_terms(row.terms) for row in model_segments(session, model.key) if row.manual}
    latest = latest_version(session, model)
    fields = model_fields(session, model.key, latest)
    names = dict.fromkeys(custom_metric.segments or ())
    unknown = [name for name in names if name not in known]
    problems = [f"there is no segment {name!r}; {nearest(name, known)}" for name in unknown]
    filters: list[str] = []
    sums = None
    try:
        expression = _expression(session, model, latest, custom_metric.code, fields)
        filters = list(dict.fromkeys(canonical_condition(each, fields) for each in expression.filters))
        sums = sums_of(expression, fields)
    except CustomMetricError as error:
        problems = [*error.faults, *problems]
    if problems:
        raise ValidationError(f"Custom metric {custom_metric.name!r} is not valid", problems=problems)
    found = {filter_name(condition): MadeSegment([(FILTER_LABEL, condition)]) for condition in filters}
    if sums is not None:
        found[sums_name(sums)] = MadeSegment([(FILTER_LABEL, "")], sums.numbers)
    for segment in names:
        for condition in filters:
            within = [(label, f"({of_term}) and ({condition})") for label, of_term in known[segment]]
            name = filter_name_within(condition, segment)
            found[name] = MadeSegment(checked_terms(name, within, fields))
        if sums is not None:
            found[sums_name(sums, segment)] = MadeSegment(list(known[segment]), sums.numbers)
    return found


def sums_name(sums: CallSums, segment: str | None = None) -> str:
    """
    Return the name of the segment of the covariances of sums.

    :param sums: The sums.
    :param segment: Name of the segment within whose terms they are computed; None for all rows.
    """
    text = f"sums of {json.dumps(sums.numbers)}"
    return filter_name(text) if segment is None else filter_name_within(text, segment)


def _expression(
    session: Session, model: ModelRow, latest: VersionRow, code: str, fields: Mapping[str, str]
) -> MetricExpression:
    labels = _labels(session, model, latest)
    # The types of labels depend on the data.
    typed = {**fields, **{f"labels.{name}": "" for name in labels}}
    return checked_metric(code, typed, latest.registration["model_type"], labels)


def _labels(session: Session, model: ModelRow, latest: VersionRow) -> dict[str, str]:
    """
    Return the columns of the labels of each prediction.

    Predictions of all versions are included. If they have no labels, a dataset may be connected later.
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
