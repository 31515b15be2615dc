"""The rule and the baseline of a monitor in short form."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from aporia_provider.monitor_configuration.parts import SERVING, TRAINING

if TYPE_CHECKING:
    from aporia_provider.monitor_definitions.definition import MonitorDefinition

METRICS = {
    "model_activity": "count",
    "missing_values": "missing_ratio",
    "data_drift": "histogram",
    "prediction_drift": "histogram",
    "values_range": "min_max",
    "new_values": "unique_values",
    "model_staleness": "last_version_creation",
    "table_freshness": "late",
}
"""Default metric of each type, by the name in the protocol."""
PERIODS = {"table_freshness": "1h"}
"""Default period of each type, if it is not a day."""
_LEARNED = ("false_alarms_a_year", "only_increase")
_SERIES = ("min", "max", "min_ratio", "max_ratio", *_LEARNED)
_OPTIONS = {
    "model_activity": _SERIES,
    "missing_values": _SERIES,
    "performance_degradation": _SERIES,
    "metric_change": _SERIES,
    "custom_metric": _SERIES,
    "data_drift": ("max", "false_alarms_a_year"),
    "prediction_drift": ("max", "false_alarms_a_year"),
    "values_range": ("min", "max", "max_distance", "values"),
    "new_values": ("max_new_values", "max_new_values_ratio"),
    "model_staleness": ("max_age",),
    "table_freshness": ("max_gap", "false_alarms_a_year"),
}
"""Options of the rules of each type."""
_ALL_OPTIONS = {name for names in _OPTIONS.values() for name in names}
_FORMS = (("min", "max"), ("min_ratio", "max_ratio"), ("max_gap",), _LEARNED)
"""Groups of options of a rule of a series, which exclude each other."""
_LONG, _SHORT = "18w", "2w"


def options_of(type_: str) -> tuple[str, ...]:
    """Return the options of the rule of a type; none if it has none, or there is no such type."""
    return _OPTIONS.get(type_, ())


def unusable_options(type_: str, options: Collection[str]) -> Iterator[str]:
    """
    Yield the problems of the options of a rule.

    :param type_: Type of the monitor.
    :param options: Names of all options that are given.
    """
    allowed = _OPTIONS[type_]
    for name in sorted(_ALL_OPTIONS & set(options)):
        if name not in allowed:
            yield f"{name} is no option of {type_}: use {', '.join(allowed)}"
    groups = [", ".join(name for name in form if name in options) for form in _FORMS]
    used = [group for group in groups if group]
    if len(used) > 1:
        forms = "limits, limits relative to the baseline, or learned values"
        yield f"use only one of {' and '.join(used)}: {forms}"
    if type_ == "model_staleness" and "max_age" not in options:
        yield "model_staleness requires max_age"


def rule_of(monitor: MonitorDefinition) -> dict[str, Any]:
    """Return the rule in the JSON of the protocol."""
    if monitor.type == "model_staleness":
        return {"name": "MODEL_STALENESS", "max": monitor.max_age}
    if monitor.type == "table_freshness":
        limit = {"max": monitor.max_gap} if monitor.max_gap else _rate(monitor)
        return {"name": "TABLE_FRESHNESS", **limit}
    if monitor.type in ("data_drift", "prediction_drift"):
        return _drift(monitor)
    if monitor.type in ("values_range", "new_values"):
        return {"name": "VALUES_RANGE", **_values(monitor)}
    if monitor.min is not None or monitor.max is not None:
        return _limits("RANGE", monitor.min, monitor.max)
    if _is_relative(monitor):
        return _limits("RATIO", monitor.min_ratio, monitor.max_ratio)
    return {
        "name": "TIME_SERIES_ANOMALY",
        "testOnlyIncrease": monitor.only_increase,
        **_rate(monitor),
    }


def _rate(monitor: MonitorDefinition) -> dict[str, Any]:
    return {"falseAlarmsAYear": monitor.false_alarms_a_year or 1}


def baseline_of(monitor: MonitorDefinition) -> dict[str, Any] | None:
    """Return the baseline in the JSON of the protocol; None if the rule has none."""
    length = monitor.baseline or _default_baseline(monitor)
    if length is None:
        return None
    if length.lower() == "training":
        return {"source": TRAINING}
    return {"source": SERVING, "timePeriod": length}


def _default_baseline(monitor: MonitorDefinition) -> str | None:
    if monitor.type in ("data_drift", "prediction_drift"):
        return "training" if monitor.max is not None else _LONG
    if monitor.type == "new_values":
        return "training"
    if monitor.type == "values_range":
        return "training" if "distance" in _values(monitor) else None
    if monitor.type in ("model_staleness", "table_freshness"):
        return None
    if monitor.min is not None or monitor.max is not None:
        return None
    return _SHORT if _is_relative(monitor) else _LONG


def _is_relative(monitor: MonitorDefinition) -> bool:
    return monitor.min_ratio is not None or monitor.max_ratio is not None


def _limits(name: str, low: float | None, high: float | None) -> dict[str, Any]:
    ends = {"min": low, "max": high}
    return {"name": name, **{end: value for end, value in ends.items() if value is not None}}


def _drift(monitor: MonitorDefinition) -> dict[str, Any]:
    rule: dict[str, Any] = {"name": "APORIA_DRIFT_SCORE"}
    if monitor.max is not None:
        return rule | {"thresholds": dict.fromkeys(("numeric", "categorical", "vector"), monitor.max)}
    return rule | _rate(monitor)


def _values(monitor: MonitorDefinition) -> dict[str, Any]:
    if monitor.type == "new_values":
        given = {
            "new_values_count_threshold": monitor.max_new_values,
            "new_values_ratio_threshold": monitor.max_new_values_ratio,
        }
        limits = {name: limit for name, limit in given.items() if limit is not None}
        return limits or {"new_values_count_threshold": 0}
    given = {
        "distance": monitor.max_distance,
        "min": monitor.min,
        "max": monitor.max,
        "values": monitor.values,  # type: ignore[dict-item]
    }
    limits = {name: limit for name, limit in given.items() if limit is not None}
    return limits or {"distance": 0}
