"""Parsing of the configuration of a monitor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aporia_provider.errors import ValidationError
from aporia_provider.monitor_configuration.judged_settings import Identification, Settings
from aporia_provider.monitor_configuration.logic_rules import (
    AnyRule,
    DriftRule,
    RangeRule,
    RatioRule,
    SeriesRule,
    StalenessRule,
    ValuesRule,
)
from aporia_provider.monitor_configuration.parts import TRAINING, Action, Baseline, Focal, MetricChoice, Part
from aporia_provider.monitor_configuration.spans import Span

Method = Literal["anomaly", "percentage", "absolute", "segment", "training"]
"""How a monitor finds what is wrong. The protocol does not write it down: it follows from the rule."""

EUCLIDEAN = "euclidean_distance"
TABLE_FRESHNESS = "table_freshness"
_SERIES = ("TIME_SERIES_ANOMALY", "RATIO", "RANGE")
_RULES_OF_TYPES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("model_activity", "missing_values", "performance_degradation", "metric_change", "custom_metric"),
        _SERIES,
    ),
    **dict.fromkeys(("data_drift", "prediction_drift"), ("APORIA_DRIFT_SCORE", "RANGE")),
    **dict.fromkeys(("values_range", "new_values"), ("VALUES_RANGE",)),
    "model_staleness": ("MODEL_STALENESS",),
    TABLE_FRESHNESS: ("TABLE_FRESHNESS",),
}
_METRICS_OF_TYPES = {
    "model_activity": ("count",),
    "missing_values": ("missing_ratio", "missing_count", "missing"),
    "values_range": ("min_max",),
    "new_values": ("unique_values",),
    "model_staleness": ("last_version_creation",),
    TABLE_FRESHNESS: ("late",),
    "custom_metric": ("custom_metric", "code"),
}
_WITHOUT_SEGMENTS = ("model_staleness", TABLE_FRESHNESS)


class _Body(Part):
    """The two parts of a configuration."""

    identification: Identification
    configuration: Settings


@dataclass(frozen=True)
class MonitorConfiguration:
    """
    Configuration of a monitor.

    :param type: One of :data:`~aporia_provider.models.MONITOR_TYPES`.
    :param identification: The model and the fields that are judged.
    :param settings: What is judged, and how.
    """

    type: str
    identification: Identification
    settings: Settings

    @property
    def focal(self) -> Focal:
        """The data that is judged."""
        return self.settings.focal

    @property
    def baseline(self) -> Baseline | None:
        """The data that the focal data is compared with."""
        return self.settings.baseline

    @property
    def metric(self) -> MetricChoice:
        """The metric."""
        return self.settings.metric

    @property
    def rule(self) -> AnyRule:
        """The rule that decides."""
        return self.settings.logic_evaluations[0]

    @property
    def action(self) -> Action:
        """What happens if a window fails."""
        return self.settings.actions[0] if self.settings.actions else Action()

    @property
    def method(self) -> Method:
        """How the monitor finds what is wrong."""
        baseline = self.baseline
        if baseline is not None and baseline.names_segment:
            return "segment"
        if baseline is not None and baseline.source == TRAINING:
            return "training"
        if isinstance(self.rule, SeriesRule | DriftRule):
            return "anomaly"
        if isinstance(self.rule, RangeRule) and self.type in ("data_drift", "prediction_drift"):
            return "anomaly"
        is_compared = isinstance(self.rule, RatioRule) or _needs_baseline(self)
        return "percentage" if is_compared else "absolute"

    @property
    def aggregation(self) -> Span:
        """Length of the parts of the baseline. Default: the length of the focal windows."""
        period = self.baseline.aggregation_period if self.baseline else None
        return Span.of(period) if period else self.focal.period

    @property
    def segment(self) -> tuple[str, str | None] | None:
        """Name of the segment, and its value or None for each value separately; None for all rows."""
        segment = self.identification.segment
        return None if segment is None or segment.group is None else (segment.group, segment.value)

    @property
    def baseline_segment(self) -> tuple[str, str] | None:
        """The segment and the value of the baseline, if the baseline names them; None for all rows."""
        baseline = self.baseline
        if baseline is None or baseline.segment_group_id is None or baseline.segment_value is None:
            return None
        return baseline.segment_group_id, baseline.segment_value

    @property
    def is_of_tables(self) -> bool:
        """Whether the tables of datasets are judged, and not their data."""
        return self.type == TABLE_FRESHNESS

    @property
    def unsupported(self) -> str | None:
        """Why no window can be judged, however much data there is; None if windows can be judged."""
        if self.metric.type == "code" or self.type == "code_based_metric":
            return "code-based metrics are not supported: register a custom metric"
        baseline = self.baseline
        if baseline is not None and baseline.segment_group_id is not None and baseline.segment_value is None:
            # The SDK of the protocol builds such configurations.
            return f"the baseline is segment {baseline.segment_group_id!r} without a value: give segmentValue"
        return None


def parse_configuration(type_: str, body: Mapping[str, Any]) -> MonitorConfiguration:
    """
    Parse the configuration of a monitor.

    :param type_: Type of the monitor.
    :param body: ``configuration`` of its registration: ``identification`` and ``configuration``.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """
    try:
        parsed = _Body(**body)
    except ValidationError as error:
        raise ValidationError("The configuration is not valid", problems=error.problems) from None
    configuration = MonitorConfiguration(type_, parsed.identification, parsed.configuration)
    if problems := list(_problems(configuration)):
        raise ValidationError("The configuration is not valid", problems=problems)
    return configuration


def _problems(configuration: MonitorConfiguration) -> Iterator[str]:
    rule = configuration.rule
    allowed = _RULES_OF_TYPES.get(configuration.type)
    if allowed is not None and rule.name not in allowed:
        choices = " or ".join(allowed)
        yield f"logicEvaluations.0.name: {rule.name} is not a rule of {configuration.type}: use {choices}"
    metrics = _METRICS_OF_TYPES.get(configuration.type)
    if metrics is not None and configuration.metric.type not in metrics:
        yield (
            f"metric.type: {configuration.metric.type!r} is not a metric of {configuration.type}: "
            f"use {metrics[0]!r}"
        )
    if configuration.is_of_tables and configuration.identification.models.version == "all_versions":
        yield "models.version: table_freshness judges the tables of each version, not their union"
    if configuration.metric.type == "custom_metric" and configuration.metric.id is None:
        yield "metric.id: the name or id of a custom metric is required"
    yield from _segment_problems(configuration)
    yield from _limit_problems(configuration)
    yield from _baseline_problems(configuration)


def _segment_problems(configuration: MonitorConfiguration) -> Iterator[str]:
    segment, baseline = configuration.identification.segment, configuration.baseline
    if segment is not None and segment.group is None and segment.value is not None:
        yield "segment.value: a value requires a group: the name or id of a segment"
    names = configuration.segment is not None or (baseline is not None and baseline.names_segment)
    if names and configuration.type in _WITHOUT_SEGMENTS:
        yield f"segment: {configuration.type} is about all rows, not about a segment"
    if baseline is None or not baseline.names_segment:
        return
    if baseline.segment_group_id is None and baseline.segment_value is not None:
        yield "baseline.segmentValue: a value requires segmentGroupId: the name or id of a segment"
    rule = configuration.rule
    if isinstance(rule, SeriesRule):
        yield f"baseline.segmentGroupId: {rule.name} compares rows with their own past, not with a segment"
    if isinstance(rule, DriftRule) and rule.thresholds is None:
        yield f"baseline.segmentGroupId: {rule.name} requires thresholds to compare rows with a segment"


def _limit_problems(configuration: MonitorConfiguration) -> Iterator[str]:
    rule = configuration.rule
    if isinstance(rule, RangeRule | RatioRule):
        if rule.min is None and rule.max is None:
            yield f"logicEvaluations.0: {rule.name} requires min or max"
        elif rule.min is not None and rule.max is not None and rule.min > rule.max:
            yield f"logicEvaluations.0: min {rule.min:g} is greater than max {rule.max:g}"
    if isinstance(rule, ValuesRule):
        new = rule.new_values_count_threshold, rule.new_values_ratio_threshold
        limits = rule.distance, rule.min, rule.max, rule.values
        if configuration.type == "new_values" and new == (None, None):
            names = "new_values_count_threshold or new_values_ratio_threshold"
            yield f"logicEvaluations.0: new_values requires {names}"
        if configuration.type == "values_range" and all(limit is None for limit in limits):
            yield "logicEvaluations.0: values_range requires distance, min, max or values"


def _baseline_problems(configuration: MonitorConfiguration) -> Iterator[str]:
    rule, baseline = configuration.rule, configuration.baseline
    if baseline is None:
        if _needs_baseline(configuration):
            yield f"baseline: {rule.name} requires a baseline"
        return
    if baseline.source == TRAINING:
        if isinstance(rule, SeriesRule):
            yield "baseline.source: TIME_SERIES_ANOMALY requires a baseline of SERVING data"
    elif baseline.time_period is None and not isinstance(rule, StalenessRule):
        yield "baseline.timePeriod: a baseline of SERVING data requires a timePeriod"


def _needs_baseline(configuration: MonitorConfiguration) -> bool:
    rule = configuration.rule
    if isinstance(rule, ValuesRule):
        return configuration.type == "new_values" or rule.distance is not None
    if isinstance(rule, DriftRule):
        return rule.thresholds is not None
    return isinstance(rule, RatioRule | SeriesRule) or configuration.metric.type == EUCLIDEAN
