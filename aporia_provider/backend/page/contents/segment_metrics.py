"""Metrics that the view of segments can show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from aporia_provider.backend.metrics.custom_request import CUSTOM_METRIC
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.page.contents.main_metrics import metric_choices, shown_metric
from aporia_provider.datasets import SERVING
from aporia_provider.errors import ValidationError
from aporia_provider.nearest import nearest

ROWS: Final = "rows"
DRIFT: Final = "drift_score"
CUSTOM: Final = "custom: "
"""Prefix that distinguishes names of custom metrics from names of other metrics."""

Comparison = Literal["higher", "lower", "either", "baseline", "none"]


@dataclass(frozen=True)
class SegmentMetric:
    """
    A metric of segments.

    :param name: Its name in the view.
    :param metric: Name of the metric in a query.
    :param parameters: Its parameters.
    :param comparison: How values are judged: ``higher`` or ``lower`` values than the value of all rows are
        better, ``either`` difference is shown, a distance from the ``baseline`` is shown, or ``none``.
    :param type: For a distance, the type of its field.
    :param title: Description for headings.
    """

    name: str
    metric: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    comparison: Comparison = "none"
    type: str = ""
    title: str = ""

    @property
    def has_bounds(self) -> bool:
        """Whether intervals of its values can be computed with a given probability."""
        return self.comparison in ("higher", "lower", "either")


def segment_metric(version: VersionStates, custom: Iterable[str], name: str | None) -> SegmentMetric:
    """
    Return a metric of segments.

    The default is the main metric of performance if predictions have labels, else the distance of the first
    prediction from the training data, else the number of rows.

    :param version: The version.
    :param custom: Names of the custom metrics of the model.
    :param name: Name of the metric; None for the default.
    :raises aporia_provider.errors.ValidationError: if there is no such metric.
    """
    choices = {metric.name: metric for metric in segment_metrics(version, custom)}
    if name is None:
        main = shown_metric(version.schema)
        is_labelled = main is not None and main.prediction in version.labelled(SERVING)
        name = main.name if main is not None and is_labelled else DRIFT if DRIFT in choices else ROWS
    if name not in choices:
        raise ValidationError(f"There is no metric {name!r}; {nearest(name, list(choices))}")
    return choices[name]


def segment_metrics(version: VersionStates, custom: Iterable[str]) -> Iterator[SegmentMetric]:
    """
    Yield the metrics that segments of a version can be compared by.

    :param version: The version.
    :param custom: Names of the custom metrics of the model.
    """
    schema = version.schema
    for name in metric_choices(schema.model_type):
        shown = shown_metric(schema, name)
        if shown is not None:
            yield SegmentMetric(name, name, shown.parameters, shown.better or "either", title=name)
    yield SegmentMetric(ROWS, "count", title="number of rows")
    for name, prediction in schema.predictions.items():
        title = f"drift score of prediction {name}"
        key = f"predictions.{name}"
        yield SegmentMetric(DRIFT, "drift_score", {"column": key}, "baseline", prediction.type, title)
        break
    for name in custom:
        title = f"custom metric {name}"
        yield SegmentMetric(f"{CUSTOM}{name}", CUSTOM_METRIC, {"id": name}, "either", title=title)
