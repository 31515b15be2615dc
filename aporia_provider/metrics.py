"""Queries for metrics (protocol reference, section 2.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from aporia_provider.base_model import Name, PublicModel, exactly, one_of
from aporia_provider.datasets import ROLES
from aporia_provider.errors import ValidationError
from aporia_provider.query_types import (
    Confidence,
    Count,
    Number,
    Time,
    Value,
    Whole,
    Window,
    a_dict,
)
from aporia_provider.segment_values import SegmentValue

AnswerPeriod = Literal["hourly", "daily", "weekly", "monthly"]
"""
Lengths of the periods of an answer. Those of the buckets of a model are
:data:`aporia_provider.models.AGGREGATION_PERIODS`.
"""
Average = Literal["micro", "macro", "weighted"]
Gain = Literal["exponential", "linear"]
Zeros = Literal["floor", "jeffreys", "laplace"]


class TimeRange(PublicModel):
    """
    A half-open time range. Times without a time zone are UTC.

    :param start: Start of the range.
    :param end: End of the range, exclusive.
    """

    start: Time
    end: Time

    @model_validator(mode="before")
    @classmethod
    def _is_whole(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            missing = [name for name in ("start", "end") if value.get(name) is None]
            if len(missing) == 1:
                raise ValueError(f"give both start and end, or neither: {missing[0]} is missing")
        return value

    @model_validator(mode="after")
    def _runs_forwards(self) -> TimeRange:
        if self.start >= self.end:
            raise ValueError(f"start {self.start.isoformat()} is not before end {self.end.isoformat()}")
        return self


class MetricDataset(PublicModel):
    """
    Rows from which a metric is computed, or its baseline.

    :param dataset_type: Role of the dataset.
    :param model_version: The version. Default: the latest; for a baseline, the version of the data.
    :param time_range: Time range of the rows. Default: all rows, including rows without a timestamp.
    :param time_period: For a baseline, instead of ``time_range``: the length of a moving window in hours,
        days or weeks, such as ``2w``. The window ends where the time range of the data starts.
    :param skip_period: Length of a gap between the window and the time range of the data, such as ``1d``.
    :param segment: Segment of the rows, as a dict with its ``id`` (its name, or the id that the server
        returned) and the ``value`` of one of its terms. Default: all rows; for a baseline, the segment of the
        data, and None means all rows.
    """

    dataset_type: Annotated[str, one_of(*ROLES)] = "serving"
    model_version: Name | None = None
    time_range: Annotated[TimeRange | None, a_dict("{'start': '2024-01-01', 'end': '2024-02-01'}")] = None
    time_period: Window | None = None
    skip_period: Window | None = None
    segment: Annotated[SegmentValue | None, a_dict("{'id': 'age', 'value': '18'}")] = None

    @model_serializer(mode="wrap")
    def _without_an_absent_segment(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A baseline without a segment has the segment of the data; with None as segment, it has all rows.
        dumped: dict[str, Any] = serialize(self)
        if "segment" not in self.model_fields_set:
            dumped.pop("segment", None)
        return dumped

    @model_validator(mode="after")
    def _one_kind_of_time(self) -> MetricDataset:
        if self.time_range and self.time_period:
            raise ValueError("a baseline has either a time_range or a time_period")
        if self.skip_period and not self.time_period:
            raise ValueError("skip_period requires time_period")
        return self


class MetricParameters(PublicModel):
    """
    Parameters of a metric.

    :param column: Name of the field, preceded by its category if fields of two categories share the name
        (``features.age``). For performance, the prediction. Default: the only prediction that has labels.
    :param threshold: Smallest score of a positive prediction. Default: 0.5 for probabilities; other scores
        require a threshold.
    :param k: For ranking, the number of places that are evaluated, from 1 to 12.
    :param class_name: For ``*_per_class`` metrics, the class: text, a boolean or a number.
    :param average: ``micro``, ``macro`` or ``weighted``.
    :param quantile: For ``quantile``, the probability, from 0 to 1.
    :param value: For ``value_count``, the value: text, a boolean or a number. ``3`` and ``3.0`` are equal, as
        are ``True`` and ``true``, unless the column contains the text exactly as given.
    :param gain: For nDCG, ``exponential`` or ``linear``.
    :param zeros: For PSI, treatment of bins that are empty on one side: ``floor`` (a proportion of 0.0001),
        ``jeffreys`` (0.5 added to each count) or ``laplace`` (1 added to each count).
    :param minimum: Number of values below which there is insufficient data; for a distance, of the data. AUC
        and average precision also require 10 labels of each class, or ``minimum`` of each if that is less.
    :param minimum_baseline: The same for the baseline of a distance; for expected metrics, for its labels.
    :param id: For ``custom_metric``, the name or id of the custom metric.
    :param confidence: Probability that the interval from ``low`` to ``high`` contains the number, from 0.5 to
        0.999. Default: 0.95.
    """

    column: Name | None = None
    threshold: Number | None = None
    k: Whole | None = None
    class_name: Value | None = None
    average: Annotated[Average, exactly(*get_args(Average))] | None = None
    quantile: Number | None = None
    value: Value | None = None
    gain: Annotated[Gain, exactly(*get_args(Gain))] | None = None
    zeros: Annotated[Zeros, exactly(*get_args(Zeros))] = "floor"
    minimum: Count | None = None
    minimum_baseline: Count | None = None
    id: Name | None = None
    confidence: Confidence | None = None


class MetricDatasets(PublicModel):
    """
    Rows from which a metric is computed, and its baseline.

    :param data: The rows.
    :param baseline: Rows with which a distance compares them. Default: the training dataset. For expected
        metrics, rows with labels. Default: the testing dataset if it has labels, else the training dataset.
    """

    data: MetricDataset
    baseline: Annotated[MetricDataset | None, a_dict("{'dataset_type': 'training'}")] = None

    @model_validator(mode="after")
    def _only_a_baseline_moves(self) -> MetricDatasets:
        if self.data.time_period:
            raise ValueError("data must have a time_range; time_period and skip_period are for the baseline")
        return self


class Metric(PublicModel):
    """
    One metric of a query.

    :param id: Id of the metric in the result.
    :param metric: Name of the metric.
    :param parameters: Parameters of the metric.
    :param datasets: The rows and the baseline.
    """

    id: Name = "0"
    metric: Name
    parameters: MetricParameters = Field(default_factory=MetricParameters)
    datasets: MetricDatasets


class MetricsQuery(PublicModel):
    """
    A query for metrics of a model.

    :param model_id: The model.
    :param metrics: The metrics.
    :param aggregation_period: ``hourly``, ``daily``, ``weekly`` or ``monthly``, in UTC; weeks start on
        Monday. The result has one item for each period that overlaps the time range, whether or not it has
        rows; periods at the ends are cut to the range. Without a time range, the periods extend from the
        first one with rows to the last. Without a period, the result has one item for the whole range.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("model_id",)

    model_id: Name
    metrics: Annotated[list[Metric], Field(min_length=1, max_length=500)]
    aggregation_period: Annotated[AnswerPeriod, exactly(*get_args(AnswerPeriod))] | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the body of the request."""
        return self.model_dump(mode="json")

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> MetricsQuery:
        """
        Parse the body of a request.

        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        if not isinstance(body, Mapping):
            raise ValidationError(f"A query is a dict with model_id and metrics, not {type(body).__name__}")
        return cls(**body)
