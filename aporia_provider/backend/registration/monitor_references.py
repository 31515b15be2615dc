"""Segments and custom metrics that the configurations of monitors name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.segment_lookups import find_custom_metric, find_segment
from aporia_provider.backend.store.tables import ModelRow
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.monitor_configuration import MonitorConfiguration, parse_configuration
from aporia_provider.nearest import nearest


def check_references(session: Session, environment: str, model_id: str, body: Mapping[str, Any]) -> None:
    """
    Check that a model has the segments and the custom metric that a monitor names.

    Monitors without either, and monitors of models that are not registered, are not checked.

    :param body: Body of the request that creates the monitor.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """
    query = select(ModelRow).filter_by(environment=environment, id=model_id)
    model = session.scalars(query).first()
    if model is None or not _names_any(body["configuration"]):
        return
    problems = list(_problems(session, model, body))
    if problems:
        raise ValidationError(f"Monitor {body['name']!r} is not valid", problems=problems)


def _names_any(configuration: Mapping[str, Any]) -> bool:
    """Return whether a configuration, which need not be valid, names a segment or a custom metric."""
    named = (
        _within(configuration, "identification", "segment", "group"),
        _within(configuration, "identification", "segment", "value"),
        _within(configuration, "configuration", "baseline", "segmentGroupId"),
        _within(configuration, "configuration", "baseline", "segmentValue"),
    )
    is_custom = _within(configuration, "configuration", "metric", "type") == "custom_metric"
    return is_custom or any(value is not None for value in named)


def _within(value: Any, *steps: str) -> Any:
    for step in steps:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _problems(session: Session, model: ModelRow, body: Mapping[str, Any]) -> Iterator[str]:
    try:
        configuration = parse_configuration(body["type"], body["configuration"])
    except ValidationError as error:
        yield from error.problems or [error.message]
        return
    if configuration.unsupported is not None:
        yield configuration.unsupported
    yield from _of_segments(session, model, configuration)
    if configuration.metric.type == "custom_metric":
        try:
            find_custom_metric(session, model, str(configuration.metric.id))
        except NotFoundError as error:
            yield f"metric.id: {error.message}"


def _of_segments(session: Session, model: ModelRow, configuration: MonitorConfiguration) -> Iterator[str]:
    for name, named in (("segment", configuration.segment), ("baseline", configuration.baseline_segment)):
        if named is None:
            continue
        group, value = named
        try:
            segment = find_segment(session, model, group)
        except NotFoundError as error:
            yield f"{name}: {error.message}"
            continue
        labels = [label for label, _ in segment.terms]
        if value is not None and value.lower() not in map(str.lower, labels):
            yield f"{name}: segment {segment.name!r} has no value {value!r}; {nearest(value, labels)}"
