"""Metrics of rows, computed from the states of the rows of each bucket."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.metric_definition import RowMetric
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.statistics.duplicate_ids import duplicate_ids

Rows = list[tuple[int | None, RowState]]
"""States of rows with the start of their bucket in seconds since 1970; None for rows without a timestamp."""


def _counted(count: Callable[[Rows], int]) -> Callable[[Rows], MetricResult]:
    return lambda rows: MetricResult(count(rows), samples=_rows(rows))


def _rows(rows: Rows) -> int:
    return sum(state.rows for _, state in rows)


def _future(rows: Rows) -> int:
    now = datetime.now(UTC).timestamp()
    return sum(state.rows for bucket, state in rows if bucket is not None and bucket > now)


ROW_METRICS = (
    RowMetric("count", (), _counted(_rows), "rows"),
    RowMetric(
        "null_ids", (), _counted(lambda rows: sum(state.null_ids for _, state in rows)), "rows without an id"
    ),
    RowMetric(
        "duplicate_ids",
        (),
        lambda rows: duplicate_ids([state for _, state in rows]),
        "rows whose id also occurs in an earlier row",
    ),
    RowMetric(
        "null_timestamps",
        (),
        _counted(lambda rows: sum(state.rows for bucket, state in rows if bucket is None)),
        "rows without a timestamp",
    ),
    RowMetric(
        "future_timestamps",
        (),
        _counted(_future),
        "rows in buckets that begin after the time of the query",
    ),
)
"""Metrics of rows, which have no column."""


METRICS_OF_BUCKETS = frozenset({"duplicate_ids", "future_timestamps"})
"""Metrics that depend on the division into buckets; the others can be computed from sums of states."""


def row_metric(name: str, rows: Rows) -> MetricResult:
    """
    Compute a metric of rows.

    :param name: Name of one of :data:`ROW_METRICS`.
    :param rows: States of the rows.
    """
    result: MetricResult = next(metric for metric in ROW_METRICS if metric.name == name).compute(rows)
    return result
