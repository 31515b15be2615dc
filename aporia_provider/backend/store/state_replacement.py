"""Replacement of states in their blocks, together with the sums that include them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from itertools import groupby
from typing import Any

from sqlalchemy import delete, false, or_, select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.block_rows import NO_TIME, Block, BlockRows
from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.store.retention_cutoffs import RetentionCutoffs
from aporia_provider.backend.store.segment_keys import prefix_of
from aporia_provider.backend.store.state_blocks import (
    BlockLayout,
    Buckets,
    block_values,
    month_values,
    read_buckets,
    read_total,
    span_range,
    sum_states,
    sum_values,
)
from aporia_provider.backend.store.sync_tables import DAY, MONTH, StateBlockRow
from aporia_provider.errors import AporiaError, TransientError
from aporia_provider.monitoring.profiles.profile import Profile
from aporia_provider.monitoring.states.state import State

Changes = dict[str, Buckets]
Row = Mapping[str, Any]
Additions = dict[str, list[Row | None]]


@dataclass
class _Stored:
    """Stored states of a field in a block; keys, first buckets and sums of the rows that hold them."""

    keys: list[int] = dataclass_field(default_factory=list)
    states: Buckets = dataclass_field(default_factory=dict)
    totals: list[tuple[int | None, bytes | None]] = dataclass_field(default_factory=list)

    def total(self, field: str, added: Buckets) -> State | None:
        """Return the sum of the stored and of other states; None if it is not known."""
        totals = [read_total(field, first, total) for first, total in self.totals if total is not None]
        return sum_states([*totals, *added.values()]) if len(totals) == len(self.totals) else None


class StateReplacement:
    """
    Replacement of the states of a part of a dataset.

    :param session: A session with a write transaction.
    :param dataset_key: Key of the dataset.
    :param part: Part of the states.
    :param cutoffs: Times before which states are dropped; None if they are kept for ever.
    """

    def __init__(
        self, session: Session, dataset_key: int, part: str, cutoffs: RetentionCutoffs | None = None
    ) -> None:
        self._session, self._cutoffs = session, cutoffs
        self._owner = {"dataset_key": dataset_key, "part": part}
        self._stored = BlockRows(session, self._owner)
        self._layout = BlockLayout.of(session, dataset_key)
        self.changed_buckets: set[int] = set()
        """Starts of the buckets whose states have been replaced by different ones."""

    def replace_all(self, states: Profile) -> None:
        """Replace all states."""
        # With other bins, all states differ even if the rows are the same.
        changed = {bucket for bucket, _ in states if bucket is not None} | self._buckets()
        oldest = min(changed, default=0) if self._cutoffs is None else self._cutoffs.months
        self.changed_buckets |= {bucket for bucket in changed if bucket >= oldest}
        self._session.execute(delete(StateBlockRow).filter_by(**self._owner))
        blocks = self._by_block(states)
        for month, group in groupby(sorted(blocks, key=_order), _month):
            values = [
                row
                for block in group
                for field, added in blocks[block].items()
                for row in self._rows(field, added)
            ]
            if month != NO_TIME and self._layout.span == DAY:
                values += self._month_rows(values)
            self._stored.insert(values)

    def replace(self, states: Profile, intervals: Sequence[Interval], null_timestamps: bool) -> None:
        """
        Replace the states of some buckets.

        :param states: The new states.
        :param intervals: Buckets to replace, as half-open intervals in seconds since 1970.
        :param null_timestamps: Whether to replace the state of rows without a timestamp.
        """
        new = self._by_block(states)
        changed: dict[Block, Additions] = defaultdict(lambda: defaultdict(list))
        if self._cutoffs is not None:
            for field, month in self._delete_sums(intervals, states, self._cutoffs.hours):
                changed[month][field].append(None)
        stored = self._stored_blocks(intervals, null_timestamps)
        for block in sorted({*new, *stored}, key=_order):
            added = self._replace_in_block(block, new.get(block, {}), intervals, null_timestamps)
            for field, row in added.items():
                changed[_month(block)][field].append(row)
        if self._layout.span == DAY:
            for month, additions in changed.items():
                if month != NO_TIME:
                    self._update_month(month, additions)

    def _delete_sums(
        self, intervals: Sequence[Interval], new: Profile, dropped_before: int
    ) -> set[tuple[str, Block]]:
        """Delete the sums without states that are replaced as a whole; return their fields and months."""
        row = StateBlockRow
        inside = [(row.first >= start) & (row.last < end) for start, end in intervals]
        query = select(row.key, row.field, row.first, row.last, row.total).filter_by(**self._owner)
        deleted: Any = self._session.execute(query.where(row.states.is_(None), or_(*inside, false()))).all()
        by_field: dict[str, Buckets] = defaultdict(dict)
        for (bucket, field), state in new.items():
            by_field[field][bucket] = state.settled()
        for _, field, first, last, total in deleted:
            if first < dropped_before:
                added = {
                    bucket: state
                    for bucket, state in by_field[field].items()
                    if bucket is not None and first <= bucket <= last
                }
                before = None if total is None else read_total(field, first, total)
                if not added or sum_states(list(added.values())) != before:
                    self.changed_buckets |= {first, *(bucket for bucket in added if bucket is not None)}
        self._stored.delete([key for key, *_ in deleted])
        return {(field, span_range(MONTH, first)) for _, field, first, *_ in deleted}

    def _buckets(self) -> set[int]:
        """Return the stored buckets. All fields of a term, or of all rows, have the same ones."""
        row, query = StateBlockRow, select(StateBlockRow.field).filter_by(**self._owner).distinct()
        of_terms = {prefix_of(field): field for field in sorted(self._session.scalars(query), reverse=True)}
        blocks = select(row.field, row.first, row.last, row.states).filter_by(
            **self._owner, span=self._layout.span
        )
        blocks = blocks.where(row.first.is_not(None), row.field.in_(list(of_terms.values())))
        buckets: set[int] = set()
        for field, first, last, states in self._session.execute(blocks):
            try:
                buckets |= {
                    bucket for bucket in read_buckets(field, first, states or b"") if bucket is not None
                }
            except AporiaError:
                # States that cannot be read are replaced.
                buckets |= set(range(first or 0, (last or 0) + 1, self._layout.seconds))
        return buckets

    def _by_block(self, states: Profile) -> dict[Block, Changes]:
        blocks: dict[Block, Changes] = defaultdict(lambda: defaultdict(dict))
        for (bucket, field), state in states.items():
            block = NO_TIME if bucket is None else self._layout.block(bucket)
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
        return blocks | ({NO_TIME} if null_timestamps else set())

    def _replace_in_block(
        self, block: Block, new: Mapping[str, Buckets], intervals: Sequence[Interval], null_timestamps: bool
    ) -> dict[str, Row | None]:
        """
        Replace states of a block.

        :return: The fields whose states have changed, with the sum of the new states if no other states were
            removed, and None otherwise.
        """
        stored = self._read_block(block)
        outdated: list[int] = []
        rows: list[Row] = []
        additions: dict[str, Row | None] = {}
        for field in {*stored, *new}:
            before, added = stored.get(field, _Stored()), new.get(field, {})
            kept = {
                bucket: state
                for bucket, state in before.states.items()
                if bucket not in added and not _is_replaced(bucket, intervals, null_timestamps)
            }
            is_addition = len(kept) == len(before.states)
            self._record_changes(before.states, added, before.states.keys() - kept.keys())
            if added or not is_addition:
                outdated += before.keys
                owner = {**self._owner, "field": field}
                additions[field] = sum_values(owner, self._layout.span, added) if is_addition else None
                total = before.total(field, added) if is_addition else None
                if kept or added:
                    rows += block_values(owner, self._layout.span, {**kept, **added}, total)
        self._stored.delete(outdated)
        self._stored.insert(rows)
        return additions

    def _record_changes(self, before: Buckets, added: Buckets, replaced: Set[int | None]) -> None:
        changed = {
            bucket
            for bucket in replaced | added.keys()
            if bucket is not None
            and bucket not in self.changed_buckets
            and before.get(bucket) != added.get(bucket)
        }
        self.changed_buckets |= changed

    def _read_block(self, block: Block) -> Mapping[str, _Stored]:
        """Return the stored states of a block by field."""
        row = StateBlockRow
        columns = (row.key, row.field, row.first, row.states, row.total)
        stored: dict[str, _Stored] = defaultdict(_Stored)
        for key, field, first, states, total in self._session.execute(
            self._stored.select(self._layout.span, block, *columns)
        ):
            stored[field].keys.append(key)
            stored[field].totals.append((first, total))
            if states is None:
                # The clock of the process that dropped them was ahead of the clock of this sync.
                raise TransientError(
                    "States that this sync has recomputed in part were dropped meanwhile, since the model's "
                    "retention does not cover them: sync again"
                )
            stored[field].states.update(read_buckets(field, first, states))
        return stored

    def _update_month(self, month: Block, additions: Additions) -> None:
        """Update the sums of a month: add new states, or add up its days again if states were removed."""
        columns = [getattr(StateBlockRow, name) for name in _SUMMED]
        before = {
            row["field"]: row
            for row in self._session.execute(self._stored.select(MONTH, month, *columns)).mappings()
            if row["field"] in additions
        }
        again = {field for field, rows in additions.items() if None in rows}
        parts: list[Row] = [dict(before[field]) for field in before if field not in again]
        parts += [row for rows in additions.values() for row in rows if row and row["field"] not in again]
        if again:
            days = self._session.execute(self._stored.select(DAY, month, *columns)).mappings()
            parts += [dict(day) for day in days if day["field"] in again]
        self._stored.delete([row["key"] for row in before.values()])
        self._stored.insert(self._month_rows(parts))

    def _month_rows(self, parts: Iterable[Row]) -> list[dict[str, Any]]:
        by_field: dict[str, list[Row]] = defaultdict(list)
        for row in parts:
            by_field[row["field"]].append(row)
        return [month_values({**self._owner, "field": field}, states) for field, states in by_field.items()]

    def _rows(self, field: str, states: Buckets) -> list[dict[str, Any]]:
        return block_values({**self._owner, "field": field}, self._layout.span, states)


_SUMMED = ("key", "field", "first", "last", "buckets", "rows", "total")


def _month(block: Block) -> Block:
    return NO_TIME if block[0] is None else span_range(MONTH, block[0])


def _order(block: Block) -> tuple[bool, int]:
    return block[0] is not None, block[0] or 0


def _is_replaced(bucket: int | None, intervals: Sequence[Interval], null_timestamps: bool) -> bool:
    if bucket is None:
        return null_timestamps
    return any(start <= bucket < end for start, end in intervals)
