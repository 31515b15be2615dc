"""What a segment would cost, before it is created."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.registration.segment_registration import terms_of
from aporia_provider.backend.registration.segment_terms import exceeded_limits
from aporia_provider.backend.store.json_columns import check_json, check_names
from aporia_provider.backend.store.lookups import find_model
from aporia_provider.backend.store.segment_lookups import model_segments
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.backend.store.stored_sizes import StoredSize, SyncTimes, stored_size, sync_times
from aporia_provider.segment_reports import SegmentCost
from aporia_provider.segments import Segment

SHARE_OF_A_TERM: Final = 0.075
"""
Part of the time of a sync without segments that a term is taken to add.

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
        with self.database.read_transaction() as session:
            model = find_model(session, self.environment, model_id)
            rows = model_segments(session, model.key)
            others = [row for row in rows if row.name != segment.name]
            terms = terms_of(session, model, segment, others)
            return _cost(session, model.key, rows, len(terms), exceeded_limits(others, [terms]))


def _cost(
    session: Session, model_key: int, existing: Sequence[SegmentRow], terms: int, problems: Sequence[str]
) -> SegmentCost:
    size, times = stored_size(session, model_key), sync_times(session, model_key)
    present = sum(len(row.terms) for row in existing)
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
        f"states and bytes: at most those of all rows, {size.states:,} states and {size.bytes:,} bytes in "
        f"the datasets of all versions, for each of {terms} terms"
    ]
    if not size.states:
        notes.append("nothing is stored yet: sync a dataset first, and estimate the cost again")
    if times.seconds is None:
        return [*notes, "seconds: no sync has been measured"]
    share = f"{SHARE_OF_A_TERM:.1%}"
    notes.append(
        f"sync_seconds: the last syncs of {times.measured} datasets took {times.seconds:.1f} seconds, with "
        f"{present} terms; a term is taken to add {share} of the time without segments, "
        "and terms that overlap in many ways add more"
    )
    if times.fill_seconds is None:
        return [*notes, "fill_seconds: the last syncs read no rows"]
    return [
        *notes,
        "fill_seconds: the rows of all datasets, at the rate of the last syncs, which is too low if these "
        "read few rows",
    ]
