"""Replacement of states in their blocks, together with the sums that include them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, delete, false, insert, or_, select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.store.state_blocks import (
    BlockLayout,
    Buckets,
    block_values,
    month_values,
    read_buckets,
    span_range,
)
from aporia_provider.backend.store.sync_tables import DAY, MONTH, StateBlockRow
from aporia_provider.monitoring.profiles.profile import Profile

_BATCH_SIZE = 500
_NO_TIME = (None, None)

Block = tuple[int | None, int | None]
"""Half-open interval of a block in seconds since 1970; None for the states without a timestamp."""
Changes = dict[str, Buckets]


class StateReplacement:
    """
    Replacement of the states of a part of a dataset.

    :param session: A session with a write transaction.
    :param dataset_key: Key of the dataset.
    :param part: Part of the states.
    """

    def __init__(self, session: Session, dataset_key: int, part: str) -> None:
        self._session = session
        self._owner = {"dataset_key": dataset_key, "part": part}
        self._layout = BlockLayout.of(session, dataset_key)

    def replace_all(self, states: Profile) -> None:
        """Replace all states."""
        self._session.execute(delete(StateBlockRow).filter_by(**self._owner))
        blocks = self._by_block(states)
        for month, group in groupby(sorted(blocks, key=_order), _month):
            values = [
                row
                for block in group
                for field, added in blocks[block].items()
                for row in self._rows(field, added)
            ]
            if month != _NO_TIME and self._layout.span == DAY:
                values += self._month_rows(values)
            self._insert(values)

    def replace(self, states: Profile, intervals: Sequence[Interval], null_timestamps: bool) -> None:
        """
        Replace the states of some buckets.

        :param states: The new states.
        :param intervals: Buckets to replace, as half-open intervals in seconds since 1970.
        :param null_timestamps: Whether to replace the state of rows without a timestamp.
        """
        new = self._by_block(states)
        stored = self._stored_blocks(intervals, null_timestamps)
        changed: dict[Block, set[str]] = defaultdict(set)
        for block in sorted({*new, *stored}, key=_order):
            changed[_month(block)] |= self._replace_in_block(
                block, new.get(block, {}), intervals, null_timestamps
            )
        if self._layout.span == DAY:
            for month, fields in changed.items():
                if month != _NO_TIME:
                    self._update_month(month, fields)

    def _by_block(self, states: Profile) -> dict[Block, Changes]:
        blocks: dict[Block, Changes] = defaultdict(lambda: defaultdict(dict))
        for (bucket, field), state in states.items():
            block = _NO_TIME if bucket is None else self._layout.block(bucket)
            blocks[block][field][bucket] = state.settled()
        return blocks

    def _stored_blocks(self, intervals: Sequence[Interval], null_timestamps: bool) -> set[Block]:
        first, last = StateBlockRow.first, StateBlockRow.last
        overlapping = [(first < end) & (last >= start) for start, end in intervals]
        query = (
            select(first).filter_by(**self._owner, span=self._layout.span).where(or_(*overlapping, false()))
        )
        blocks: set[Block] = {
            self._layout.block(bucket) for bucket in set(self._session.scalars(query)) if bucket is not None
        }
        return blocks | ({_NO_TIME} if null_timestamps else set())

    def _replace_in_block(
        self, block: Block, new: Mapping[str, Buckets], intervals: Sequence[Interval], null_timestamps: bool
    ) -> set[str]:
        """Replace states of a block, and return the fields whose states have changed."""
        keys, stored = self._read_block(block)
        changed: dict[str, Buckets] = {}
        for field in {*stored, *new}:
            before, added = stored.get(field, {}), new.get(field, {})
            kept = {
                bucket: state
                for bucket, state in before.items()
                if bucket not in added and not _is_replaced(bucket, intervals, null_timestamps)
            }
            if added or len(kept) < len(before):
                changed[field] = {**kept, **added}
        self._delete([key for field in changed for key in keys.get(field, ())])
        self._insert(
            [row for field, states in changed.items() if states for row in self._rows(field, states)]
        )
        return set(changed)

    def _read_block(self, block: Block) -> tuple[Mapping[str, list[int]], Mapping[str, Buckets]]:
        """Return the keys of the rows of a block, and its states, by field."""
        keys: dict[str, list[int]] = defaultdict(list)
        stored: dict[str, Buckets] = defaultdict(dict)
        columns = (StateBlockRow.key, StateBlockRow.field, StateBlockRow.first, StateBlockRow.states)
        for key, field, first, states in self._session.execute(
            self._rows_of(self._layout.span, block, *columns)
        ):
            keys[field].append(key)
            stored[field].update(read_buckets(field, first, states))
        return keys, stored

    def _update_month(self, month: Block, fields: set[str]) -> None:
        """Compute the sums of a month again, from those of its days."""
        columns = (StateBlockRow.key, StateBlockRow.field)
        outdated = self._session.execute(self._rows_of(MONTH, month, *columns))
        self._delete([key for key, field in outdated if field in fields])
        columns_of_days = [getattr(StateBlockRow, name) for name in _SUMMED]
        days = self._session.execute(self._rows_of(DAY, month, *columns_of_days)).mappings()
        self._insert(self._month_rows(dict(day) for day in days if day["field"] in fields))

    def _month_rows(self, days: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        by_field: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for day in days:
            by_field[day["field"]].append(day)
        return [month_values({**self._owner, "field": field}, found) for field, found in by_field.items()]

    def _rows_of(self, span: str, block: Block, *columns: Any) -> Any:
        return select(*columns).filter_by(**self._owner, span=span).where(_within(block))

    def _rows(self, field: str, states: Buckets) -> list[dict[str, Any]]:
        return block_values({**self._owner, "field": field}, self._layout.span, states)

    def _insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for start in range(0, len(rows), _BATCH_SIZE):
            self._session.execute(insert(StateBlockRow), list(rows[start : start + _BATCH_SIZE]))

    def _delete(self, keys: Sequence[int]) -> None:
        for start in range(0, len(keys), _BATCH_SIZE):
            batch = keys[start : start + _BATCH_SIZE]
            self._session.execute(delete(StateBlockRow).where(StateBlockRow.key.in_(batch)))


_SUMMED = ("field", "first", "last", "buckets", "rows", "total")


def _within(block: Block) -> ColumnElement[bool]:
    start, end = block
    if start is None or end is None:
        return StateBlockRow.first.is_(None)
    return (StateBlockRow.first >= start) & (StateBlockRow.first < end)


def _month(block: Block) -> Block:
    return _NO_TIME if block[0] is None else span_range(MONTH, block[0])


def _order(block: Block) -> tuple[bool, int]:
    return block[0] is not None, block[0] or 0


def _is_replaced(bucket: int | None, intervals: Sequence[Interval], null_timestamps: bool) -> bool:
    if bucket is None:
        return null_timestamps
    return any(start <= bucket < end for start, end in intervals)
