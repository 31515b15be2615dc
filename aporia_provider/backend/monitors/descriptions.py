"""Texts of alerts: templates with placeholders such as ``{field}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

from aporia_provider.monitor_configuration import MonitorConfiguration
from aporia_provider.verdicts import Verdict, WindowVerdict

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_FIELDS = 5
_DEFAULT = "{metric} of {field} in {model}, version {model_version}, {focal_times}: {focal_value}{limits}"
_DEFAULT_OF_SEGMENT = _DEFAULT.replace("{focal_times}", "{focal_segment}, {focal_times}")


@dataclass(frozen=True)
class Failure:
    """
    A failed window.

    :param configuration: Configuration of the monitor.
    :param environment: Environment of the model.
    :param model: Registration of the model.
    :param window: The verdicts.
    :param baseline: Range of the baseline in seconds since 1970; None if there is none.
    :param importance: Importance of the fields by qualified name.
    :param deployed: When the latest version was registered, in seconds since 1970; None if unknown.
    :param baseline_segment: Text of the value of a segment in the baseline; empty for all rows.
    """

    configuration: MonitorConfiguration
    environment: str
    model: Mapping[str, Any]
    window: WindowVerdict
    baseline: tuple[int, int] | None
    importance: Mapping[str, float]
    deployed: int | None
    baseline_segment: str = ""

    @property
    def worst(self) -> Verdict:
        """The failed verdict with the greatest effect."""
        return self.window.failed[0]


def describe(failure: Failure, custom: str | None = None) -> str:
    """
    Return the text of the alert on a failed window.

    The placeholders of the protocol are replaced; others are left unchanged. Values are escaped, since the
    text is HTML, and their line breaks are spaces.

    :param failure: The failed window.
    :param custom: Template of the monitor, which is used if its configuration has none.
    """
    default = _DEFAULT_OF_SEGMENT if failure.window.segment else _DEFAULT
    template = failure.configuration.action.description or custom or default

    def value(match: re.Match[str]) -> str:
        find = _VALUES.get(match[1])
        return match[0] if find is None else escape(" ".join(find(failure).splitlines()))

    return _PLACEHOLDER.sub(value, template)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _metric(failure: Failure) -> str:
    metric = failure.configuration.metric
    return metric.type if metric.type != "custom_metric" else f"custom metric {metric.id}"


def _times(start: int, end: int) -> str:
    first, last = (_EPOCH + timedelta(seconds=second) for second in (start, end))
    return f"{first:%Y-%m-%d %H:%M} - {last:%Y-%m-%d %H:%M}"


def _fields(failure: Failure) -> str:
    names = [(verdict.field or "rows").partition(".")[2] or "rows" for verdict in failure.window.failed]
    more = len(names) - _MOST_FIELDS
    return ", ".join(names[:_MOST_FIELDS]) + (f" and {more} more" if more > 0 else "")


def _limits(failure: Failure) -> str:
    worst = failure.worst
    if worst.low is None and worst.high is None:
        return ""
    if worst.high is None:
        return f", which is less than {_number(worst.low)}"
    if worst.low is None:
        return f", which is more than {_number(worst.high)}"
    return f", which is not from {_number(worst.low)} to {_number(worst.high)}"


def _baseline_times(failure: Failure) -> str:
    return "all training data" if failure.baseline is None else _times(*failure.baseline)


def _importance(failure: Failure) -> str:
    return _number(failure.importance.get((failure.worst.field or "").removeprefix("features.")))


def _deployed(failure: Failure) -> str:
    second = failure.deployed
    return "-" if second is None else f"{_EPOCH + timedelta(seconds=second):%Y-%m-%d %H:%M}"


def _rule(failure: Failure, name: str) -> str:
    value = getattr(failure.configuration.rule, name, None)
    return "-" if value is None else str(value)


def _baseline_period(failure: Failure) -> str:
    baseline = failure.configuration.baseline
    return (baseline.time_period if baseline else None) or "-"


_VALUES: Mapping[str, Callable[[Failure], str]] = {
    "baseline_segment": lambda failure: failure.baseline_segment or "all data",
    "baseline_time_period": _baseline_period,
    "baseline_times": _baseline_times,
    "baseline_value": lambda failure: _number(failure.worst.baseline_value),
    "drift_score": lambda failure: _number(failure.worst.value),
    "drift_score_text": lambda failure: f"drift score {_number(failure.worst.value)}",
    "environment": lambda failure: failure.environment,
    "field": _fields,
    "focal_segment": lambda failure: failure.window.segment or "all data",
    "focal_time_period": lambda failure: failure.configuration.focal.time_period,
    "focal_times": lambda failure: _times(failure.window.start, failure.window.end),
    "focal_value": lambda failure: _number(failure.worst.value),
    "importance": _importance,
    "last_deployment_time": _deployed,
    "last_lower_bound": lambda failure: _number(failure.worst.low),
    "last_upper_bound": lambda failure: _number(failure.worst.high),
    "limits": _limits,
    "max_threshold": lambda failure: _rule(failure, "max"),
    "metric": _metric,
    "min_threshold": lambda failure: _rule(failure, "min"),
    "model": lambda failure: str(failure.model.get("name", "")),
    "model_id": lambda failure: str(failure.model.get("id", "")),
    "model_name": lambda failure: str(failure.model.get("name", "")),
    "model_version": lambda failure: failure.window.model_version or "all versions",
    "time_threshold": lambda failure: _rule(failure, "max"),
    "unexpected_values": lambda failure: failure.worst.reason or "-",
    "value_thresholds": lambda failure: _limits(failure).removeprefix(", which is ") or "-",
}
