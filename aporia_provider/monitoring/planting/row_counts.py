"""Shifts of the number of rows: rows that do not arrive."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aporia_provider.monitoring.states.row_state import RowState


def with_fewer_rows(state: Any, share: float) -> Any:
    """
    Return the state without a share of its rows; the sample of ids remains.

    :param state: State of rows.
    :param share: Share of the rows, from 0 to 1.
    """
    if not isinstance(state, RowState):
        return state
    kept = 1 - min(share, 1.0)
    counts = {
        name: round(getattr(state, name) * kept)
        for name in ("rows", "null_ids", "duplicate_ids", "duplicates_variance")
    }
    return replace(state, **counts)
