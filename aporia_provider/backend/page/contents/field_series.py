"""Statistics of a field by day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.state_series import StatesKey, total
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.page.contents.daily_results import DailyMetric, DayPoint, daily_results
from aporia_provider.backend.page.contents.field_order import ListedField
from aporia_provider.backend.page.contents.page_days import DAY, PageDays
from aporia_provider.backend.page.contents.page_parts import Measured
from aporia_provider.backend.store.sync_tables import DAY as DAY_SPAN
from aporia_provider.datasets import SERVING
from aporia_provider.errors import AporiaError
from aporia_provider.monitoring.drift.compared_bins import new_value_share
from aporia_provider.monitoring.drift.field_drift import ComparedState
from aporia_provider.monitoring.metric_definition import CATEGORY_TYPES
from aporia_provider.segment_values import SegmentValue

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_QUANTILE_TYPES = ("numeric", "datetime")
_NAMES = {**dict.fromkeys(CATEGORY_TYPES, ("unique_values",)), "text": ("mean_length",)}


@dataclass(frozen=True)
class FieldSeries:
    """
    A statistic of the serving data by day.

    :param name: Name of the statistic: ``missing_ratio``, ``new_values``, ``quantile 0.5`` or another metric.
    :param points: Its values.
    """

    name: str
    points: tuple[DayPoint, ...]


def field_series(
    model: ModelStates,
    model_id: str,
    version: str,
    field: ListedField,
    days: PageDays,
    segment: SegmentValue | None = None,
) -> tuple[FieldSeries, ...]:
    """
    Return the missing and new values of a field by day, and for numbers quantiles.

    :param model: Access to the states.
    :param model_id: Id of the model.
    :param version: Name of the version, which has a serving dataset.
    :param field: The field.
    :param days: The days.
    :param segment: Segment of the rows; None for all rows.
    """
    column = {"column": field.key}
    names = ["missing_ratio", *_NAMES.get(field.type, ())]
    daily_metrics = [DailyMetric(version, name, column, segment=segment) for name in names]
    if field.type in _QUANTILE_TYPES:
        names += [f"quantile {share:g}" for share in QUANTILES]
        daily_metrics += [
            DailyMetric(version, "quantile", {**column, "quantile": share}, segment=segment)
            for share in QUANTILES
        ]
    results = daily_results(model, model_id, daily_metrics, days)
    series = [FieldSeries(name, points) for name, points in zip(names, results, strict=True)]
    new = tuple(_new_values(model.version(version).of_term(model.term(segment)), field.key, days))
    return (series[0], *([FieldSeries("new_values", new)] if new else []), *series[1:])


def _new_values(states: VersionStates, key: str, days: PageDays) -> Iterator[DayPoint]:
    """Yield the share of values that the training data does not have; nothing if it is not known."""
    try:
        baseline = ComparedState(
            states.merged(StatesKey("training", key, (None, None))), states.bins("training", key)
        )
        series, bins = (
            states.series(StatesKey(SERVING, key, days.seconds, (DAY_SPAN,))),
            states.bins(SERVING, key),
        )
    except AporiaError:
        return
    for day in days.starts:
        start = int(day.timestamp())
        state = total(each for _, each in series.within((start, start + DAY)))
        try:
            share = new_value_share(baseline, ComparedState(state, bins))
        except AporiaError as error:
            yield DayPoint(day, Measured(None, note=error.message))
            continue
        if share is not None:
            yield DayPoint(day, Measured(*share, samples=state.rows, reliable=share[1] == share[2]))
