"""Metrics of versions by day, with few queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.query_execution import execute_query
from aporia_provider.backend.page.contents.page_days import PageDays
from aporia_provider.backend.page.contents.page_parts import Measured
from aporia_provider.metric_results import QueryResult
from aporia_provider.metrics import AnswerPeriod, MetricsQuery
from aporia_provider.segment_values import SegmentValue

_MOST_METRICS = 500


@dataclass(frozen=True)
class DailyMetric:
    """
    A metric of a version, by day.

    :param version: Name of the version.
    :param metric: Name of the metric.
    :param parameters: Its parameters.
    :param role: Role of the dataset.
    :param segment: Segment of the rows; None for all rows.
    """

    version: str
    metric: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    role: str = "serving"
    segment: SegmentValue | None = None

    def asked(self, index: int, days: PageDays) -> dict[str, Any]:
        """Return the metric as a part of a query, with its place as id."""
        data = {
            "dataset_type": self.role,
            "model_version": self.version,
            "time_range": days.time_range,
            "segment": self.segment,
        }
        return {
            "id": str(index),
            "metric": self.metric,
            "parameters": self.parameters,
            "datasets": {"data": data},
        }


@dataclass(frozen=True)
class DayPoint:
    """
    A metric on a day.

    :param day: Start of the day.
    :param measured: The result.
    """

    day: datetime
    measured: Measured


def daily_results(
    model: ModelStates, model_id: str, metrics: Sequence[DailyMetric], days: PageDays
) -> list[tuple[DayPoint, ...]]:
    """
    Return the results of metrics for each day.

    :param model: Access to the states.
    :param model_id: Id of the model.
    :param metrics: The metrics.
    :param days: The days.
    """
    return [
        tuple(DayPoint(day, Measured.of(result)) for day, result in by_day.items())
        for by_day in results_by_day(model, model_id, metrics, days)
    ]


def results_by_day(
    model: ModelStates, model_id: str, metrics: Sequence[DailyMetric], days: PageDays
) -> list[dict[datetime, QueryResult]]:
    """
    Return the results of metrics by day; a metric that is not valid has only a result for the first day.
    """
    return _results(model, model_id, metrics, days, "daily")


def results_of_days(
    model: ModelStates, model_id: str, metrics: Sequence[DailyMetric], days: PageDays
) -> list[QueryResult]:
    """Return the result of each metric for all days together."""
    return [next(iter(by_day.values())) for by_day in _results(model, model_id, metrics, days, None)]


def _results(
    model: ModelStates,
    model_id: str,
    metrics: Sequence[DailyMetric],
    days: PageDays,
    period: AnswerPeriod | None,
) -> list[dict[datetime, QueryResult]]:
    results: list[dict[datetime, QueryResult]] = [{} for _ in metrics]
    for first in range(0, len(metrics), _MOST_METRICS):
        chosen = metrics[first : first + _MOST_METRICS]
        queried = [metric.asked(first + index, days) for index, metric in enumerate(chosen)]
        query = MetricsQuery(model_id=model_id, metrics=queried, aggregation_period=period)
        for item in execute_query(model, query):
            if item.time_range is None:
                continue
            start = datetime.fromisoformat(item.time_range.start)
            for result in item.metrics:
                results[int(result.id)][start] = result
    return results
