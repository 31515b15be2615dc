"""Rule ``TIME_SERIES_ANOMALY``: comparison with the values of earlier windows."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from aporia_provider.backend.monitors.fields import Subject
from aporia_provider.backend.monitors.judging.case import Case, excess_over, reliable
from aporia_provider.backend.monitors.judging.mean_changes import is_of_mean, judge_mean_change
from aporia_provider.backend.monitors.windows import HISTORY
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitor_configuration.logic_rules import Rule, SeriesRule
from aporia_provider.monitor_configuration.parts import Condition
from aporia_provider.monitor_configuration.spans import DAY
from aporia_provider.monitoring.verdicts.promised_rate import rate_of_sensitivity
from aporia_provider.monitoring.verdicts.series_deviations import Kind
from aporia_provider.monitoring.verdicts.series_rule import PooledPast, Series
from aporia_provider.verdicts import Verdict

SENSITIVITY = 0.5
_SEASONAL = 42 * DAY
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHARES = ("accuracy", "precision", "recall", "f1", "specificity", "label_coverage")


def judge_anomaly(case: Case) -> list[Verdict]:
    """
    Judge whether values are in the range that is expected from the parts of the baseline.

    A baseline of fewer than :data:`~.windows.HISTORY` parts is extended by earlier ones, if there is data.

    The promised number of false alarms is divided among the fields, and among the values of a segment, whose
    deviations are ranked among those of all of them.

    Metrics of performance that are means are judged by :mod:`.mean_changes`, if the number of false alarms is
    given.
    """
    if is_of_mean(case.configuration, case.version.schema.model_type):
        rate = false_alarms(case) / _count(case)
        return [judge_mean_change(case, subject, rate) for subject in case.subjects]
    return [_judge(case, subject) for subject in case.subjects]


def _judge(case: Case, subject: Subject) -> Verdict:
    result = case.focal(subject)
    value = reliable(result)
    if value is None:
        return case.insufficient(subject, result)
    compared = _compared(case, subject, result)
    if compared is None:
        return case.insufficient(subject, result, "there is no data before the window")
    rate = false_alarms(case) / _count(case)
    found = compared.series.judge(compared.parts, rate, _pool(case, subject))
    if found.outcome == "insufficient":
        return case.insufficient(subject, result, found.reason)
    baseline = MetricResult(found.expected, samples=compared.samples)
    low = None if case.rule.test_only_increase else found.low
    effect = excess_over(value, low, found.high) if found.outcome == "fail" else 0.0
    return case.verdict(
        found.outcome,
        subject,
        result,
        baseline,
        low=low,
        high=found.high,
        effect=effect,
        detectable=found.detectable,
        reason=found.reason,
    )


def _count(case: Case) -> int:
    """Return the number of series that share the promised number of false alarms."""
    return len(case.subjects) * max(1, len(case.together))


@dataclass(frozen=True)
class _Compared:
    """
    The parts of a baseline and a window.

    :param series: Their values.
    :param parts: Number of the parts.
    :param samples: Number of rows of the parts.
    """

    series: Series
    parts: int
    samples: int


def _pool(case: Case, subject: Subject) -> PooledPast | None:
    """Return the past of a field in all values of the segment; None if there is only one."""
    if len(case.together) < 2:
        return None
    cases = [replace(case, version=version) for version in case.together]
    every = [_compared(each, subject, each.focal(subject)) for each in cases]
    known = [each for each in every if each is not None]
    key = PooledPast, tuple(id(each) for each in known)
    if key not in case.measures.cache:
        case.measures.cache[key] = PooledPast.of([(each.series, each.parts) for each in known])
    pool: PooledPast = case.measures.cache[key]
    return pool


def _compared(case: Case, subject: Subject, result: MetricResult) -> _Compared | None:
    """Return the values of the parts of the baseline and of the window; None if there are no parts."""
    condition, baseline = _trailing_zeros(case), case.configuration.baseline
    own = case.version.segment, subject.field
    excluded = frozenset(
        start for *place, start in case.excluded if tuple(place) == own and start < case.window.start
    )
    key = (
        id(case.version),
        case.question,
        subject.field,
        case.window,
        case.plan.aggregation_seconds,
        baseline and (baseline.time_period, baseline.skip_period),
        condition and condition.minimum_time_windows_in_baseline,
        condition is None,
        case.rule.test_only_increase,
        excluded,
    )
    if key not in case.measures.cache:
        case.measures.cache[key] = _series(case, subject, result, excluded)
    found: _Compared | None = case.measures.cache[key]
    return found


def _series(
    case: Case, subject: Subject, result: MetricResult, excluded: Collection[int]
) -> _Compared | None:
    past = _past(case, subject)
    if not past:
        return None
    sizes, value = [each.samples for _, each in past], reliable(result)
    series = Series(
        [*(_number(case, each, part) for part, each in past), math.nan if value is None else value],
        [*sizes, result.samples],
        seasons([*(part for part, _ in past), (case.window.start, case.window.end)]),
        buckets_a_year=case.plan.windows_a_year,
        only_increase=case.rule.test_only_increase,
        kind=_kind(case),
    )
    series.exclude([place for place, ((start, _), _) in enumerate(past) if start in excluded])
    return _Compared(series, len(past), sum(sizes))


def false_alarms(case: Case) -> float:
    """Return the number of false alarms a year that the configuration of a monitor permits."""
    return permitted_rate(case.rule)


def permitted_rate(rule: Rule) -> float:
    """Return the number of false alarms a year that a rule permits, if it learns what is usual."""
    if rule.false_alarms_a_year is not None:
        return float(rule.false_alarms_a_year)
    if isinstance(rule, SeriesRule):
        return rate_of_sensitivity(SENSITIVITY if rule.sensitivity is None else rule.sensitivity)
    return 1.0


def seasons(windows: Sequence[tuple[int, int]]) -> list[tuple[int, ...]]:
    """
    Return the seasons of windows: weekdays, with the hour for windows shorter than a day.

    All windows have the same season if they cover less than six weeks, since there are too few of a season.
    """
    if windows[-1][1] - windows[0][0] < _SEASONAL:
        return [()] * len(windows)
    return [season(*window) for window in windows]


def season(start: int, end: int) -> tuple[int, ...]:
    """Return the season of a window."""
    begins = _EPOCH + timedelta(seconds=start)
    if end - start < DAY:
        return begins.weekday(), begins.hour
    return (begins.weekday(),) if end - start == DAY else ()


def _past(case: Case, subject: Subject) -> list[tuple[tuple[int, int], MetricResult]]:
    """Return the metric in the parts of the baseline that begin with the first bucket with rows, or later."""
    parts = [
        part
        for part in case.plan.parts(case.window, HISTORY)
        if case.first is not None and part[0] >= case.first
    ]
    results = [
        (part, case.measures.result(case.version, case.question, subject.field, part, interval=False))
        for part in parts
    ]
    return _without_trailing_zeros(case, results)


def _without_trailing_zeros(
    case: Case, results: list[tuple[tuple[int, int], MetricResult]]
) -> list[tuple[tuple[int, int], MetricResult]]:
    condition = _trailing_zeros(case)
    if condition is None:
        return results
    kept = list(results)
    while kept and not reliable(kept[-1][1]):
        kept.pop()
    return kept if len(kept) >= (condition.minimum_time_windows_in_baseline or 1) else []


def _trailing_zeros(case: Case) -> Condition | None:
    conditions = case.configuration.settings.pre_conditions
    return next((each for each in conditions if each.name == "IGNORE_TRAILING_ZEROS"), None)


def _number(case: Case, result: MetricResult, part: tuple[int, int]) -> float:
    value = reliable(result)
    if value is None:
        return math.nan
    if not case.question.is_additive:
        return value
    return value * (case.window.end - case.window.start) / (part[1] - part[0])


def _kind(case: Case) -> Kind:
    if case.question.is_additive:
        return "count"
    is_share = case.question.metric.endswith("_ratio") or case.question.metric.startswith(_SHARES)
    return "ratio" if is_share else "value"
