"""Sums of states over ranges of time, from as few stored sums and states as possible."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVarTuple

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.block_loader import BlockLoader
from aporia_provider.backend.store.buckets import Interval
from aporia_provider.backend.store.state_blocks import BlockLayout, read_buckets, read_total, span_range
from aporia_provider.backend.store.sync_tables import DAY, MONTH, StateBlockRow
from aporia_provider.monitoring.states.state import State

Ts = TypeVarTuple("Ts")

SPANS = (MONTH, DAY)
"""All spans of sums, the longest first."""
_FIELDS_OF_A_QUERY = 200
_LONGEST = 31 * 86_400


@dataclass(frozen=True)
class StatePiece:
    """
    State of a bucket, or the sum of the states of a day or month.

    :param first: Start of the first bucket in seconds since 1970; None for rows without a timestamp.
    :param last: Start of the last bucket.
    :param state: The state.
    """

    first: int | None
    last: int | None
    state: State


@dataclass(frozen=True)
class _Row:
    """Columns of a :class:`StateBlockRow` other than its states."""

    key: int
    span: str
    first: int | None
    last: int | None
    buckets: int
    summed: bool
    has_states: bool


class StateSums:
    """
    Stored sums and states of a field within a range of time.

    :param session: A session with a transaction.
    :param dataset_key: Key of the dataset.
    :param field: Key of the field.
    :param within: Range in seconds since 1970; None where it is unbounded. Rows without a timestamp are
        included if both are None.
    :param spans: Spans whose sums may be used, of :data:`SPANS`. Without any, each bucket is separate.
    :param layout: Layout of the dataset, if it is known.
    :param loader: Loader that several fields share.
    :param rows: The rows of the field, if they are known.
    """

    def __init__(
        self,
        session: Session,
        dataset_key: int,
        field: str,
        within: tuple[int | None, int | None],
        spans: Sequence[str] = SPANS,
        layout: BlockLayout | None = None,
        loader: BlockLoader | None = None,
        rows: Sequence[_Row] | None = None,
    ) -> None:
        self._session, self._field, self._within = session, field, within
        layout = layout or BlockLayout.of(session, dataset_key)
        self._dataset_key, self._seconds, self._span = dataset_key, layout.seconds, layout.span
        self._loader = loader or BlockLoader(session)
        self._found = _rows(session, dataset_key, [field], within)[field] if rows is None else rows
        whole = [each for each in self._found if each.summed and each.span in spans and self._contains(each)]
        months = [each for each in whole if each.span == MONTH]
        days = [each for each in whole if each.span == DAY]
        self._sums = months + _outside(days, months)
        with_states = [each for each in self._found if each.span == self._span and each.has_states]
        self._blocks = _outside(with_states, self._sums)

    @classmethod
    def of_fields(
        cls,
        session: Session,
        dataset_key: int,
        fields: Sequence[str],
        within: tuple[int | None, int | None],
        spans: Sequence[str],
        layout: BlockLayout,
    ) -> dict[str, StateSums]:
        """
        Return the sums and states of several fields, which are found and read together.

        :param fields: Keys of the fields, in the order in which they will be read.
        """
        loader = BlockLoader(session)
        found: dict[str, StateSums] = {}
        for start in range(0, len(fields), _FIELDS_OF_A_QUERY):
            chosen = fields[start : start + _FIELDS_OF_A_QUERY]
            rows = _rows(session, dataset_key, chosen, within)
            for field in chosen:
                sums = cls(session, dataset_key, field, within, spans, layout, loader, rows[field])
                loader.expect(StateBlockRow.total, [row.key for row in sums._sums])
                loader.expect(StateBlockRow.states, [row.key for row in sums._blocks])
                found[field] = sums
        return found

    @property
    def pieces(self) -> int:
        """Number of the states and sums that :meth:`read` yields, or more."""
        return len(self._sums) + sum(block.buckets for block in self._blocks)

    @property
    def dropped(self) -> list[Interval]:
        """
        Ranges of buckets whose states were dropped, in seconds since 1970.

        A sum that may not be used instead, because results divide it, does not count.
        """
        timed = [row for row in self._found if not row.has_states and row.first is not None]
        uncovered = _outside(timed, self._sums)
        # Months have sums as well as days, and may extend beyond the range.
        summaries = [row for row in uncovered if row.span == MONTH] if self._span == DAY else []
        months = {row.key for row in summaries} - self._with_days(summaries)
        return [
            (row.first, row.last + self._seconds)
            for row in uncovered
            if row.first is not None
            and row.last is not None
            and (row.span == self._span or row.key in months)
        ]

    def _with_days(self, months: Sequence[_Row]) -> set[int]:
        """Return the keys of rows of months whose days have sums."""
        known = {_month(each) for each in self._found if each.span == DAY}
        return {each.key for each in months if _month(each) in known or self._has_days(each)}

    def _has_days(self, month: _Row) -> bool:
        row = StateBlockRow
        days = exists().where(row.dataset_key == self._dataset_key, row.field == self._field, row.span == DAY)
        return bool(
            self._session.scalar(select(days.where(row.first >= month.first, row.first <= month.last)))
        )

    @property
    def extent(self) -> tuple[int | None, int | None]:
        """
        Range from the start of the first bucket to one second after the start of the last.

        The range is unbounded if there are no buckets.
        """
        ends = [each for row in self._sums for each in (row.first, row.last)]
        for block in self._blocks:
            whole = self._contains(block)
            ends += (block.first, block.last) if whole else [piece.first for piece in self._states([block])]
        known = [end for end in ends if end is not None]
        return (min(known), max(known) + 1) if known else (None, None)

    def read(self) -> list[StatePiece]:
        """
        Return the sums and states in the order of their buckets.

        :raises aporia_provider.errors.AporiaError: if they cannot be read.
        """
        pieces = [*self._totals(), *self._states(self._blocks)]
        return sorted(pieces, key=lambda piece: (piece.first is not None, piece.first or 0))

    def _totals(self) -> Iterator[StatePiece]:
        for row, total in self._loaded(self._sums, StateBlockRow.total):
            yield StatePiece(row.first, row.last, read_total(self._field, row.first, total))

    def _states(self, blocks: Sequence[_Row]) -> Iterator[StatePiece]:
        for row, states in self._loaded(blocks, StateBlockRow.states):
            for bucket, state in read_buckets(self._field, row.first, states).items():
                if is_within(bucket, *self._within):
                    yield StatePiece(bucket, bucket, state)

    def _loaded(self, rows: Sequence[_Row], column: Any) -> Iterator[tuple[_Row, bytes]]:
        by_key = {row.key: row for row in rows}
        for key, stored in self._loader.read(column, list(by_key)):
            yield by_key[key], stored

    def _contains(self, row: _Row) -> bool:
        return is_within(row.first, *self._within) and is_within(row.last, *self._within)


def _rows(
    session: Session, dataset_key: int, fields: Iterable[str], within: tuple[int | None, int | None]
) -> dict[str, list[_Row]]:
    """Return the rows of fields that may have a bucket in a range, in the order of their first buckets."""
    row = StateBlockRow
    filled = (row.total.is_not(None), row.states.is_not(None))
    columns = (row.field, row.key, row.span, row.first, row.last, row.buckets, *filled)
    query = select(*columns).where(row.dataset_key == dataset_key, row.field.in_(fields))
    found: dict[str, list[_Row]] = defaultdict(list)
    rows: Any = session.execute(overlapping(query, *within).order_by(row.first))
    for field, *each in rows:
        found[field].append(_Row(*each))
    return found


def _month(row: _Row) -> int | None:
    return None if row.first is None else span_range(MONTH, row.first)[0]


def _outside(rows: Sequence[_Row], others: Sequence[_Row]) -> list[_Row]:
    """Return the rows that none of the others contains, which must not overlap each other."""
    timed = sorted((row.first, row.last) for row in others if row.first is not None and row.last is not None)
    starts = [first for first, _ in timed]
    untimed = any(row.first is None for row in others)

    def is_covered(row: _Row) -> bool:
        if row.first is None or row.last is None:
            return untimed
        place = bisect_right(starts, row.first) - 1
        return place >= 0 and row.last <= timed[place][1]

    return [row for row in rows if not is_covered(row)]


def is_within(bucket: int | None, start: int | None, end: int | None) -> bool:
    """
    Return whether a bucket is in a half-open range; None is in the unbounded range only.
    """
    if bucket is None:
        return start is None and end is None
    return (start is None or start <= bucket) and (end is None or bucket < end)


def overlapping(query: Select[*Ts], start: int | None, end: int | None) -> Select[*Ts]:
    """Restrict a query to the rows that may have a bucket in a range, see :func:`is_within`."""
    if start is not None:
        # The second condition is for the index.
        query = query.where(StateBlockRow.last >= start, StateBlockRow.first > start - _LONGEST)
    return query if end is None else query.where(StateBlockRow.first < end)
