"""Custom metrics of a model, with their values."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from aporia_provider.backend.metrics.custom_request import CUSTOM_METRIC
from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.page.contents.daily_results import (
    DailyMetric,
    DayPoint,
    daily_results,
    results_of_days,
)
from aporia_provider.backend.page.contents.page_days import PageDays
from aporia_provider.backend.page.contents.page_parts import Measured
from aporia_provider.backend.store.segment_lookups import model_custom_metrics
from aporia_provider.backend.store.tables import ModelRow
from aporia_provider.segment_values import SegmentValue

MAX_CUSTOM = 20
"""Maximum number of custom metrics of a view: the oldest."""


@dataclass(frozen=True)
class CustomMetricLine:
    """
    A custom metric of a version.

    :param name: Its name.
    :param code: Its code.
    :param total: Its value of all days, with an interval if there is one.
    :param points: Its values by day.
    """

    name: str
    code: str
    total: Measured
    points: tuple[DayPoint, ...]


@dataclass(frozen=True)
class CustomMetricLines:
    """
    Custom metrics of a version.

    :param version: Name of the version.
    :param lines: The custom metrics.
    :param left_out: Number of further ones.
    """

    version: str
    lines: tuple[CustomMetricLine, ...] = ()
    left_out: int = 0


def custom_metric_lines(
    session: Session,
    row: ModelRow,
    model: ModelStates,
    version: str,
    days: PageDays,
    segment: SegmentValue | None = None,
) -> CustomMetricLines:
    """
    Return the custom metrics of a model.

    :param session: A session with a read transaction.
    :param row: The model.
    :param model: Access to its states.
    :param version: Name of the version, whose serving data they are computed from.
    :param days: The days.
    :param segment: Segment of the rows; None for all rows.
    """
    metrics = model_custom_metrics(session, row.key)
    shown = metrics[:MAX_CUSTOM]
    if not shown:
        return CustomMetricLines(version)
    daily_metrics = [
        DailyMetric(version, CUSTOM_METRIC, {"id": each.name}, segment=segment) for each in shown
    ]
    totals = results_of_days(model, row.id, daily_metrics, days)
    by_day = daily_results(model, row.id, daily_metrics, days)
    lines = tuple(
        CustomMetricLine(each.name, each.registration["code"], Measured.of(total), points)
        for each, total, points in zip(shown, totals, by_day, strict=True)
    )
    return CustomMetricLines(version, lines, len(metrics) - len(shown))
