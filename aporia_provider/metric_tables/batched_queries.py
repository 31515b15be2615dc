"""Queries for many metrics, divided so that each is within the limits of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aporia_provider.metric_results import QueryResult, RangeResults
from aporia_provider.metrics import MetricsQuery

MAX_METRICS = 500
MAX_RESULTS = 50_000
"""Limits of a query."""

Key = tuple[str | None, str]
"""Column, None for the table, and name of the value."""
Window = tuple[datetime, datetime] | None
"""Start and end; None for all rows."""
Results = dict[Window, dict[Key, QueryResult]]
Query = Callable[[MetricsQuery], list[RangeResults]]


@dataclass(frozen=True)
class Question:
    """
    A metric that is queried.

    :param metric: Name of the metric.
    :param parameters: Its parameters in addition to the column.
    """

    metric: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Subject:
    """
    Rows from which metrics are computed.

    :param model_id: Id of the model.
    :param data: The rows, see :class:`~aporia_provider.metrics.MetricDataset`.
    :param period: The aggregation period; None for one result.
    :param windows: Number of windows.
    :param baseline: The baseline.
    """

    model_id: str
    data: Mapping[str, Any]
    period: str | None = None
    windows: int = 1
    baseline: Mapping[str, Any] | None = None


def query_all(query: Query, subject: Subject, questions: Mapping[Key, Question]) -> Results:
    """
    Query metrics.

    :param query: The call that answers a query.
    :param subject: The rows.
    :param questions: The metrics.
    :return: The results by window, then by key.
    """
    all_results: Results = {}
    for keys in _batches(list(questions), min(MAX_METRICS, MAX_RESULTS // subject.windows)):
        for item in query(_query(subject, {key: questions[key] for key in keys})):
            within = item.time_range
            window = None
            if within is not None:
                window = datetime.fromisoformat(within.start), datetime.fromisoformat(within.end)
            results = all_results.setdefault(window, {})
            results.update((keys[int(result.id)], result) for result in item.metrics)
    return all_results


def _batches(keys: Sequence[Key], size: int) -> Iterator[Sequence[Key]]:
    for first in range(0, len(keys), size):
        yield keys[first : first + size]


def _query(subject: Subject, questions: Mapping[Key, Question]) -> MetricsQuery:
    metrics = [
        {
            "id": str(index),
            "metric": question.metric,
            "parameters": {**question.parameters, "column": column},
            "datasets": {"data": subject.data, "baseline": subject.baseline},
        }
        for index, ((column, _), question) in enumerate(questions.items())
    ]
    return MetricsQuery.from_wire(
        {"model_id": subject.model_id, "metrics": metrics, "aggregation_period": subject.period}
    )
