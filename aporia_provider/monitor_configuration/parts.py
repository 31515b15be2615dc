"""The parts of a monitor's configuration, named as in the JSON of the protocol."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from aporia_provider.base_model import MAX_TITLE, Name, PublicModel, one_of
from aporia_provider.monitor_configuration.spans import Span, SpanText
from aporia_provider.segment_values import label_of

SERVING, TRAINING = "SERVING", "TRAINING"
SEVERITIES = ("LOW", "MEDIUM", "HIGH")

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SegmentLabel = Annotated[
    str,
    Field(min_length=1, max_length=2 * MAX_TITLE),
    BeforeValidator(lambda value: label_of(value) if isinstance(value, bool | int | float) else value),
]
"""Name, id or value of a segment. Numbers and booleans are converted to text."""


class Part(PublicModel):
    """Base class of the parts: attributes in snake case are camel case in JSON."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Focal(Part):
    """
    The data that is judged.

    :param source: ``SERVING``.
    :param time_period: Length of a window. Default: ``1d``.
    :param skip_period: Time between the end of a window and the time at which it is judged.
    :param align_bins_with_baseline: Has no effect: states have the bins of the baseline anyway.
    """

    source: Annotated[str, one_of(SERVING)] = SERVING
    time_period: SpanText = "1d"
    skip_period: SpanText | None = None
    align_bins_with_baseline: bool | None = None

    @property
    def period(self) -> Span:
        """Length of a window."""
        return Span.of(self.time_period)

    @property
    def skip(self) -> Span | None:
        """Time between the end of a window and the time at which it is judged."""
        return Span.of(self.skip_period) if self.skip_period else None


class Baseline(Part):
    """
    The data that is compared with the focal data.

    :param source: ``SERVING`` or ``TRAINING``.
    :param time_period: Length of the window of serving data.
    :param skip_period: Time between the end of the window and the time at which the focal window is judged.
    :param aggregation_period: Length of the parts of the window that anomalies are found with.
    :param segment_group_id: Name or id of a segment, for the method ``segment``; None for all rows.
    :param segment_value: Value of the segment.
    """

    source: Annotated[str, one_of(SERVING, TRAINING)] = SERVING
    time_period: SpanText | None = None
    skip_period: SpanText | None = None
    aggregation_period: SpanText | None = None
    segment_group_id: SegmentLabel | None = None
    segment_value: SegmentLabel | None = None

    @property
    def names_segment(self) -> bool:
        """Whether the baseline is a segment; the segment of all rows has the id null."""
        return bool({"segment_group_id", "segment_value"} & self.model_fields_set)


class MetricChoice(Part):
    """
    The metric.

    :param type: Name of the metric in the protocol.
    :param threshold: Smallest score of a positive prediction.
    :param metric_at_k: Number of places of a ranking that are evaluated.
    :param metric_per_class: Class of a metric per class.
    :param average: ``micro``, ``macro`` or ``weighted``.
    :param quantile: Probability of ``quantile``.
    :param value: Value of ``value_count``.
    :param id: Name or id of a custom metric.
    :param field: The only field that is judged, or ``_id`` for rows; in configurations of the first version.
    """

    type: Name
    threshold: Number | None = None
    metric_at_k: int | None = None
    metric_per_class: Any = None
    average: str | None = None
    quantile: Number | None = None
    value: Any = None
    id: SegmentLabel | None = None
    field: Name | None = None


class Condition(Part):
    """
    Condition without which a window is not judged.

    :param name: Name of the condition.
    :param value: Smallest number of rows, or of parts of the baseline.
    :param min: Smallest value of the metric.
    :param max: Greatest value of the metric.
    :param minimum_time_windows_in_baseline: Number of parts that must remain without trailing zeros.
    """

    name: Annotated[
        str,
        one_of(
            "MIN_FOCAL_DATA_POINTS",
            "MIN_BASELINE_DATA_POINTS",
            "FOCAL_DATA_VALUE_IN_RANGE",
            "BASELINE_DATA_VALUE_IN_RANGE",
            "BASELINE_MIN_BUCKETS",
            "IGNORE_TRAILING_ZEROS",
        ),
    ]
    value: Number | None = None
    min: Number | None = None
    max: Number | None = None
    minimum_time_windows_in_baseline: int | None = None


class Action(Part):
    """
    What happens if a window fails. Unknown keys, which concern the display or the delivery, are ignored.

    :param type: ``ALERT``.
    :param severity: ``LOW``, ``MEDIUM`` or ``HIGH``.
    :param alert_type: Name of the kind of alert.
    :param description: Text with placeholders.
    :param notification: Whom to notify.
    :param alert_group_by_time: Whether an alert that repeats within a time is added to the earlier one.
    :param alert_group_by_entity: Whether all fields of a version share an alert.
    :param alert_group_time_unit: ``h``, ``d``, ``w`` or ``M``.
    :param alert_group_time_quantity: Number of these units.
    """

    model_config = ConfigDict(extra="ignore")

    type: Annotated[str, one_of("ALERT")] = "ALERT"
    severity: Annotated[str, one_of(*SEVERITIES)] = "LOW"
    alert_type: str | None = None
    description: str | None = None
    notification: list[dict[str, Any]] = Field(default_factory=list)
    alert_group_by_time: bool = False
    alert_group_by_entity: bool = True
    alert_group_time_unit: Annotated[str, one_of("h", "d", "w", "M")] = "d"
    alert_group_time_quantity: Annotated[int, Field(ge=1)] = 1
