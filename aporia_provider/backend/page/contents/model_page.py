"""Contents of the view of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aporia_provider.alerts import Alert
from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.monitors.alert_reading import alerts_of, read_alerts
from aporia_provider.backend.page.contents.custom_metric_lines import (
    CustomMetricLines,
    custom_metric_lines,
)
from aporia_provider.backend.page.contents.daily_results import DailyMetric, DayPoint, daily_results
from aporia_provider.backend.page.contents.dataset_lines import DatasetLine, read_datasets
from aporia_provider.backend.page.contents.drift_map import DriftMap, drift_map
from aporia_provider.backend.page.contents.page_days import PageDays, check_days, last_second
from aporia_provider.backend.page.contents.page_parts import DataOrigin, Missing
from aporia_provider.backend.page.contents.performance_chart import (
    MAX_SERIES,
    PerformanceChart,
    performance_chart,
)
from aporia_provider.backend.page.contents.segment_rows import SegmentRows
from aporia_provider.backend.page.contents.version_lines import ModelVersions, VersionLine
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store.bucket_ranges import NO_BUCKETS, serving_ranges
from aporia_provider.backend.store.lookups import find_model, find_version
from aporia_provider.backend.store.tables import ModelRow, MonitorRow, TagRow, VersionRow, utc_now
from aporia_provider.segment_values import SegmentValue

MAX_ALERTS = 50
"""Maximum number of alerts of the view."""


@dataclass(frozen=True)
class DailyRows:
    """
    Serving rows of a version by day.

    :param version: Name of the version.
    :param rows: Number of rows by day.
    :param label_coverage: Share of the predictions with a label by day.
    :param origin: Where the numbers come from.
    """

    version: str
    rows: tuple[DayPoint, ...]
    label_coverage: tuple[DayPoint, ...]
    origin: DataOrigin


@dataclass(frozen=True)
class ModelPage:
    """
    Contents of the view of a model.

    :param id: Id of the model.
    :param name: Its name.
    :param description: Its description.
    :param owner: Its owner.
    :param tags: Its tags.
    :param days: The days of the view; the last one is the last with serving data, of the given version or
        of all.
    :param versions: The versions, the latest first.
    :param versions_left_out: Number of further versions.
    :param performance: Performance of the versions.
    :param drift: Drift of the fields of one version; None if there are no versions.
    :param datasets: Datasets of the versions.
    :param rows: Serving rows by day of the versions with serving data in the days.
    :param alerts: Alerts, open, severe and new ones first.
    :param alerts_left_out: Number of further alerts.
    :param custom_metrics: Custom metrics of the version whose drift is shown; None if there are no versions.
    :param segment: Rows of performance, drift, custom metrics and rows by day; None for all rows.
    :param missing: What is missing.
    """

    id: str
    name: str
    description: str | None
    owner: str | None
    tags: Mapping[str, str]
    days: PageDays
    versions: tuple[VersionLine, ...]
    versions_left_out: int
    performance: PerformanceChart
    drift: DriftMap | None
    datasets: tuple[DatasetLine, ...]
    rows: tuple[DailyRows, ...]
    alerts: tuple[Alert, ...]
    alerts_left_out: int
    custom_metrics: CustomMetricLines | None
    segment: SegmentRows | None
    missing: tuple[Missing, ...]


def model_page(
    registry: Registry,
    model_id: str,
    *,
    days: int = 30,
    version: str | None = None,
    metric: str | None = None,
    first: int = 0,
    segment: SegmentValue | None = None,
    now: datetime | None = None,
) -> ModelPage:
    """
    Return the contents of the view of a model.

    :param registry: The registry of an environment.
    :param model_id: Id of the model.
    :param days: Number of days.
    :param version: Version whose drift is shown, and with whose last serving data the days end; None for the
        latest version, and the last serving data of all.
    :param metric: Metric of performance; None for the main metric of the type of the model.
    :param first: Place of the first field of the page of the drift.
    :param segment: Segment of the rows; None for all rows.
    :param now: The current time.
    :raises aporia_provider.errors.NotFoundError: if there is no such model, version or segment.
    :raises aporia_provider.errors.ValidationError: if a parameter is invalid.
    """
    count, second = check_days(days), int((now or utc_now()).timestamp())
    with registry.database.read_transaction() as session:
        row = find_model(session, registry.environment, model_id)
        model = ModelStates(session, registry.environment, model_id)
        rows = SegmentRows.of(model, segment)
        value = None if rows is None else rows.value
        named = None if version is None else find_version(session, registry.environment, model_id, version)
        ranges = serving_ranges(session, row.key, second)
        ending = ranges.values() if named is None else [ranges.get(named.key, NO_BUCKETS)]
        shown = PageDays.until(last_second(ending, second), count)
        versions = ModelVersions.read(session, row, ranges)
        datasets = read_datasets(session, versions.rows)
        active = [each.name for each in versions.within(*shown.seconds)]
        drifting = named or next(iter(versions.rows), None)
        alerts, further = _alerts(session, registry.environment, model_id)
        registration = row.registration
        return ModelPage(
            model_id,
            registration["name"],
            registration.get("description"),
            row.owner,
            _tags(session, row.key),
            shown,
            versions.lines(session, row),
            versions.left_out,
            performance_chart(model, model_id, active, datasets, shown, metric, value),
            _drift(session, model, drifting, datasets, shown, first, rows),
            tuple(datasets),
            _daily_rows(model, model_id, active, datasets, shown, value),
            tuple(alerts),
            further,
            _custom(session, row, model, drifting, shown, value),
            rows,
            _missing(versions, datasets),
        )


def _drift(
    session: Session,
    model: ModelStates,
    version: VersionRow | None,
    datasets: Sequence[DatasetLine],
    days: PageDays,
    first: int,
    rows: SegmentRows | None,
) -> DriftMap | None:
    if version is None:
        return None
    states = model.version(version.name).of_term(None if rows is None else rows.term)
    return drift_map(session, states, version, datasets, days, first)


def _custom(
    session: Session,
    row: ModelRow,
    model: ModelStates,
    version: VersionRow | None,
    days: PageDays,
    segment: SegmentValue | None,
) -> CustomMetricLines | None:
    if version is None:
        return None
    return custom_metric_lines(session, row, model, version.name, days, segment)


def _tags(session: Session, model_key: int) -> dict[str, str]:
    query = select(TagRow.name, TagRow.value).filter_by(model_key=model_key).order_by(TagRow.name)
    return {row.name: row.value for row in session.execute(query)}


def _alerts(session: Session, environment: str, model_id: str) -> tuple[list[Alert], int]:
    query = alerts_of(environment).where(MonitorRow.subject == model_id)
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    rows = [(alert, monitor) for alert, monitor in session.execute(query.limit(MAX_ALERTS))]
    return read_alerts(session, rows), total - len(rows)


def _daily_rows(
    model: ModelStates,
    model_id: str,
    versions: Sequence[str],
    datasets: Sequence[DatasetLine],
    days: PageDays,
    segment: SegmentValue | None,
) -> tuple[DailyRows, ...]:
    chosen = versions[:MAX_SERIES]
    names = ("count", "label_coverage")
    daily_metrics = [DailyMetric(version, name, segment=segment) for version in chosen for name in names]
    results = daily_results(model, model_id, daily_metrics, days)
    origins = {line.origin.model_version: line.origin for line in datasets if line.is_serving}
    return tuple(
        DailyRows(version, results[2 * index], results[2 * index + 1], origins[version])
        for index, version in enumerate(chosen)
    )


def _missing(versions: ModelVersions, datasets: Sequence[DatasetLine]) -> tuple[Missing, ...]:
    if not versions.rows:
        return (Missing("The model has no versions.", "Register one with CreateModelVersionOperator."),)
    if not any(line.is_serving for line in datasets):
        return (Missing("No version has a serving dataset.", "Connect it with ConnectServingOperator."),)
    return ()
