"""States of many fields by day, read with one query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy.orm import Session

from aporia_provider.backend.page.contents.page_days import DAY
from aporia_provider.backend.store.field_totals import read_day_sums
from aporia_provider.backend.store.profiles import read_profile
from aporia_provider.backend.store.state_blocks import BlockLayout
from aporia_provider.monitoring.states.state import State

StatesByDay = dict[str, dict[int, State]]
"""States by key of the field, then by start of the day in seconds since 1970."""


def read_day_states(
    session: Session, dataset_key: int, fields: Collection[str], start: int, end: int
) -> StatesByDay:
    """
    Return the states of fields by day. Days without rows, or whose states were dropped, are omitted.

    :param session: A session with a read transaction.
    :param dataset_key: Key of the dataset.
    :param fields: Keys of the fields.
    :param start: Start of the first day, in seconds since 1970.
    :param end: End of the last day, exclusive.
    :raises aporia_provider.errors.AporiaError: if stored states cannot be read.
    """
    states: StatesByDay = defaultdict(dict)
    for bucket, field, state in _read(session, dataset_key, fields, start, end):
        if bucket is not None and state is not None:
            states[field][bucket // DAY * DAY] = state
    return states


def _read(
    session: Session, dataset_key: int, fields: Collection[str], start: int, end: int
) -> Iterable[tuple[int | None, str, State | None]]:
    if BlockLayout.of(session, dataset_key).seconds < DAY:
        return read_day_sums(session, dataset_key, fields, start, end)
    return read_profile(session, dataset_key, None, sorted(fields), start, end)
