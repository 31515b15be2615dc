"""The rule of each configuration."""

from __future__ import annotations

from collections.abc import Callable

from aporia_provider.backend.metrics.missing_rows import never_synced
from aporia_provider.backend.monitors.judging.case import Case
from aporia_provider.backend.monitors.judging.conditions import apply_conditions
from aporia_provider.backend.monitors.judging.drift import judge_drift_score
from aporia_provider.backend.monitors.judging.freshness import judge_freshness
from aporia_provider.backend.monitors.judging.limits import judge_range, judge_ratio
from aporia_provider.backend.monitors.judging.series import judge_anomaly
from aporia_provider.backend.monitors.judging.staleness import judge_staleness
from aporia_provider.backend.monitors.judging.values import judge_new_values, judge_values
from aporia_provider.datasets import SERVING
from aporia_provider.metric_results import MetricResult
from aporia_provider.verdicts import Verdict

Judge = Callable[[Case], list[Verdict]]

_JUDGES: dict[str, Judge] = {
    "RANGE": judge_range,
    "RATIO": judge_ratio,
    "TIME_SERIES_ANOMALY": judge_anomaly,
    "APORIA_DRIFT_SCORE": judge_drift_score,
    "VALUES_RANGE": judge_values,
    "MODEL_STALENESS": judge_staleness,
    "TABLE_FRESHNESS": judge_freshness,
}


def judge(case: Case) -> list[Verdict]:
    """Return the verdict on each field of a window."""
    reason = case.configuration.unsupported or _not_computed(case)
    if reason is not None:
        return [case.insufficient(subject, MetricResult(None), reason) for subject in case.subjects]
    if case.configuration.type == "new_values":
        return apply_conditions(case, judge_new_values(case))
    return apply_conditions(case, _JUDGES[case.rule.name](case))


def _not_computed(case: Case) -> str | None:
    """Return why the states of the segment are not known; None if they are, or all rows are judged."""
    version = case.version
    if version.term is None or version.is_synced(SERVING):
        return None
    return never_synced(version, SERVING).reason
