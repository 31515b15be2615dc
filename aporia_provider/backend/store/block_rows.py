"""Rows of the table of states, by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.sync_tables import StateBlockRow

Block = tuple[int | None, int | None]
"""Half-open interval of a block in seconds since 1970; None for the states without a timestamp."""
NO_TIME: Final[Block] = (None, None)

_BATCH_SIZE: Final = 500


class BlockRows:
    """
    The rows of a part of a dataset.

    :param session: A session with a write transaction.
    :param owner: Values of the columns that identify the part.
    """

    def __init__(self, session: Session, owner: Mapping[str, Any]) -> None:
        self._session, self._owner = session, owner

    def select(self, span: str, block: Block, *columns: Any) -> Any:
        """
        Return a query of rows that begin within a block.

        :param span: Span of the rows: ``DAY``, ``MONTH`` or the span of the states.
        :param block: The block.
        :param columns: Columns of the result.
        """
        return select(*columns).filter_by(**self._owner, span=span).where(_within(block))

    def insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows."""
        for start in range(0, len(rows), _BATCH_SIZE):
            self._session.execute(insert(StateBlockRow), list(rows[start : start + _BATCH_SIZE]))

    def delete(self, keys: Sequence[int]) -> None:
        """Delete rows by their keys."""
        for start in range(0, len(keys), _BATCH_SIZE):
            batch = keys[start : start + _BATCH_SIZE]
            self._session.execute(delete(StateBlockRow).where(StateBlockRow.key.in_(batch)))


def _within(block: Block) -> ColumnElement[bool]:
    start, end = block
    if start is None or end is None:
        return StateBlockRow.first.is_(None)
    return (StateBlockRow.first >= start) & (StateBlockRow.first < end)
