"""Questions about metrics, in the words of the protocol (reference, section 2.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, model_validator

from aporia_provider.base_model import Name, Vocabulary, exactly, one_of
from aporia_provider.datasets import ROLES
from aporia_provider.errors import ValidationError
from aporia_provider.query_types import Count, Number, Time, Value, Whole, Window, a_dict, described

AnswerPeriod = Literal["hourly", "daily", "weekly", "monthly"]
"""
Periods that answers are given for. The buckets of a model are hours or days, whichever it was created with
(:data:`aporia_provider.models.AGGREGATION_PERIODS`).
"""
Average = Literal["micro", "macro", "weighted"]
Gain = Literal["exponential", "linear"]
Zeros = Literal["floor", "jeffreys", "laplace"]


class TimeRange(Vocabulary):
    """
    A half-open range of time; what has no zone is UTC.

    :param start: Its first moment.
    :param end: The first moment after it.
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


class MetricDataset(Vocabulary):
    """
    The rows that a metric is about, or that it compares with.

    :param dataset_type: Role of the dataset.
    :param model_version: The version; if not given, the latest, or in a baseline the version of the data.
    :param time_range: Range of the rows' times; if not given, all rows, including those without a time.
    :param time_period: In a baseline, instead of ``time_range``: the length of a window that moves, in hours,
        days or weeks, such as ``2w``. It ends where the data's range starts.
    :param skip_period: How long before that the window ends, such as ``1d``.
    :param segment: None; segments are not supported.
    """

    dataset_type: Annotated[str, one_of(*ROLES)] = "serving"
    model_version: Name | None = None
    time_range: Annotated[TimeRange | None, a_dict("{'start': '2024-01-01', 'end': '2024-02-01'}")] = None
    time_period: Window | None = None
    skip_period: Window | None = None
    segment: Annotated[None, described("None; segments are not supported")] = None

    @model_validator(mode="after")
    def _one_kind_of_time(self) -> MetricDataset:
        if self.time_range and self.time_period:
            raise ValueError("a baseline has either a time_range or a time_period")
        if self.skip_period and not self.time_period:
            raise ValueError("skip_period goes with a time_period")
        return self


class MetricParameters(Vocabulary):
    """
    Parameters of a metric.

    :param column: The field: its name, or with its category where fields of two categories share it
        (``features.age``). For performance, the prediction; without, the only one that has labels.
    :param threshold: Score from which on a prediction is positive; without, 0.5 for probabilities, while
        other scores take one.
    :param k: Ranking: how many places count, 1 to 12.
    :param class_name: The class of a ``*_per_class`` metric: text, a boolean or a number.
    :param average: ``micro``, ``macro`` or ``weighted``.
    :param quantile: Of ``quantile``, from 0 to 1.
    :param value: Of ``value_count``: text, a boolean or a number. ``3`` and ``3.0`` are one value, as are
        ``True`` and ``true``, unless the column has the text just as it is given.
    :param gain: nDCG: ``exponential`` or ``linear``.
    :param zeros: PSI: how bins that one side lacks are counted: ``floor`` (a share of 0.0001), ``jeffreys``
        (0.5 added to each count) or ``laplace`` (1 added).
    :param minimum: Values below which there is not enough data; in a distance, on the focal side. AUC and
        average precision take 10 labels of each class as well, or ``minimum`` of each if that is less.
    :param minimum_baseline: The same for the baseline of a distance.
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


class MetricDatasets(Vocabulary):
    """
    The rows that a metric is about, and those it compares with.

    :param data: The rows.
    :param baseline: What a distance compares them with; the training dataset without.
    """

    data: MetricDataset
    baseline: Annotated[MetricDataset | None, a_dict("{'dataset_type': 'training'}")] = None

    @model_validator(mode="after")
    def _only_a_baseline_moves(self) -> MetricDatasets:
        if self.data.time_period:
            raise ValueError("data takes a time_range; time_period and skip_period are for the baseline")
        return self


class Metric(Vocabulary):
    """
    One question.

    :param id: Name of the answer.
    :param metric: Name of the metric.
    :param parameters: Its parameters.
    :param datasets: What it is about.
    """

    id: Name = "0"
    metric: Name
    parameters: MetricParameters = Field(default_factory=MetricParameters)
    datasets: MetricDatasets


class MetricsQuery(Vocabulary):
    """
    Questions about a model.

    :param model_id: The model.
    :param metrics: The questions.
    :param aggregation_period: ``hourly``, ``daily``, ``weekly`` or ``monthly``, in UTC; weeks start on
        Monday. There is an answer for each period that the range touches, with rows or without, and periods
        at the ends of the range are cut there; without a time_range, the range is from the first period with
        rows to the last. Without an aggregation_period, there is one answer for the whole range.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("model_id",)

    model_id: Name
    metrics: Annotated[list[Metric], Field(min_length=1, max_length=500)]
    aggregation_period: Annotated[AnswerPeriod, exactly(*get_args(AnswerPeriod))] | None = None

    def to_wire(self) -> dict[str, Any]:
        """Body of the request."""
        return self.model_dump(mode="json")

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> MetricsQuery:
        """
        Read the body of a request.

        :raises aporia_provider.errors.ValidationError: naming every fault.
        """
        if not isinstance(body, Mapping):
            raise ValidationError(f"A query is a dict with model_id and metrics, not {type(body).__name__}")
        return cls(**body)


def failures(answers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """
    The answers with an error, if no other answer is made from any data; none otherwise.

    :param answers: As :meth:`~aporia_provider.api.AporiaApi.query_metrics` gives them.
    :return: The answers, each with the ``time_range`` that it is for.
    """
    given = [{"time_range": item["time_range"], **answer} for item in answers for answer in item["metrics"]]
    failed = [answer for answer in given if answer["error"] is not None]
    if any(answer["error"] is None and answer["samples"] for answer in given):
        return []
    return failed
