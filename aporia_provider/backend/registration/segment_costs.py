"""What a segment would cost, before it is created."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from sqlalchemy.orm import Session

from aporia_provider.backend.registration.custom_metric_checks import filters_of
from aporia_provider.backend.registration.latest_version import latest_version
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.registration.segment_terms import as_terms, checked_terms, exceeded_limits
from aporia_provider.backend.store.json_columns import check_json, check_names
from aporia_provider.backend.store.lookups import find_model
from aporia_provider.backend.store.segment_lookups import model_fields, model_segments
from aporia_provider.backend.store.stored_sizes import StoredSize, SyncTimes, stored_size, sync_times
from aporia_provider.backend.store.tables import ModelRow
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.errors import ValidationError
from aporia_provider.segment_conditions import Term
from aporia_provider.segment_reports import SegmentCost
from aporia_provider.segments import FILTER_PREFIX, Segment

SHARE_OF_A_TERM: Final = 0.075
"""
Part of the time of a sync without segments that a term is assumed to add.

Twenty values or ranges make a sync less than two and a half times as long, see ``benchmarks/segments.py``.
Terms that overlap in many ways cost more.
"""


class SegmentCosts(RegistryBase):
    """Registry method for the cost of segments."""

    def segment_cost(self, model_id: str, segment: Segment) -> SegmentCost:
        """Return what a segment would cost, estimated from what is stored; nothing is created."""
        Segment.check_type(segment)
        check_names(name=segment.name)
        check_json(segment.to_wire())
        (cost,) = segment_costs(self, model_id, [segment])
        if isinstance(cost, ValidationError):
            raise cost
        return cost


def segment_costs(
    registry: RegistryBase, model_id: str, segments: Iterable[Segment]
) -> list[SegmentCost | ValidationError]:
    """
    Return what each of several segments would cost after those before it, or why it is not valid.

    :param registry: The registry of the model.
    :param model_id: Id of the model.
    :param segments: The segments; an intersection is after the segments that it names.
    :raises aporia_provider.errors.NotFoundError: if there is no such model, or it has no version.
    """
    with registry.database.read_transaction() as session:
        model = find_model(session, registry.environment, model_id)
        known = SegmentTerms(session, model)
        return [_cost(session, known, segment) for segment in segments]


def custom_metric_costs(
    registry: RegistryBase,
    model_id: str,
    segments: Iterable[Segment],
    custom_metrics: Iterable[CustomMetric],
) -> list[SegmentCost | ValidationError]:
    """
    Return what the filters of each of several custom metrics would cost after those before it.

    :param registry: The registry of the model.
    :param model_id: Id of the model.
    :param segments: Segments that are created before. Those that are not valid are left out.
    :param custom_metrics: The custom metrics.
    :raises aporia_provider.errors.NotFoundError: if there is no such model, or it has no version.
    """
    with registry.database.read_transaction() as session:
        model = find_model(session, registry.environment, model_id)
        known = SegmentTerms(session, model)
        for segment in segments:
            with suppress(ValidationError):
                known.add(segment)
        return [_cost_of_filters(session, known, model, each) for each in custom_metrics]


def _cost_of_filters(
    session: Session, known: SegmentTerms, model: ModelRow, custom_metric: CustomMetric
) -> SegmentCost | ValidationError:
    try:
        filters = filters_of(session, model, custom_metric, known.manual)
    except ValidationError as error:
        return error
    new = {name: made.terms for name, made in filters.items() if name not in known.known}
    problems = exceeded_limits(list(known.known.values()), list(new.values()))
    known.known.update(new)
    return _estimated(session, known, sum(map(len, new.values())), problems)


class SegmentTerms:
    """
    The terms of the segments of a model, and of segments that are not created.

    :param session: A session with a transaction.
    :param model: The model.
    :raises aporia_provider.errors.NotFoundError: if the model has no version.
    """

    def __init__(self, session: Session, model: ModelRow) -> None:
        self.model_key = model.key
        self.present = sum(len(row.terms) for row in model_segments(session, model.key))
        self.known: dict[str, list[Term]] = {
            row.name: as_terms(row.terms) for row in model_segments(session, model.key)
        }
        self._fields = model_fields(session, model.key, latest_version(session, model))

    @property
    def manual(self) -> dict[str, list[Term]]:
        """Return the terms of the segments that are no filters of custom metrics."""
        return {name: terms for name, terms in self.known.items() if not name.startswith(FILTER_PREFIX)}

    def add(self, segment: Segment) -> tuple[int, list[str]]:
        """
        Add a segment, in place of one of its name.

        :return: The number of its terms, and the limits that are exceeded.

        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        others = {name: terms for name, terms in self.known.items() if name != segment.name}
        terms = checked_terms(segment.name, segment.terms(self._fields, others), self._fields)
        self.known[segment.name] = terms
        return len(terms), exceeded_limits(list(others.values()), [terms])


def _cost(session: Session, known: SegmentTerms, segment: Segment) -> SegmentCost | ValidationError:
    try:
        terms, problems = known.add(segment)
    except ValidationError as error:
        return error
    return _estimated(session, known, terms, problems)


def _estimated(session: Session, known: SegmentTerms, terms: int, problems: Sequence[str]) -> SegmentCost:
    size, times = stored_size(session, known.model_key), sync_times(session, known.model_key)
    present = known.present
    added = None if times.seconds is None else times.seconds / (1 + SHARE_OF_A_TERM * present)
    return {
        "terms": terms,
        "states": terms * size.states,
        "bytes": terms * size.bytes,
        "sync_seconds": None if added is None else added * SHARE_OF_A_TERM * terms,
        "fill_seconds": times.fill_seconds,
        "notes": _notes(size, times, terms, present),
        "problems": list(problems),
    }


def _notes(size: StoredSize, times: SyncTimes, terms: int, present: int) -> list[str]:
    notes = [
        f"states and bytes: at most as for all rows, {size.states:,} states and {size.bytes:,} bytes in "
        f"the datasets of all versions, for each of {terms} terms"
    ]
    if not size.states:
        notes.append("nothing is stored yet: sync a dataset first, and estimate the cost again")
    if times.seconds is None:
        return [*notes, "seconds: no sync has been measured"]
    share = f"{SHARE_OF_A_TERM:.1%}"
    notes.append(
        f"sync_seconds: the last syncs of {times.measured} datasets took {times.seconds:.1f} seconds, with "
        f"{present} terms; a term is assumed to add {share} of the time without segments, "
        "and terms with many overlaps add more"
    )
    if times.fill_seconds is None:
        return [*notes, "fill_seconds: the last syncs read no rows"]
    return [
        *notes,
        "fill_seconds: the rows of all datasets, at the rate of the last syncs, which is too low if these "
        "read few rows",
    ]
