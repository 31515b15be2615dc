"""Comparison of computed states with stored states, some of which were dropped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.retention_cutoffs import RetentionCutoffs
from aporia_provider.backend.store.state_blocks import (
    Buckets,
    read_buckets,
    read_total,
    span_range,
    sum_states,
)
from aporia_provider.backend.store.sync_tables import DAY, MONTH, StateBlockRow
from aporia_provider.errors import AporiaError
from aporia_provider.monitoring.profiles.profile import Profile


def is_retained(
    session: Session, dataset_key: int, part: str, states: Profile, cutoffs: RetentionCutoffs
) -> bool:
    """
    Return whether the stored states and sums of a part equal a computed profile.

    What is before :attr:`.RetentionCutoffs.months` is not compared, unless it is still stored.

    :param session: A session with a transaction.
    :param dataset_key: Key of the dataset.
    :param part: The part.
    :param states: All states of the part, computed from all rows.
    :param cutoffs: Times before which states are dropped.
    """
    remaining: dict[str, Buckets] = defaultdict(dict)
    for (bucket, field), state in states.items():
        remaining[field][bucket] = state.settled()
    row = StateBlockRow
    columns = (row.field, row.span, row.first, row.last, row.states, row.total)
    # The sums of months follow the days that they contain.
    query = select(*columns).filter_by(dataset_key=dataset_key, part=part).order_by(row.span, row.first)
    days: set[tuple[str, int]] = set()
    try:
        for stored in session.execute(query).mappings():
            month = (stored["field"], span_range(MONTH, stored["first"] or 0)[0])
            if stored["span"] == DAY:
                days.add(month)
            elif month in days:
                continue
            if not _is_taken(stored, remaining[stored["field"]], cutoffs.months):
                return False
    except AporiaError:
        # States that cannot be read are replaced.
        return False
    left = [bucket for buckets in remaining.values() for bucket in buckets]
    return all(bucket is not None and bucket < cutoffs.months for bucket in left)


def _is_taken(stored: Mapping[Any, Any], remaining: Buckets, months: int) -> bool:
    """Remove the states of a row from those that remain; return False if the row has different ones."""
    field, first, last = stored["field"], stored["first"], stored["last"]
    if stored["states"] is not None:
        buckets = read_buckets(field, first, stored["states"])
        return all(remaining.pop(bucket, None) == state for bucket, state in buckets.items())
    taken_buckets = [bucket for bucket in remaining if bucket is not None and first <= bucket <= last]
    taken_states = [remaining.pop(bucket) for bucket in taken_buckets]
    if stored["total"] is None:
        return bool(first < months)
    return bool(taken_states) and sum_states(taken_states) == read_total(field, first, stored["total"])
