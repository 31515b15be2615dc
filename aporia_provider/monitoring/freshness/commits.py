"""Commits of a table as they are judged, and writes: groups of commits in quick succession."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_BURST: Final = 60
"""Gaps shorter than the typical gap divided by this number are within one write."""


class TableCommit(Protocol):
    """
    A commit of a table. Values that are unknown are None.

    ``time`` is when it was made, ``data_change`` is whether it changed rows, ``new_rows`` is the number of
    rows that it added to the table, ``rows_added`` and ``files_added`` count the rows and files that it
    wrote, in which ``null_counts`` are the nulls by column. ``changes_metadata`` is whether the schema may
    have changed, and ``schema_change`` describes its change.
    """

    @property
    def time(self) -> datetime: ...
    @property
    def data_change(self) -> bool: ...
    @property
    def new_rows(self) -> int | None: ...
    @property
    def rows_added(self) -> int | None: ...
    @property
    def files_added(self) -> int | None: ...
    @property
    def null_counts(self) -> Mapping[str, int]: ...
    @property
    def changes_metadata(self) -> bool: ...
    @property
    def schema_change(self) -> str | None: ...


@dataclass(frozen=True)
class Writes:
    """
    Writes of a table: groups of commits in quick succession, such as the commits of one job.

    :param starts: Times of the first commits, in seconds since 1970.
    :param ends: Times of the last commits.
    """

    starts: Floats
    ends: Floats

    @classmethod
    def of(cls, times: Floats) -> Writes:
        """
        Return the writes of commits.

        Commits belong to the same write if the gap between them is at most a sixtieth of the typical gap:
        half of the time passes in gaps that are at least as long as that.

        :param times: Times of the commits, ascending.
        """
        gaps = np.diff(times)
        is_start = np.concatenate([np.ones(min(len(times), 1), bool), gaps > typical_gap(gaps) / _BURST])
        is_end = np.concatenate([is_start[1:], np.ones(min(len(times), 1), bool)])
        return cls(times[is_start], times[is_end])

    @property
    def gaps(self) -> Floats:
        """Seconds between the end of each write and the start of the next."""
        return self.starts[1:] - self.ends[:-1]


def typical_gap(gaps: Floats) -> float:
    """Return the gap for which half of the time passes in gaps that are at least as long; 0 for none."""
    if not len(gaps):
        return 0.0
    ranked = np.sort(gaps)
    return float(ranked[np.searchsorted(np.cumsum(ranked), gaps.sum() / 2)])
