"""Rule ``MODEL_STALENESS``: the latest version is old."""

from __future__ import annotations

from aporia_provider.backend.monitors.judging.case import Case, excess_over
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitor_configuration.spans import DAY, Span
from aporia_provider.verdicts import Verdict


def judge_staleness(case: Case) -> list[Verdict]:
    """Judge whether the latest version of the model was registered a long time ago; values are days."""
    end = case.window.end
    created = [second for second in case.created if second < end]
    (subject,) = case.subjects
    if not created:
        return [case.insufficient(subject, MetricResult(None), "the model had no version yet")]
    limit = (end - Span.of(case.rule.max).before(end)) / DAY
    age = (end - max(created)) / DAY
    effect = excess_over(age, None, limit)
    outcome = "fail" if effect > 0 else "pass"
    result = MetricResult(age, samples=len(created))
    return [case.verdict(outcome, subject, result, high=limit, effect=effect)]  # type: ignore[arg-type]
