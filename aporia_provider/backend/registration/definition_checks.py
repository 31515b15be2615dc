"""Checks of the valid parts of a file of segments and custom metrics, without creating anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy.orm import Session

from aporia_provider.backend.registration.custom_metric_checks import filters_of
from aporia_provider.backend.registration.latest_version import latest_version
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.registration.segment_costs import SegmentTerms
from aporia_provider.backend.registration.segment_terms import canonical_condition
from aporia_provider.backend.store.lookups import find_model
from aporia_provider.backend.store.segment_lookups import model_fields
from aporia_provider.backend.store.tables import ModelRow
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.segment_conditions import Term
from aporia_provider.segment_file import FileParts


def faults_of_parts(registry: RegistryBase, parts: FileParts) -> list[str]:
    """
    Return the faults of segments and custom metrics for the fields of their model.

    :param registry: The registry of the model.
    :param parts: The segments and custom metrics.
    """
    with registry.database.read_transaction() as session:
        try:
            model = find_model(session, registry.environment, parts.model)
            terms = SegmentTerms(session, model)
            found = [*_of_segments(terms, model, parts), *_of_conditions(session, model, parts)]
            return [*found, *_of_custom_metrics(session, model, parts, terms.manual)]
        except AporiaError as error:
            return [f"{parts.model}: {error.message}"]


def _of_segments(terms: SegmentTerms, model: ModelRow, parts: FileParts) -> Iterator[str]:
    for segment in parts.segments:
        named = set(segment.intersection or ()) - set(terms.known)
        if named and named <= parts.names:
            # The faults of the segments that it intersects are listed.
            continue
        try:
            terms.add(segment)
        except ValidationError as error:
            yield f"{model.id}: {segment.name}: {error.message}"


def _of_conditions(session: Session, model: ModelRow, parts: FileParts) -> Iterator[str]:
    fields = model_fields(session, model.key, latest_version(session, model))
    for name, label, condition in parts.conditions:
        try:
            canonical_condition(condition, fields)
        except ValidationError as error:
            yield from (f"{model.id}: {name}: {label}: {problem}" for problem in error.problems)


def _of_custom_metrics(
    session: Session, model: ModelRow, parts: FileParts, known: Mapping[str, Sequence[Term]]
) -> Iterator[str]:
    # The faults of the segments of the file are listed.
    named = {name: known.get(name, ()) for name in {*known, *parts.names}}
    for metric in parts.custom_metrics:
        try:
            filters_of(session, model, metric, named)
        except ValidationError as error:
            yield f"{model.id}: {metric.name}: {error.message}"
