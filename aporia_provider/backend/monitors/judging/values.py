"""Rule ``VALUES_RANGE``: values outside of a range, and new values."""

from __future__ import annotations

from typing import Any

from aporia_provider.backend.metrics.value_texts import texts_of
from aporia_provider.backend.monitors.fields import Subject
from aporia_provider.backend.monitors.judging.case import Case, excess_over, reliable
from aporia_provider.backend.monitors.measures import Question
from aporia_provider.metric_results import MetricResult
from aporia_provider.verdicts import Verdict

_LEAST, _GREATEST, _COUNTS = Question("min"), Question("max"), Question("histogram")
_MOST_SHOWN = 5


def judge_values(case: Case) -> list[Verdict]:
    """Judge whether the minimum and the maximum of fields are within limits."""
    if case.rule.values is not None:
        return [_allowed(case, subject) for subject in case.subjects]
    return [_range(case, subject) for subject in case.subjects]


def _range(case: Case, subject: Subject) -> Verdict:
    least, greatest = case.focal(subject, _LEAST), case.focal(subject, _GREATEST)
    low_value, high_value = reliable(least), reliable(greatest)
    if low_value is None or high_value is None:
        return case.insufficient(subject, least)
    low, high = case.rule.min, case.rule.max
    if case.rule.distance is not None:
        ends = [reliable(case.baseline(subject, question)) for question in (_LEAST, _GREATEST)]
        if ends[0] is None or ends[1] is None:
            reason = case.baseline(subject, _LEAST).reason or "there is no value"
            return case.insufficient(subject, least, f"in the baseline, {reason}")
        low, high = _widened(ends[0], ends[1], case.rule.distance, low, high)
    below, above = excess_over(low_value, low, None), excess_over(high_value, None, high)
    result = least if below > above else greatest
    effect = max(below, above)
    distances = [abs(end - value) for end, value in ((low, low_value), (high, high_value)) if end is not None]
    return case.verdict(
        "fail" if effect > 0 else "pass",
        subject,
        result,
        low=low,
        high=high,
        effect=effect,
        detectable=None if effect > 0 else min(distances, default=None),
    )


def _widened(
    least: float, greatest: float, distance: float, low: float | None, high: float | None
) -> tuple[float, float]:
    """Return the range of the baseline, widened in relation to its width, within given limits."""
    margin = distance * ((greatest - least) or max(abs(least), abs(greatest)))
    widened = least - margin, greatest + margin
    return max(widened[0], widened[0] if low is None else low), min(
        widened[1], widened[1] if high is None else high
    )


def _allowed(case: Case, subject: Subject) -> Verdict:
    result = case.focal(subject, _COUNTS)
    counts = _counted(result)
    if counts is None:
        return case.insufficient(subject, result)
    allowed = {text for value in case.rule.values for text in texts_of(value)}
    return _of_new(case, subject, result, [text for text in counts if text not in allowed], 0.0)


def judge_new_values(case: Case) -> list[Verdict]:
    """Judge whether fields have values that the baseline does not have."""
    return [_new(case, subject) for subject in case.subjects]


def _new(case: Case, subject: Subject) -> Verdict:
    result, baseline = case.focal(subject, _COUNTS), case.baseline(subject, _COUNTS)
    counts, before = _counted(result), _counted(baseline)
    if counts is None:
        return case.insufficient(subject, result)
    if before is None:
        reason = baseline.reason or "there are more distinct values than are kept"
        return case.insufficient(subject, result, f"in the baseline, {reason}")
    limits = []
    if case.rule.new_values_count_threshold is not None:
        limits.append(case.rule.new_values_count_threshold)
    if case.rule.new_values_ratio_threshold is not None:
        limits.append(case.rule.new_values_ratio_threshold * len(before))
    new = [text for text in counts if text not in before]
    return _of_new(case, subject, result, new, min(limits), baseline)


def _of_new(
    case: Case,
    subject: Subject,
    result: MetricResult,
    new: list[str],
    limit: float,
    baseline: MetricResult | None = None,
) -> Verdict:
    effect = excess_over(float(len(new)), None, limit)
    shown = ", ".join(map(repr, new[:_MOST_SHOWN])) + (" …" if len(new) > _MOST_SHOWN else "")
    return case.verdict(
        "fail" if effect > 0 else "pass",
        subject,
        MetricResult(len(new), samples=result.samples),
        high=limit,
        effect=effect,
        baseline_samples=baseline.samples if baseline else None,
        reason=f"values that are not expected: {shown}" if new else None,
    )


def _counted(result: MetricResult) -> dict[str, Any] | None:
    """Return the counts of all values; None if not all are known."""
    counts = result.value if result.status == "ok" else None
    if not isinstance(counts, dict) or "counts" not in counts or counts.get("unlisted"):
        return None
    return {text: count for text, count in counts["counts"].items() if count}
