"""Sums of all states of many fields, read with one query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.state_blocks import read_total, sum_states
from aporia_provider.backend.store.sync_tables import MONTH, StateBlockRow
from aporia_provider.monitoring.states.state import State


def read_totals(session: Session, dataset_key: int, fields: Collection[str]) -> dict[str, State]:
    """
    Return the sums of all states of fields, including those of rows without a timestamp.

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
        field: sum_states([each for each in found if each is not None])
        for field, found in totals.items()
        if None not in found
    }
    return {field: total for field, total in sums.items() if total is not None}
