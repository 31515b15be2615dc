"""Judgement of the alerts and the verdicts of monitors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from aporia_provider.alerts import Alert
from aporia_provider.health.health_report import HealthFinding
from aporia_provider.health.health_request import SEVERITIES
from aporia_provider.verdicts import LatestVerdict

_MOST_NAMED = 5
_NOT_OF_ROWS = "model_staleness"


def judge_alerts(
    alerts: Sequence[Alert], verdicts: Sequence[LatestVerdict], version: str, severity: str, *, complete: bool
) -> list[HealthFinding]:
    """
    Judge the open alerts of a version and of the union of all versions.

    Each open alert of at least a severity fails. Without one, the outcome is ``pass`` only if a monitor of at
    least this severity has judged the data.

    :param alerts: The open alerts of the model.
    :param verdicts: The latest verdicts on the version and on the union.
    :param version: Name of the version.
    :param severity: The least severity.
    :param complete: Whether ``alerts`` are all open alerts.
    """
    severe = SEVERITIES[SEVERITIES.index(severity) :]
    relevant = [each for each in alerts if each.severity in severe and each.model_version in (version, None)]
    if relevant:
        return [_open(alert) for alert in relevant]
    name = f"open alerts of severity {' or '.join(severe)}"
    judged = [
        each
        for each in verdicts
        if each.severity in severe and each.outcome != "insufficient" and each.monitor_type != _NOT_OF_ROWS
    ]
    if not complete:
        reason = f"only the first {len(alerts):,} open alerts of the model were read"
        return [HealthFinding(check="alert", name=name, outcome="insufficient", reason=reason)]
    if not judged:
        reason = f"no active monitor of this severity has judged the data of version {version!r}"
        return [HealthFinding(check="alert", name=name, outcome="insufficient", reason=reason)]
    return [HealthFinding(check="alert", name=name, outcome="pass", value=0)]


def judge_monitor(
    name: str, verdicts: Iterable[LatestVerdict], since: datetime | None, missing: str
) -> list[HealthFinding]:
    """
    Judge the latest verdicts of a monitor. A verdict that is too old does not pass.

    :param name: Name of the monitor.
    :param verdicts: Its verdicts on the version and on the union of all versions.
    :param since: Earliest end of a window that is recent enough; None if every window is.
    :param missing: Reason if there is no verdict.
    """
    findings = [_judged(verdict, since) for verdict in verdicts if verdict.monitor == name]
    return findings or [HealthFinding(check="monitor", name=name, outcome="insufficient", reason=missing)]


def concerns(monitor: Mapping[str, Any], names: Iterable[str]) -> bool:
    """
    Return whether a monitor may judge a version.

    :param monitor: The monitor; see :meth:`~aporia_provider.api.AporiaApi.get_monitors`.
    :param names: Id and name of the version.
    """
    step: Any = monitor
    for key in ("configuration", "identification", "models", "version"):
        step = step.get(key) if isinstance(step, Mapping) else None
    return step is None or step in ("latest", "all_versions", *names)


def _open(alert: Alert) -> HealthFinding:
    windows = f"{alert.occurrences} window" + ("s" if alert.occurrences > 1 else "")
    fields = _listed([verdict.field or verdict.metric for verdict in alert.failed])
    reason = f"{alert.severity} alert, {windows}" + (f": {fields}" if fields else "")
    return _with_failed(
        HealthFinding(
            check="alert",
            name=f"{alert.monitor}{_rows(alert.segment)}",
            outcome="fail",
            start=alert.start,
            end=alert.end,
            reason=reason,
        ),
        alert.failed,
    )


def _judged(verdict: LatestVerdict, since: datetime | None) -> HealthFinding:
    outcome, reasons = verdict.outcome, []
    if verdict.failed_count:
        fields = _listed([each.field or each.metric for each in verdict.failed], verdict.failed_count)
        reasons.append(f"failed: {fields}")
    if verdict.insufficient_count:
        reasons.append(f"{verdict.insufficient_count} with too little data ({verdict.reason})")
    if verdict.detectable:
        reasons.append(f"would have found {_changes(verdict.detectable)}")
    if since is not None and datetime.fromisoformat(verdict.end) < since and outcome == "pass":
        outcome = "insufficient"
        reasons.append(f"the latest judged window ended before {since.isoformat()}")
    union = "" if verdict.model_version else ", all versions"
    finding = HealthFinding(
        check="monitor",
        name=f"{verdict.monitor}{union}{_rows(verdict.segment)}",
        outcome=outcome,
        start=verdict.start,
        end=verdict.end,
        reason="; ".join(reasons) or None,
    )
    return _with_failed(finding, verdict.failed)


def _changes(detectable: Mapping[str, float]) -> str:
    """Return the smallest changes that would have failed with a probability of 80 %."""
    return _listed([f"a change of {change:.3g}{_of(name)}" for name, change in detectable.items()])


def _of(field: str) -> str:
    return f" in {field}" if field else ""


def _rows(segment: str | None) -> str:
    return f", {segment}" if segment else ""


def _with_failed(finding: HealthFinding, failed: Sequence[Any]) -> HealthFinding:
    """Return a finding with the numbers of the field that is farthest from its limits."""
    if not failed:
        return finding
    worst = failed[0]
    return replace(finding, value=worst.value, min=worst.low, max=worst.high, samples=worst.samples)


def _listed(names: Sequence[str], count: int | None = None) -> str:
    more = (len(names) if count is None else count) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
