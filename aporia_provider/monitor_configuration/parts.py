"""The parts of a monitor's configuration, named as in the JSON of the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from aporia_provider.base_model import Name, PublicModel, one_of
from aporia_provider.monitor_configuration.spans import Span, SpanText

SERVING, TRAINING = "SERVING", "TRAINING"
SEVERITIES = ("LOW", "MEDIUM", "HIGH")
FIELD_LISTS = ("raw_inputs", "features", "predictions", "actuals")

Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


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
    :param segment_group_id: Id of a segment, for the method ``segment``.
    :param segment_value: Value of the segment.
    """

    source: Annotated[str, one_of(SERVING, TRAINING)] = SERVING
    time_period: SpanText | None = None
    skip_period: SpanText | None = None
    aggregation_period: SpanText | None = None
    segment_group_id: str | None = None
    segment_value: Any = None

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
    :param id: Id of a custom metric.
    :param field: The only field that is judged, or ``_id`` for rows; in configurations of the first version.
    """

    type: Name
    threshold: Number | None = None
    metric_at_k: int | None = None
    metric_per_class: Any = None
    average: str | None = None
    quantile: Number | None = None
    value: Any = None
    id: Any = None
    field: Name | None = None


class Rule(Part):
    """
    Rule that decides between ``pass`` and ``fail``.

    :param false_alarms_a_year: Number of false alarms a year that the monitor may raise, whatever its number
        of fields. An extension of this package.
    """

    name: str
    false_alarms_a_year: Positive | None = None


class RangeRule(Rule):
    """Limits of the value."""

    name: Literal["RANGE"]
    min: Number | None = None
    max: Number | None = None


class RatioRule(Rule):
    """Limits of the value divided by that of the baseline."""

    name: Literal["RATIO"]
    min: Number | None = None
    max: Number | None = None


class SeriesRule(Rule):
    """
    Comparison with the values of earlier windows.

    :param sensitivity: From 0 to 1; more alarms are raised for a higher one. Default: 0.5.
    :param test_only_increase: Whether only values above the expected range fail.
    """

    name: Literal["TIME_SERIES_ANOMALY"]
    sensitivity: Annotated[float, Field(ge=0, le=1)] | None = None
    test_only_increase: bool = False


class Thresholds(Part):
    """Greatest drift scores that pass, by kind of the field."""

    numeric: Positive | None = None
    categorical: Positive | None = None
    vector: Positive | None = None


class DriftRule(Rule):
    """Limits of a distance from the baseline. Default: the comparison with each field's own history."""

    name: Literal["APORIA_DRIFT_SCORE"]
    thresholds: Thresholds | None = None


class ValuesRule(Rule):
    """
    Limits of the values of a field.

    :param distance: How far values may lie outside the range of the baseline, in relation to its width.
    :param min: Smallest value that passes.
    :param max: Greatest value that passes.
    :param values: Values that pass.
    :param new_values_count_threshold: Greatest number of values that pass and are not in the baseline.
    :param new_values_ratio_threshold: The same, divided by the number of values in the baseline.
    """

    name: Literal["VALUES_RANGE"]
    distance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    min: Number | None = None
    max: Number | None = None
    values: list[Any] | None = None
    new_values_count_threshold: Annotated[float | None, Field(ge=0, alias="new_values_count_threshold")] = (
        None
    )
    new_values_ratio_threshold: Annotated[float | None, Field(ge=0, alias="new_values_ratio_threshold")] = (
        None
    )


class StalenessRule(Rule):
    """
    Limit of the age of the latest version.

    :param max: The greatest age that passes.
    """

    name: Literal["MODEL_STALENESS"]
    max: SpanText


class FreshnessRule(Rule):
    """
    Limit of the time since the last write of a table. An extension of this package.

    :param max: The longest time that passes. Default: learned from the past writes.
    """

    name: Literal["TABLE_FRESHNESS"]
    max: SpanText | None = None


RULES = {
    "RANGE": RangeRule,
    "RATIO": RatioRule,
    "TIME_SERIES_ANOMALY": SeriesRule,
    "APORIA_DRIFT_SCORE": DriftRule,
    "VALUES_RANGE": ValuesRule,
    "MODEL_STALENESS": StalenessRule,
    "TABLE_FRESHNESS": FreshnessRule,
}


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


def _check_rule_name(value: Any) -> Any:
    if isinstance(value, Mapping):
        from aporia_provider.choices import choice_error

        name = value.get("name")
        if name not in RULES:
            raise ValueError(choice_error(name, tuple(RULES)))
    return value


AnyRule = Annotated[
    Annotated[
        RangeRule | RatioRule | SeriesRule | DriftRule | ValuesRule | StalenessRule | FreshnessRule,
        Field(discriminator="name"),
    ],
    BeforeValidator(_check_rule_name),
]


class Settings(Part):
    """
    What is judged, and how.

    :param focal: The data that is judged.
    :param metric: The metric.
    :param actions: What happens if a window fails.
    :param baseline: The data that it is compared with.
    :param logic_evaluations: The rule.
    :param pre_conditions: Conditions without which a window is not judged.
    """

    focal: Focal = Field(default_factory=Focal)
    metric: MetricChoice
    actions: list[Action] = Field(default_factory=list)
    baseline: Baseline | None = None
    logic_evaluations: Annotated[list[AnyRule], Field(min_length=1, max_length=1)]
    pre_conditions: list[Condition] = Field(default_factory=list)


class MonitoredModel(Part):
    """
    The model.

    :param id: Id of the model.
    :param version: None for each active version by itself, ``all_versions`` for their union, ``latest``, or
        the name or id of a version.
    """

    id: Name
    version: Name | None = None


class Segment(Part):
    """
    A segment of the rows.

    :param group: Id of the segment; None for all rows.
    :param value: Value of the segment; None for each of its values.
    """

    group: Any = None
    value: Any = None


FieldNames = list[Name | Annotated[list[Any], Field(min_length=1, max_length=2)]]
"""Names of fields, or pairs of name and type."""


class Identification(Part):
    """
    The model and the fields that are judged.

    :param models: The model.
    :param segment: Segment of the rows.
    :param raw_inputs: Names of raw inputs.
    :param features: Names of features.
    :param predictions: Names of predictions.
    :param actuals: Names of labels.
    :param environment: Environment, in configurations of the first version; has no effect.
    """

    models: MonitoredModel
    segment: Segment | None = None
    raw_inputs: Annotated[FieldNames | None, Field(alias="raw_inputs")] = None
    features: FieldNames | None = None
    predictions: FieldNames | None = None
    actuals: FieldNames | None = None
    environment: Any = None

    @property
    def fields(self) -> dict[str, list[str]]:
        """Names of the fields by category, for the categories that are given."""
        given = {name: getattr(self, name) for name in FIELD_LISTS}
        return {
            name: [str(each[0]) if isinstance(each, list) else each for each in names]
            for name, names in given.items()
            if names
        }
