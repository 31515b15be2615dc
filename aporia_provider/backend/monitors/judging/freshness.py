"""Rule ``TABLE_FRESHNESS``: no commit has changed the rows of a table for a long time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from aporia_provider.backend.freshness.stored_histories import StoredHistory
from aporia_provider.backend.monitors.fields import Subject
from aporia_provider.backend.monitors.judging.case import Case
from aporia_provider.backend.monitors.judging.series import false_alarms
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitor_configuration.spans import Span
from aporia_provider.monitoring.freshness import judge_lateness
from aporia_provider.verdicts import Verdict


def judge_freshness(case: Case) -> list[Verdict]:
    """
    Judge whether tables are late at the end of the window; values are seconds after the time of a late write.

    Commits are known until the log was read. A table that seems to be late after that may have been written.
    """
    return [_judge(case, subject) for subject in case.subjects]


def _judge(case: Case, subject: Subject) -> Verdict:
    stored = case.version.table_history((subject.field or "").partition(".")[2])
    if stored is None or stored.history is None:
        reason = stored.error if stored is not None and stored.error else _NEVER_READ
        return case.insufficient(subject, MetricResult(None), reason)
    moment = datetime.fromtimestamp(case.window.end, UTC)
    times = stored.times_until(moment)
    created = stored.created if stored.created is not None and stored.created <= moment else None
    if not times and created is None:
        return case.insufficient(subject, MetricResult(None), "no commits before this time are known")
    limit = case.rule.max and case.window.end - Span.of(case.rule.max).before(case.window.end)
    rate = false_alarms(case) / len(case.subjects)
    lateness = judge_lateness(times, moment, false_alarms_a_year=rate, max_gap=limit, created=created)
    if lateness.outcome == "fail" and (doubt := _doubt(stored, moment)) is not None:
        return case.insufficient(subject, MetricResult(lateness.value), doubt)
    return replace(lateness, field=subject.field)


_NEVER_READ = (
    "the log of the table has not been read: EvaluateMonitorsOperator, MonitorModelOperator, "
    "MonitorsHook.read_table_histories and syncs read it"
)


def _doubt(stored: StoredHistory, moment: datetime) -> str | None:
    """Return why a table may not be late; None if the log was read after the time."""
    if stored.read_at is not None and stored.read_at >= moment:
        return None
    error = f": {stored.error}" if stored.error else ""
    when = "never" if stored.read_at is None else f"at {stored.read_at.isoformat(timespec='seconds')}"
    return f"the log of the table was last read {when}, so later commits are not known{error}"
