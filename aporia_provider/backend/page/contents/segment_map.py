"""Values of a segment by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.page.contents.daily_results import (
    DailyMetric,
    results_by_day,
    results_of_days,
)
from aporia_provider.backend.page.contents.page_days import PageDays
from aporia_provider.backend.page.contents.page_parts import Measured
from aporia_provider.backend.page.contents.segment_comparison import (
    Shortfall,
    confidence_for,
    shortfall,
)
from aporia_provider.backend.page.contents.segment_metrics import SegmentMetric
from aporia_provider.backend.store.segment_tables import SegmentRow
from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import QueryResult
from aporia_provider.segment_values import SegmentValue

PAGE_VALUES: Final = 20
"""Number of values of a page."""
RECENT: Final = timedelta(days=7)
"""Length of the last days, by which values are ordered."""


@dataclass(frozen=True)
class SegmentCell:
    """
    A value of a segment on a day.

    :param day: Start of the day.
    :param measured: The number.
    :param level: How certainly it is worse than the value of all rows, see
        :class:`~.segment_comparison.Shortfall`.
    """

    day: datetime
    measured: Measured
    level: int | None = None


@dataclass(frozen=True)
class SegmentLine:
    """
    A value of a segment, or all rows.

    :param label: Label of the value; None for all rows.
    :param condition: Its condition.
    :param rows: Number of rows of the days.
    :param total: The number of all days, with an interval of 95 %.
    :param recent: The number of the last days, by which values are ordered.
    :param shortfall: How much worse it was on the last days than the metric of all rows.
    :param cells: The numbers by day.
    """

    label: str | None
    condition: str | None
    rows: int
    total: Measured
    recent: Measured
    shortfall: Shortfall
    cells: tuple[SegmentCell, ...]


@dataclass(frozen=True)
class SegmentMap:
    """
    Values of a segment by day, one page of them.

    :param whole: All rows.
    :param lines: The values, worst first; by rows if the metric has no comparison.
    :param first: Place of the first value of the page, from 0.
    :param values: Number of values of the segment.
    :param recent: The last days with a number of all rows, by which the values are ordered.
    :param confidence: Probability of the intervals by which values are compared with all rows.
    """

    whole: SegmentLine
    lines: tuple[SegmentLine, ...]
    first: int
    values: int
    recent: PageDays
    confidence: float

    @property
    def next_first(self) -> int | None:
        """Place of the first value of the next page; None if there is none."""
        following = self.first + PAGE_VALUES
        return following if following < self.values else None

    @property
    def previous_first(self) -> int | None:
        """Place of the first value of the previous page; None if there is none."""
        return max(0, self.first - PAGE_VALUES) if self.first else None


def segment_map(
    model: ModelStates,
    model_id: str,
    version: str,
    segment: SegmentRow,
    metric: SegmentMetric,
    days: PageDays,
    first: int = 0,
) -> SegmentMap:
    """
    Return the values of a segment.

    :param model: Access to the states.
    :param model_id: Id of the model.
    :param version: Name of the version, for whose serving data the segment was computed.
    :param segment: The segment.
    :param metric: The metric.
    :param days: The days.
    :param first: Place of the first value of the page.
    """
    if isinstance(first, bool) or not isinstance(first, int) or first < 0:
        raise ValidationError(f"first: {first!r} is not a whole number of at least 0")
    return _Reader(model, model_id, version, segment, metric, days).map(first)


@dataclass(frozen=True)
class _Reader:
    model: ModelStates
    model_id: str
    version: str
    segment: SegmentRow
    metric: SegmentMetric
    days: PageDays

    def map(self, first: int) -> SegmentMap:
        (whole_days,) = self._by_day([None])
        recent = _recent(whole_days, self.days)
        labels = [label for label, _ in self.segment.terms]
        whole, *results = self._of_days([None, *labels], recent, self.confidence)
        shortfalls = {
            label: (shortfall(self.metric, result, whole), result)
            for label, result in zip(labels, results, strict=True)
        }
        ordered = self._ordered({label: each for label, (each, _) in shortfalls.items()})
        shown = ordered[first : first + PAGE_VALUES]
        lines = self._lines(shown, shortfalls, whole, whole_days)
        return SegmentMap(lines[0], lines[1:], first, len(labels), recent, self.confidence)

    @property
    def confidence(self) -> float:
        return confidence_for(len(self.segment.terms))

    @cached_property
    def _conditions(self) -> dict[str | None, str]:
        return {label: condition for label, condition in self.segment.terms}  # noqa: C416

    def _ordered(self, shortfalls: Mapping[str, Shortfall]) -> list[str]:
        if self.metric.comparison == "none":
            counts = self._rows(list(shortfalls))
            return sorted(shortfalls, key=lambda label: -counts[label])
        return sorted(shortfalls, key=lambda label: shortfalls[label].place)

    def _lines(
        self,
        labels: Sequence[str],
        shortfalls: Mapping[str, tuple[Shortfall, QueryResult]],
        whole: QueryResult,
        whole_days: Mapping[datetime, QueryResult],
    ) -> tuple[SegmentLine, ...]:
        rows, totals = self._rows([None, *labels]), self._of_days([None, *labels], self.days, None)
        judged: dict[str | None, tuple[Shortfall, QueryResult]] = {None: (Shortfall(), whole)}
        judged.update({label: shortfalls[label] for label in labels})
        by_day = [whole_days, *self._by_day(labels)]
        return tuple(
            SegmentLine(
                label,
                self._conditions.get(label),
                rows[label],
                Measured.of(total),
                Measured.of(judged[label][1]),
                judged[label][0],
                self._cells(label, day_results, whole_days),
            )
            for label, total, day_results in zip([None, *labels], totals, by_day, strict=True)
        )

    def _cells(
        self,
        label: str | None,
        results: Mapping[datetime, QueryResult],
        whole: Mapping[datetime, QueryResult],
    ) -> tuple[SegmentCell, ...]:
        is_judged = label is not None or self.metric.comparison == "baseline"
        cells = []
        for day in self.days.starts:
            result = results.get(day)
            if result is None:
                cells.append(SegmentCell(day, Measured(None)))
                continue
            level = shortfall(self.metric, result, whole.get(day)).level if is_judged else None
            cells.append(SegmentCell(day, Measured.of(result), level))
        return tuple(cells)

    def _rows(self, labels: Sequence[str | None]) -> dict[str | None, int]:
        counts = [replace(self._daily_metric(label), metric="count", parameters={}) for label in labels]
        results = results_of_days(self.model, self.model_id, counts, self.days)
        return {label: int(each.number or 0) for label, each in zip(labels, results, strict=True)}

    def _by_day(self, labels: Sequence[str | None]) -> list[dict[datetime, QueryResult]]:
        daily_metrics = [self._daily_metric(label, self.confidence) for label in labels]
        return results_by_day(self.model, self.model_id, daily_metrics, self.days) if daily_metrics else []

    def _of_days(
        self, labels: Sequence[str | None], days: PageDays, confidence: float | None
    ) -> list[QueryResult]:
        daily_metrics = [self._daily_metric(label, confidence) for label in labels]
        return results_of_days(self.model, self.model_id, daily_metrics, days)

    def _daily_metric(self, label: str | None, confidence: float | None = None) -> DailyMetric:
        parameters = dict(self.metric.parameters)
        if confidence is not None and self.metric.has_bounds:
            parameters["confidence"] = confidence
        term = None if label is None else SegmentValue(id=self.segment.name, value=label)
        return DailyMetric(self.version, self.metric.metric, parameters, segment=term)


def _recent(whole: Mapping[datetime, QueryResult], days: PageDays) -> PageDays:
    """Return the last days up to the last one with a number of all rows."""
    labelled_days = [day for day, result in whole.items() if result.error is None and result.samples]
    end = max(labelled_days) + timedelta(days=1) if labelled_days else days.end
    return PageDays(max(days.start, end - RECENT), end)
