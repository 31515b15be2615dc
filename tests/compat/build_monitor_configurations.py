"""
Build configurations of monitors with the official SDK 3.38.0, and write them as JSON.

Run with a Python that has the package ``aporia==3.38.0``, which cannot be installed beside Airflow 3::

    python tests/compat/build_monitor_configurations.py > tests/compat/monitor_configurations.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

from aporia.sdk.metrics import AverageMethod, MetricType
from aporia.sdk.monitors import (
    BaselineConfiguration,
    DetectionMethod,
    FocalConfiguration,
    MonitorType,
    SegmentIdentification,
    Severity,
    SourceType,
    ThresholdConfiguration,
    TimePeriod,
    create_monitor_configuration,
)

BASELINES = {
    "serving": {"source": SourceType.SERVING, "timePeriod": "2w", "skipPeriod": "1d"},
    "parts": {
        "source": SourceType.SERVING,
        "timePeriod": "2w",
        "skipPeriod": "1d",
        "aggregationPeriod": "1d",
    },
    "training": {"source": SourceType.TRAINING},
    "segment": {
        "source": SourceType.SERVING,
        "timePeriod": "2w",
        "skipPeriod": "1d",
        "segmentGroupId": "group",
    },
}
RULES: list[dict[str, Any]] = [
    {"sensitivity": 0.3},
    {"percentage": 20},
    {"thresholds": ThresholdConfiguration(numeric=0.3, categorical=0.2)},
    {"min": 1, "max": 5},
    {"min": 1},
    {"distance": 0.5},
    {"new_values_count_threshold": 1},
    {"new_values_ratio_threshold": 0.2},
    {"staleness_period": TimePeriod(count=8, type="w")},
]
DISTANCES = (
    MetricType.HISTOGRAM,
    MetricType.JS_DISTANCE,
    MetricType.KS_DISTANCE,
    MetricType.HELLINGER_DISTANCE,
    MetricType.EUCLIDEAN_DISTANCE,
    MetricType.PSI,
)
OPTIONS: dict[str, Any] = {
    "k": 5,
    "prediction_class": "a",
    "average_method": AverageMethod.MACRO,
    "quantile": 0.9,
    "custom_metric_id": "metric",
}
NEEDED = {
    "quantile": ("quantile",),
    "custom_metric": ("custom_metric_id",),
}


def built(type_: MonitorType, method: DetectionMethod) -> list[dict[str, Any]]:
    """Return configurations of a type and a method: one for each rule, and of anomalies for each metric."""
    found: dict[str, dict[str, Any]] = {}
    is_drift = type_ in (MonitorType.DATA_DRIFT, MonitorType.PREDICTION_DRIFT)
    every = DISTANCES if is_drift else tuple(MetricType)
    few = (MetricType.MEAN, MetricType.F1, MetricType.EUCLIDEAN_DISTANCE, MetricType.CUSTOM_METRIC)
    for metric in [None, *(every if method is DetectionMethod.ANOMALY else few)]:
        for rule in RULES:
            body = attempt(type_, method, metric, baseline_of(method, is_drift), rule)
            if body is not None:
                settings = body["configuration"]
                logic = settings["logicEvaluations"][0]
                found.setdefault(f"metric {settings['metric']['type']}", body)
                found.setdefault(f"rule {logic['name']} {sorted(logic)}", body)
    return list({json.dumps(body): body for body in found.values()}.values())


def baseline_of(method: DetectionMethod, is_drift: bool) -> str | None:
    """Return the name of the baseline that the method is for."""
    if method is DetectionMethod.ANOMALY and not is_drift:
        return "parts"
    if method is DetectionMethod.ABSOLUTE:
        return None
    names = {DetectionMethod.COMPARED_TO_SEGMENT: "segment", DetectionMethod.COMPARED_TO_TRAINING: "training"}
    return names.get(method, "serving")


def attempt(
    type_: MonitorType,
    method: DetectionMethod,
    metric: MetricType | None,
    baseline: str | None,
    rule: dict[str, Any],
) -> dict[str, Any] | None:
    """Return the configuration; None if the SDK refuses the arguments."""
    names = NEEDED.get(metric.value if metric else "", ())
    if metric is not None:
        names += ("k",) if metric.value.endswith("_at_k") else ()
        names += ("prediction_class",) if metric.value.endswith("_per_class") else ()
    try:
        configuration = create_monitor_configuration(
            monitor_type=type_,
            detection_method=method,
            focal=FocalConfiguration(timePeriod="1d"),
            severity=Severity.HIGH,
            baseline=None if baseline is None else BaselineConfiguration(**BASELINES[baseline]),
            features=["age"],
            predictions=["proba"],
            metric=metric,
            segment_identification=SegmentIdentification(),
            **{name: OPTIONS[name] for name in names},
            **rule,
        )
        configuration.identification.models.id = "m"
        body: dict[str, Any] = json.loads(json.dumps(configuration.to_dict()))
        # Long texts, which are not parsed.
        del body["configuration"]["actions"][0]["description"]
    except Exception:
        # The SDK refuses arguments with errors of many types.
        return None
    return body


def main() -> None:
    """Write the configurations of all pairs of type and method."""
    every = [
        {"type": type_.value, "method": method.value, "configuration": body}
        for type_ in MonitorType
        for method in DetectionMethod
        for body in built(type_, method)
    ]
    sys.stdout.write("[" + ",\n".join(json.dumps(each, separators=(",", ":")) for each in every) + "]\n")


if __name__ == "__main__":
    main()
