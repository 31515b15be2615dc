"""The short form of a monitor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from aporia_provider.base_model import Name, PublicModel, Title, one_of
from aporia_provider.errors import ValidationError
from aporia_provider.models import MAX_DESCRIPTION, MONITOR_TYPES, Monitor
from aporia_provider.monitor_configuration import parse_configuration
from aporia_provider.monitor_configuration.parts import SEVERITIES, Number, Positive, SegmentLabel
from aporia_provider.monitor_configuration.spans import SpanText
from aporia_provider.monitor_definitions.rules import (
    METRICS,
    PERIODS,
    baseline_of,
    options_of,
    rule_of,
    unusable_options,
)

_SCHEDULING = "0 * * * *"
"""Required by the protocol; monitors are evaluated after each sync."""
_FIELDS = ("raw_inputs", "features", "predictions", "actuals")
_WITH_CONFIGURATION = {"name", "type", "configuration", "active", "description"}


class MonitorDefinition(PublicModel):
    """
    The short form of a monitor. :meth:`to_monitor` returns it with the configuration of the protocol.

    Without limits, the values that are expected are learned from the history (types ``model_activity``,
    ``missing_values``, ``performance_degradation``, ``metric_change``, ``data_drift``,
    ``prediction_drift`` and ``table_freshness``).

    :param name: Name, unique among the monitors of the model.
    :param type: One of :data:`~aporia_provider.models.MONITOR_TYPES`.
    :param metric: Metric, for ``custom_metric`` the name of a custom metric. Required for
        ``performance_degradation``, ``metric_change`` and ``custom_metric``; the other types have a default.
    :param parameters: Parameters of the metric, named as in the protocol: ``threshold``, ``metricAtK``,
        ``metricPerClass``, ``average``, ``quantile`` or ``value``.
    :param raw_inputs: Raw inputs that are judged. Without any fields, all fields for which the type is meant
        are judged.
    :param features: Features that are judged.
    :param predictions: Predictions that are judged.
    :param actuals: Labels that are judged, by the name of the prediction.
    :param version: Name of the only version that is judged, ``latest``, or ``all_versions`` for the union of
        all. Default: each active version separately.
    :param segment: Name of a segment whose rows are judged, and compared with rows of the same segment.
    :param segment_value: The only value of the segment that is judged. Default: each value separately.
    :param period: Length of the windows that are judged, such as ``6h``, ``1d``, ``2w`` or ``1M``; of
        ``table_freshness``, time between verdicts. Default: ``1d``, and ``1h`` of ``table_freshness``.
    :param delay: Time between the end of a window and the time at which it is judged.
    :param baseline: ``training``, or the length of the serving data that windows are compared with. Default:
        ``training`` for limits of distances and values, 18 weeks where values are learned, else two weeks.
    :param min: Smallest value that passes.
    :param max: Greatest value that passes; for drift, greatest distance from the baseline.
    :param min_ratio: Smallest value that passes, divided by the value of the baseline.
    :param max_ratio: Greatest value that passes, divided by the value of the baseline.
    :param false_alarms_a_year: Number of false alarms a year that learned values may raise, for all fields
        together. Default: 1.
    :param only_increase: Whether only values above the learned ones fail.
    :param max_distance: Of ``values_range``: how far values may lie outside the range of the baseline, in
        relation to its width. Default: 0.
    :param values: Of ``values_range``: the values that pass.
    :param max_new_values: Of ``new_values``: greatest number of values that are not in the baseline.
        Default: 0, unless ``max_new_values_ratio`` is given.
    :param max_new_values_ratio: The same, divided by the number of values in the baseline.
    :param max_age: Of ``model_staleness``: greatest age of the latest version, such as ``8w``.
    :param max_gap: Of ``table_freshness``: longest time between writes of a table, such as ``26h``. Default:
        learned from the past writes.
    :param min_rows: Number of rows without which a window is not judged.
    :param severity: ``LOW``, ``MEDIUM`` or ``HIGH``.
    :param description: Text of its alerts.
    :param active: Whether the monitor is evaluated.
    :param configuration: Configuration of the protocol, instead of all of the above except ``name``,
        ``type``, ``description`` and ``active``.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    template_fields: ClassVar[tuple[str, ...]] = (
        "name",
        "raw_inputs",
        "features",
        "predictions",
        "version",
        "segment",
        "segment_value",
        "description",
        "configuration",
    )

    name: Title
    type: Annotated[str, one_of(*MONITOR_TYPES)]
    metric: Name | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    raw_inputs: list[Name] | None = None
    features: list[Name] | None = None
    predictions: list[Name] | None = None
    actuals: list[Name] | None = None
    version: Name | None = None
    segment: SegmentLabel | None = None
    segment_value: SegmentLabel | None = None
    period: SpanText | None = None
    delay: SpanText | None = None
    baseline: Name | None = None
    min: Number | None = None
    max: Number | None = None
    min_ratio: Number | None = None
    max_ratio: Number | None = None
    false_alarms_a_year: Positive | None = None
    only_increase: bool = False
    max_distance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    values: list[Any] | None = None
    max_new_values: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    max_new_values_ratio: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    max_age: SpanText | None = None
    max_gap: SpanText | None = None
    min_rows: Annotated[int, Field(ge=1)] | None = None
    severity: Annotated[str, one_of(*SEVERITIES)] = "MEDIUM"
    description: Annotated[str, Field(max_length=MAX_DESCRIPTION)] | None = None
    active: bool = True
    configuration: dict[str, Any] | None = None

    @classmethod
    def _advice_on_unknown(cls, name: str, value: Any) -> str:
        advice = super()._advice_on_unknown(name, value)
        type_ = value.get("type") if isinstance(value, Mapping) else None
        options = options_of(type_) if isinstance(type_, str) else ()
        return f"{advice} (options of {type_}: {', '.join(options)})" if options else advice

    @model_validator(mode="after")
    def _options_fit_together(self) -> Self:
        if problems := list(self._problems()):
            raise ValueError("; ".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        fields = type(self).model_fields
        options = {
            name
            for name in fields
            if getattr(self, name) != fields[name].get_default(call_default_factory=True)
        }
        if self.configuration is not None:
            if surplus := sorted(options - _WITH_CONFIGURATION):
                yield f"with configuration, there must not be {', '.join(surplus)}"
            return
        if self.type == "code_based_metric":
            yield f"{self.type} requires configuration"
            return
        if self.segment_value is not None and self.segment is None:
            yield "segment_value requires segment"
        if self.metric is None and self.type not in METRICS:
            yield f"{self.type} requires metric"
        yield from unusable_options(self.type, options)

    def to_monitor(self, model_id: str) -> Monitor:
        """
        Return the monitor with the configuration of the protocol.

        :param model_id: The model.
        :raises aporia_provider.errors.ValidationError: if the configuration is not valid.
        """
        configuration = self._body(model_id) if self.configuration is None else self.configuration
        try:
            parse_configuration(self.type, configuration)
        except ValidationError as error:
            message = f"Monitor {self.name!r} is not valid"
            raise ValidationError(message, problems=error.problems or [error.message]) from None
        return Monitor(
            name=self.name,
            type=self.type,
            scheduling=_SCHEDULING,
            configuration=configuration,
            is_active=self.active,
            custom_alert_description=self.description,
        )

    def _body(self, model_id: str) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in _FIELDS if getattr(self, name)}
        models = {"id": model_id, **({"version": self.version} if self.version else {})}
        segment = {"segment": {"group": self.segment, "value": self.segment_value}} if self.segment else {}
        return {
            "identification": {"models": models, **segment, **fields},
            "configuration": self._settings(),
        }

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "focal": {"source": "SERVING", "timePeriod": self.period or PERIODS.get(self.type, "1d")},
            "metric": {**self._metric(), **self.parameters},
            "actions": [{"type": "ALERT", "severity": self.severity}],
            "logicEvaluations": [rule_of(self)],
        }
        if self.delay:
            settings["focal"]["skipPeriod"] = self.delay
        if baseline := baseline_of(self):
            settings["baseline"] = baseline
        if self.min_rows is not None:
            settings["preConditions"] = [{"name": "MIN_FOCAL_DATA_POINTS", "value": self.min_rows}]
        return settings

    def _metric(self) -> dict[str, Any]:
        if self.type == "custom_metric":
            return {"type": self.type, "id": self.metric}
        return {"type": self.metric or METRICS[self.type]}
