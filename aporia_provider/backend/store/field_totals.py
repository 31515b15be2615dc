"""Sums of states of many fields, read with one query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.state_blocks import read_total, sum_states
from aporia_provider.backend.store.sync_tables import DAY, MONTH, StateBlockRow
from aporia_provider.monitoring.states.state import State


def read_totals(session: Session, dataset_key: int, fields: Collection[str]) -> dict[str, State]:
    """
    Return the sums of all states of fields, including states of rows without a timestamp.

    Fields without states, and those whose states cannot be added, are omitted.

    :param session: A session with a transaction.
    :param dataset_key: Key of the dataset.
    :param fields: Keys of the fields.
    :raises aporia_provider.errors.AporiaError: if stored states cannot be read.
    """
    row = StateBlockRow
    query = select(row.field, row.first, row.total).where(
        row.dataset_key == dataset_key, or_(row.span == MONTH, row.first.is_(None)), row.field.in_(fields)
    )
    totals: dict[str, list[State | None]] = defaultdict(list)
    for field, first, total in session.execute(query):
        totals[field].append(None if total is None else read_total(field, first, total))
    sums = {
        field: sum_states([state for state in states if state is not None])
        for field, states in totals.items()
        if None not in states
    }
    return {field: total for field, total in sums.items() if total is not None}


def read_day_sums(
    session: Session, dataset_key: int, fields: Collection[str], start: int, end: int
) -> Iterator[tuple[int, str, State | None]]:
    """
    Yield the sums of the hours of each day of a range: first bucket, field and sum, ordered by bucket.

    The sum is None if the states cannot be added.

    :param session: A session with a transaction.
    :param dataset_key: Key of a dataset whose buckets are hours.
    :param fields: Keys of the fields.
    :param start: Start of a day, in seconds since 1970.
    :param end: End of a day, exclusive.
    :raises aporia_provider.errors.AporiaError: if stored sums cannot be read.
    """
    row = StateBlockRow
    query = select(row.first, row.field, row.total).where(
        row.dataset_key == dataset_key, row.span == DAY, row.field.in_(fields)
    )
    query = query.where(row.first >= start, row.first < end).order_by(row.first)
    for first, field, total in session.execute(query):
        if first is not None:
            yield first, field, None if total is None else read_total(field, first, total)
