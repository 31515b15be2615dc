"""Results for ranges of time whose states were dropped by retention."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from aporia_provider.backend.store.buckets import Interval, Range, describe_intervals
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.result import joined, unreliable


class DroppedRanges:
    """
    Ranges of time whose states, or sums of states, a query needs and retention has dropped.

    :param intervals: The ranges, as half-open intervals in seconds since 1970.
    :param retention: Retention of the model as text.
    """

    def __init__(self, intervals: Iterable[Interval] = (), retention: str = "") -> None:
        self._intervals = sorted(intervals)
        self._starts = [start for start, _ in self._intervals]
        self._retention = retention

    def __bool__(self) -> bool:
        return bool(self._intervals)

    def union(self, others: Iterable[DroppedRanges]) -> DroppedRanges:
        """Return the ranges of this object and of others, of the same model."""
        every = [self, *others]
        merged: list[Interval] = []
        for start, end in sorted(interval for each in every for interval in each._intervals):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        return DroppedRanges(merged, next((each._retention for each in every if each), ""))

    def overlapping(self, within: Range) -> list[Interval]:
        """Return the dropped ranges that overlap a range; all of them if it is unbounded."""
        start, end = within
        if start is None or end is None:
            return self._intervals
        # Ranges of one field do not overlap, so their ends ascend as well.
        index = max(0, bisect_right(self._starts, start) - 1)
        overlaps = []
        for interval in self._intervals[index:]:
            if interval[0] >= end:
                break
            if interval[1] > start:
                overlaps.append(interval)
        return overlaps

    def reason(self, within: Range, data: str = "") -> str | None:
        """
        Return why states of a range are missing; None if none are.

        :param within: The range.
        :param data: Name of the data, such as ``of the baseline``.
        """
        overlaps = self.overlapping(within)
        if not overlaps:
            return None
        described = describe_intervals([(overlaps[0][0], overlaps[-1][1])], null_timestamps=False)
        subject = " ".join(filter(None, ("the states", data, f"from {described}")))
        return (
            f"{subject} were dropped, or are kept only as sums of longer periods: the retention of the model "
            f"is {self._retention}"
        )

    def marked(self, result: MetricResult, within: Range, has_states: bool, data: str = "") -> MetricResult:
        """
        Return a result whose reason names the missing states.

        A result for a range is not reliable if states in the range were dropped. A result for all rows, which
        are those that are kept, has a note.

        :param result: The result without these states.
        :param within: Range of the result.
        :param has_states: Whether there are other states in the range.
        :param data: See :meth:`reason`.
        """
        reason = self.reason(within, data)
        if reason is None:
            return result
        if not has_states:
            return MetricResult(None, "insufficient_data", reason=reason)
        if within[0] is None:
            return replace(result, reason=joined(result.reason, reason))
        return replace(unreliable(result, reason), low=None, high=None, p_value=None, shortage=None)


NOTHING_DROPPED: Final = DroppedRanges()
