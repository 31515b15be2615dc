"""Performance of versions over time: realised beside expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.page.contents.daily_results import DailyMetric, DayPoint, daily_results
from aporia_provider.backend.page.contents.dataset_lines import DatasetLine, origin_of
from aporia_provider.backend.page.contents.main_metrics import ShownMetric, metric_choices, shown_metric
from aporia_provider.backend.page.contents.page_days import PageDays
from aporia_provider.backend.page.contents.page_parts import DataOrigin, Missing
from aporia_provider.segment_values import SegmentValue

MAX_SERIES = 12
"""Maximum number of versions whose performance is shown."""


@dataclass(frozen=True)
class PerformanceSeries:
    """
    Performance of a version.

    :param version: Name of the version.
    :param realised: The metric by day, from the labels.
    :param expected: The metric that is expected without labels by day; empty if there is none.
    :param origin: Where the predictions come from.
    :param labels_origin: Where the labels come from; None if they are in the same table as the predictions.
    """

    version: str
    realised: tuple[DayPoint, ...]
    expected: tuple[DayPoint, ...]
    origin: DataOrigin
    labels_origin: DataOrigin | None

    @property
    def has_labels(self) -> bool:
        """Whether the metric could be computed for any day, even if from too few labels."""
        return any(point.measured.value is not None for point in self.realised)


@dataclass(frozen=True)
class PerformanceChart:
    """
    Performance of versions over time.

    :param metric: The metric; None if there is none.
    :param choices: Metrics that can be shown instead.
    :param series: The versions, the latest first.
    :param left_out: Number of further versions with serving data in these days.
    :param missing: What is missing.
    """

    metric: ShownMetric | None
    choices: tuple[str, ...] = ()
    series: tuple[PerformanceSeries, ...] = ()
    left_out: int = 0
    missing: tuple[Missing, ...] = ()


def performance_chart(
    model: ModelStates,
    model_id: str,
    versions: Sequence[str],
    datasets: Sequence[DatasetLine],
    days: PageDays,
    metric: str | None = None,
    segment: SegmentValue | None = None,
) -> PerformanceChart:
    """
    Return the performance of versions.

    :param model: Access to the states.
    :param model_id: Id of the model.
    :param versions: Names of the versions with serving data in the days, the latest first.
    :param datasets: Datasets of the versions.
    :param days: The days.
    :param metric: Name of the metric; None for the main metric of the type of the model.
    :param segment: Segment of the rows; None for all rows.
    :raises aporia_provider.errors.ValidationError: if there is no such metric.
    """
    if not versions:
        return PerformanceChart(None)
    schema = model.version(versions[0]).schema
    shown, choices = shown_metric(schema, metric), tuple(metric_choices(schema.model_type))
    if shown is None:
        what = f"No prediction has a type with metrics for {schema.model_type} models."
        return PerformanceChart(None, choices, missing=(Missing(what, "Check the types of the schema."),))
    chosen = versions[:MAX_SERIES]
    names = [shown.name] + ([shown.expected] if shown.expected else [])
    daily_metrics = [
        DailyMetric(version, name, shown.parameters, segment=segment) for version in chosen for name in names
    ]
    results = daily_results(model, model_id, daily_metrics, days)
    series = tuple(
        _series(version, results[index * len(names) : (index + 1) * len(names)], datasets)
        for index, version in enumerate(chosen)
    )
    missing = tuple(filter(None, (_missing(each, shown) for each in series)))
    return PerformanceChart(shown, choices, series, len(versions) - len(chosen), missing)


def _series(
    version: str, points: Sequence[tuple[DayPoint, ...]], datasets: Sequence[DatasetLine]
) -> PerformanceSeries:
    labels = origin_of(datasets, version, "actuals")
    is_connected = any(line.origin == labels for line in datasets)
    return PerformanceSeries(
        version,
        points[0],
        points[1] if len(points) > 1 else (),
        origin_of(datasets, version, "serving"),
        labels if is_connected else None,
    )


def _missing(series: PerformanceSeries, shown: ShownMetric) -> Missing | None:
    if series.has_labels:
        return None
    text = f"There is no {shown.name} of version {series.version} in these days"
    notes = [point.measured.note for point in series.realised if point.measured.note]
    return Missing(f"{text}: {notes[-1]}." if notes else f"{text}.", _ADVICE)


_ADVICE = (
    "Connect the labels with ConnectActualsOperator and sync the actuals; labels that come later are added "
    "to the days of their predictions."
)
