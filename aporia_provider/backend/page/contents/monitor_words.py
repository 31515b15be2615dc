"""Configurations of monitors in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aporia_provider.backend.monitors.judging.drift import is_by_history
from aporia_provider.backend.monitors.judging.series import permitted_rate
from aporia_provider.monitor_configuration import MonitorConfiguration
from aporia_provider.monitor_configuration.logic_rules import (
    DriftRule,
    FreshnessRule,
    RangeRule,
    RatioRule,
    SeriesRule,
    StalenessRule,
    ValuesRule,
)
from aporia_provider.monitor_configuration.parts import TRAINING, Condition

_UNITS = {"h": "hour", "d": "day", "w": "week", "M": "month"}
_VERSIONS = {None: "each version", "latest": "the latest version", "all_versions": "all versions together"}
_FIXED = {
    "model_activity": "The number of rows",
    "model_staleness": "The age of the latest version",
    "table_freshness": "The time since the last write of the tables",
}
_OF_FIELDS = {
    "data_drift": "The distribution of {fields}",
    "prediction_drift": "The distribution of {fields}",
    "values_range": "The least and the greatest value of {fields}",
    "new_values": "The number of values of {fields} that the baseline does not have",
}
_MOST_FIELDS = 5


def promised_rate(configuration: MonitorConfiguration) -> float | None:
    """Return the number of false alarms a year that a monitor promises; None if it has fixed limits."""
    rule = configuration.rule
    learns = (
        isinstance(rule, SeriesRule)
        or (isinstance(rule, DriftRule) and is_by_history(rule))
        or (isinstance(rule, FreshnessRule) and rule.max is None)
    )
    return permitted_rate(rule) if learns else None


def in_words(configuration: MonitorConfiguration) -> str:
    """Return what a monitor judges, when it fails, and what it does then, in sentences."""
    sentences = [_subject(configuration), _rule(configuration), *_conditions(configuration)]
    sentences.append(f"Its alerts have the severity {configuration.action.severity}")
    if configuration.unsupported:
        sentences.append(f"It cannot be judged: {configuration.unsupported}")
    return " ".join(f"{sentence}." for sentence in sentences)


def _subject(configuration: MonitorConfiguration) -> str:
    period = span_in_words(configuration.focal.time_period)
    skip = configuration.focal.skip_period
    version = configuration.identification.models.version
    versions = _VERSIONS.get(version, f"version {version}")
    delay = f", {span_in_words(skip)} after its end" if skip else ""
    of_versions = "" if configuration.type == "model_staleness" else f" of {versions}"
    subject = f"{_measured(configuration)}{of_versions}{_rows(configuration)}"
    return f"{subject} is judged for every window of {period}{delay}"


def _rows(configuration: MonitorConfiguration) -> str:
    if configuration.segment is None:
        return ""
    name, value = configuration.segment
    return f", rows of each value of segment {name}," if value is None else f", rows of {name} = {value},"


def _measured(configuration: MonitorConfiguration) -> str:
    if configuration.type in _FIXED:
        return _FIXED[configuration.type]
    fields = _fields(configuration)
    if configuration.type in _OF_FIELDS:
        return _OF_FIELDS[configuration.type].format(fields=fields)
    if configuration.metric.type == "custom_metric":
        return f"The custom metric {configuration.metric.id}"
    of_fields = "" if configuration.type == "performance_degradation" and fields == _ALL else f" of {fields}"
    return f"The metric {configuration.metric.type}{_parameters(configuration)}{of_fields}"


_ALL = "all fields"


def _fields(configuration: MonitorConfiguration) -> str:
    named = configuration.identification.fields
    names = [name for field_names in named.values() for name in field_names]
    if not names:
        return configuration.metric.field or _ALL
    more = f" and {len(names) - _MOST_FIELDS} more" if len(names) > _MOST_FIELDS else ""
    return ", ".join(names[:_MOST_FIELDS]) + more


def _parameters(configuration: MonitorConfiguration) -> str:
    metric = configuration.metric
    parameters = {
        "threshold": metric.threshold,
        "k": metric.metric_at_k,
        "class": metric.metric_per_class,
        "average": metric.average,
        "quantile": metric.quantile,
        "value": metric.value,
    }
    texts = [f"{name} {value}" for name, value in parameters.items() if value is not None]
    return f" ({', '.join(texts)})" if texts else ""


def _rule(configuration: MonitorConfiguration) -> str:
    rule, baseline = configuration.rule, _baseline(configuration)
    if isinstance(rule, RangeRule):
        return f"It fails if the value is {_outside(rule.min, rule.max)}"
    if isinstance(rule, RatioRule):
        return f"It fails if the value is {_outside(rule.min, rule.max)} times the value of {baseline}"
    if isinstance(rule, SeriesRule):
        side = "above" if rule.test_only_increase else "outside of"
        return f"It fails if the value is {side} what {baseline} lets expect, {_promise(configuration)}"
    if isinstance(rule, DriftRule):
        return _drift(configuration, rule, baseline)
    if isinstance(rule, StalenessRule):
        return f"It fails if it is more than {span_in_words(rule.max)}"
    if isinstance(rule, FreshnessRule):
        if rule.max is not None:
            return f"It fails if it is more than {span_in_words(rule.max)}"
        return f"It fails if it is longer than past writes let expect, {_promise(configuration)}"
    return _values(rule, baseline)


def _drift(configuration: MonitorConfiguration, rule: DriftRule, baseline: str) -> str:
    if is_by_history(rule):
        text = "It fails if a field differs from its own history more than all fields usually do"
        return f"{text}, {_promise(configuration)}"
    limits = rule.thresholds.model_dump() if rule.thresholds else {}
    set_limits = {kind: limit for kind, limit in limits.items() if limit is not None}
    texts = [f"{limit:g} ({kind} fields)" for kind, limit in set_limits.items()]
    is_one = len(set_limits) == len(limits) and len(set(set_limits.values())) == 1
    shown = f"{next(iter(set_limits.values())):g}" if is_one else ", ".join(texts)
    return f"It fails if the distance from {baseline}, less that expected without drift, is above {shown}"


def _values(rule: ValuesRule, baseline: str) -> str:
    new = {
        "{:g}": rule.new_values_count_threshold,
        "{:g} times the number of values of " + baseline: rule.new_values_ratio_threshold,
    }
    limits = [text.format(limit) for text, limit in new.items() if limit is not None]
    if limits:
        return f"It fails if it is more than {' or '.join(limits)}"
    if rule.values is not None:
        return f"It fails if there are values other than {', '.join(map(str, rule.values[:_MOST_FIELDS]))}"
    texts = [] if rule.min is None and rule.max is None else [_outside(rule.min, rule.max)]
    if rule.distance is not None:
        wider = f", widened by {rule.distance:g} of its width" if rule.distance else ""
        texts.append(f"outside of the range of {baseline}{wider}")
    return f"It fails if a value is {' or '.join(texts)}"


def _promise(configuration: MonitorConfiguration) -> str:
    rate = f"{permitted_rate(configuration.rule):g}"
    return f"with about {rate} false alarm{'' if rate == '1' else 's'} a year"


def _outside(low: float | None, high: float | None) -> str:
    if low is None:
        return f"above {high:g}"
    return f"below {low:g}" if high is None else f"not from {low:g} to {high:g}"


def _baseline(configuration: MonitorConfiguration) -> str:
    baseline = configuration.baseline
    if baseline is None:
        return "the past"
    named = configuration.baseline_segment
    rows = f", rows of {named[0]} = {named[1]}" if named else ", all rows" if baseline.names_segment else ""
    if baseline.source == TRAINING:
        return f"the training data{rows}"
    length = span_in_words(baseline.time_period) if baseline.time_period else "time"
    return f"the {length} of serving data before{rows}"


def _conditions(configuration: MonitorConfiguration) -> Iterator[str]:
    for condition in configuration.settings.pre_conditions:
        yield f"A window is not judged {_condition(condition)}"


def _condition(condition: Condition) -> str:
    texts: dict[str, Any] = {
        "MIN_FOCAL_DATA_POINTS": f"with fewer than {condition.value or 0:g} rows",
        "MIN_BASELINE_DATA_POINTS": f"if its baseline has fewer than {condition.value or 0:g} rows",
        "FOCAL_DATA_VALUE_IN_RANGE": "if its value is not in the range of the condition",
        "BASELINE_DATA_VALUE_IN_RANGE": "if the value of its baseline is not in the range of the condition",
        "BASELINE_MIN_BUCKETS": f"if its baseline has fewer than {condition.value or 0:g} parts",
        "IGNORE_TRAILING_ZEROS": "if too few parts of its baseline remain without trailing zeros",
    }
    return str(texts[condition.name])


def span_in_words(text: str) -> str:
    """Return a length of time such as ``2w`` as text, such as ``2 weeks``."""
    count, unit = int(text[:-1]), _UNITS[text[-1]]
    return f"{count} {unit}" + ("s" if count > 1 else "")
