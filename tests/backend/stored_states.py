"""What the table of states holds, and whether its sums are those of its states."""

from __future__ import annotations

from collections import defaultdict
from functools import reduce
from operator import add
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.state_blocks import BlockLayout, read_buckets, read_total, span_range
from aporia_provider.backend.store.sync_tables import DAY, MONTH, StateBlockRow
from aporia_provider.monitoring.states.state import State

Places = dict[tuple[str, str, int | None], dict[str, Any]]


def stored_states(session: Session, dataset_key: int) -> Places:
    """The JSON form of the states of a dataset by part, field and bucket; their sums are checked."""
    span = BlockLayout.of(session, dataset_key).span
    rows = session.scalars(select(StateBlockRow).filter_by(dataset_key=dataset_key)).all()
    states: dict[tuple[str, str, int | None], State] = {}
    for row in rows:
        if row.span == span:
            assert row.states is not None
            found = read_buckets(row.field, row.first, row.states)
            assert_sum(row, list(found.values()))
            assert (row.first, row.last) == (min(found), max(found))  # type: ignore[type-var]
            if row.first is not None and row.last is not None:
                assert span_range(span, row.first) == span_range(span, row.last)
            places = {(row.part, row.field, bucket): state for bucket, state in found.items()}
            assert not places.keys() & states.keys(), "no state is there twice"
            states |= places
    if span == DAY:
        assert_months([row for row in rows if row.span == MONTH], states)
    return {place: state.to_json() for place, state in states.items()}


def assert_months(months: list[StateBlockRow], states: dict[tuple[str, str, int | None], State]) -> None:
    """The sums of months of hours are those of their hours, and there is one for each."""
    by_month: dict[tuple[str, str, int], dict[int, State]] = defaultdict(dict)
    for (part, field, bucket), state in states.items():
        if bucket is not None:
            by_month[part, field, span_range(MONTH, bucket)[0]][bucket] = state
    kept = {(row.part, row.field, span_range(MONTH, row.first or 0)[0]): row for row in months}
    assert len(kept) == len(months)
    assert kept.keys() == by_month.keys()
    for place, row in kept.items():
        assert row.states is None
        assert_sum(row, list(by_month[place].values()))
        assert (row.first, row.last) == (min(by_month[place]), max(by_month[place]))


def assert_sum(row: StateBlockRow, states: list[State]) -> None:
    assert (row.buckets, row.rows) == (len(states), sum(state.rows for state in states))
    assert row.total is not None
    total = read_total(row.field, row.first, row.total)
    expected = reduce(add, states)
    assert total == expected
    assert total.to_json() == expected.to_json()
