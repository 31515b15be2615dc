"""Recording of verdicts: alerts are opened, recur and are resolved."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from aporia_provider.backend.monitors.alert_settings import AlertSettings
from aporia_provider.backend.monitors.incidents import (
    Incident,
    JudgedWindow,
    Match,
    find_incidents,
    match_alerts,
)
from aporia_provider.backend.monitors.verdict_store import (
    ROWS,
    failed_fields,
    failed_verdicts,
    judged_windows,
    read_verdicts,
    store_verdicts,
)
from aporia_provider.backend.store.monitor_tables import (
    AlertEventRow,
    AlertRow,
    AlertWindowRow,
    VerdictRow,
)
from aporia_provider.backend.store.tables import MonitorRow
from aporia_provider.verdicts import WindowVerdict

OPEN, RESOLVED = "open", "resolved"
OPENED, RECURRED, CORRECTED = "opened", "recurred", "corrected"


@dataclass(frozen=True)
class AlertGroup:
    """
    The alerts of a monitor on a version.

    :param monitor: The monitor.
    :param version: Name of the version; empty for the union of all versions.
    :param version_key: Key of the version; None for the union.
    :param segment: Value of the segment; empty for all rows.
    """

    monitor: MonitorRow
    version: str
    version_key: int | None
    segment: str

    @property
    def place(self) -> tuple[int, str, str]:
        """Key of the monitor, the version and the segment."""
        return self.monitor.key, self.version, self.segment

    @property
    def columns(self) -> dict[str, Any]:
        """Columns that are equal in the rows of the group's alerts."""
        return {"monitor_key": self.monitor.key, "version": self.version, "segment": self.segment}


def record_verdicts(
    session: Session,
    windows: Mapping[MonitorRow, Sequence[WindowVerdict]],
    now: datetime,
    version_keys: Mapping[str, int],
) -> dict[int, list[AlertRow]]:
    """
    Store the verdicts of monitors, and open, continue or resolve their alerts.

    The alerts depend only on the stored verdicts, so recording the same verdicts again changes nothing, and a
    window that is judged again changes its alert once.

    :param session: Session of a transaction that has locked the rows of the monitors.
    :param windows: The verdicts of each monitor.
    :param now: Time of the evaluation.
    :param version_keys: Keys of the versions by name.
    :return: The alerts that have changed, by key of the monitor.
    """
    store_verdicts(session, windows, version_keys, now)
    alerted = _alerted(session, [monitor.key for monitor in windows])
    changed: dict[int, list[AlertRow]] = {}
    for monitor, judged in windows.items():
        for group, own in _groups(monitor, judged, version_keys).items():
            # Without alerts, only a window that fails changes anything.
            if group.place in alerted or any(window.outcome == "fail" for window in own):
                update = _AlertUpdate(session, group, now)
                changed.setdefault(monitor.key, []).extend(update.run(min(window.start for window in own)))
    return changed


def _groups(
    monitor: MonitorRow, windows: Iterable[WindowVerdict], version_keys: Mapping[str, int]
) -> dict[AlertGroup, list[WindowVerdict]]:
    groups: dict[AlertGroup, list[WindowVerdict]] = {}
    for window in windows:
        key = version_keys[window.model_version] if window.model_version else None
        group = AlertGroup(monitor, window.model_version or "", key, window.segment or "")
        groups.setdefault(group, []).append(window)
    return groups


def _alerted(session: Session, monitor_keys: Collection[int]) -> set[tuple[int, str, str]]:
    """Return the key of the monitor, the version and the segment of all alerts."""
    row = AlertRow
    query = select(row.monitor_key, row.version, row.segment).where(row.monitor_key.in_(monitor_keys))
    return {(key, version, segment) for key, version, segment in session.execute(query.distinct())}


class _AlertUpdate:
    """
    Update of the alerts of a group.

    :param session: The session.
    :param group: The group.
    :param now: Time of the evaluation.
    """

    def __init__(self, session: Session, group: AlertGroup, now: datetime) -> None:
        self._session, self._group, self._now = session, group, now
        self._settings = AlertSettings.of(group.monitor.registration)

    def run(self, first_change: int) -> list[AlertRow]:
        """Update the alerts after windows that start at ``first_change`` or later were judged."""
        alerts = self._alerts(first_change)
        since = min([first_change - self._settings.repeat_seconds, *(alert.first for alert in alerts)])
        group = self._group
        rows = read_verdicts(self._session, group.monitor.key, group.version, group.segment, since)
        fields = {*failed_fields(rows), *(alert.field for alert in alerts)} if self._by_field else {ROWS}
        changed: list[AlertRow] = []
        for field in sorted(fields):
            own = [alert for alert in alerts if alert.field == field]
            changed += self._update_field(rows, field, own)
        return changed

    @property
    def _by_field(self) -> bool:
        return self._settings.by_field

    def _alerts(self, first_change: int) -> Sequence[AlertRow]:
        """Return the alerts that judged windows may change, oldest first."""
        touched = AlertRow.last + self._settings.repeat_seconds >= first_change
        query = select(AlertRow).filter_by(**self._group.columns)
        return self._session.scalars(
            query.where(touched | (AlertRow.status == OPEN)).order_by(AlertRow.first, AlertRow.key)
        ).all()

    def _update_field(
        self, rows: Sequence[VerdictRow], field: str, alerts: Sequence[AlertRow]
    ) -> Iterator[AlertRow]:
        windows = judged_windows(rows, field if self._by_field else None)
        incidents = find_incidents(windows, self._settings.repeat_seconds)
        findings = {row.start: row.findings for row in rows}
        for match in match_alerts([self._windows(alert) for alert in alerts], incidents):
            yield from self._apply(match, alerts, field, findings)

    def _windows(self, alert: AlertRow) -> set[int]:
        return set(self._session.scalars(select(AlertWindowRow.start).filter_by(alert_key=alert.key)))

    def _apply(
        self, match: Match, alerts: Sequence[AlertRow], field: str, findings: Mapping[int, dict[str, Any]]
    ) -> Iterator[AlertRow]:
        stored = [alerts[place] for place in sorted(match.alerts)]
        if not match.incidents:
            yield from (alert for alert in stored if self._retract(alert))
            return
        windows = [window for incident in match.incidents for window in incident.windows]
        details = self._details(findings[windows[-1].start], field)
        alert, merged = (stored[0], stored[1:]) if stored else (self._open(windows, field, details), [])
        yield from (other for other in merged if self._merge(other, alert))
        if self._update(alert, windows, match.incidents[-1], details) or not stored:
            yield alert

    def _details(self, findings: Mapping[str, Any], field: str) -> dict[str, Any]:
        failed = failed_verdicts(findings, field if self._by_field else None)
        return {"failed": failed, "description": findings["description"]}

    def _open(self, windows: Sequence[JudgedWindow], field: str, details: dict[str, Any]) -> AlertRow:
        alert = AlertRow(
            **self._group.columns,
            version_key=self._group.version_key,
            field=field,
            severity=self._settings.severity,
            status=OPEN,
            first=windows[0].start,
            last=windows[-1].end,
            occurrences=0,
            opened_at=self._now,
            details=details,
        )
        self._session.add(alert)
        self._session.flush()
        self._record(alert, OPENED)
        return alert

    def _update(
        self, alert: AlertRow, windows: Sequence[JudgedWindow], last: Incident, details: dict[str, Any]
    ) -> bool:
        """Update an alert to its windows; return whether anything has changed."""
        is_new = alert.occurrences == 0
        before, after = self._windows(alert), {window.start for window in windows}
        alert.first, alert.last, alert.details = windows[0].start, windows[-1].end, details
        alert.occurrences = len(windows)
        self._replace_windows(alert, windows)
        added = bool(after - before)
        if added and not is_new:
            self._record(alert, RECURRED)
        was_resolved = alert.status == RESOLVED
        alert.status = RESOLVED if last.is_over else OPEN
        if last.is_over and not was_resolved:
            alert.resolved_at = self._now
            self._record(alert, RESOLVED)
        elif was_resolved and not last.is_over:
            alert.resolved_at = None
            if not added:
                self._record(alert, RECURRED)
        return before != after or was_resolved != last.is_over

    def _replace_windows(self, alert: AlertRow, windows: Sequence[JudgedWindow]) -> None:
        self._session.execute(delete(AlertWindowRow).filter_by(alert_key=alert.key))
        self._session.add_all(
            AlertWindowRow(alert_key=alert.key, start=window.start, end=window.end) for window in windows
        )
        self._session.flush()

    def _retract(self, alert: AlertRow, **details: Any) -> bool:
        """Resolve an alert none of whose windows fails any more; return whether it has changed."""
        if not self._windows(alert):
            return False
        self._replace_windows(alert, [])
        was_open = alert.status == OPEN
        alert.status = RESOLVED
        alert.resolved_at = self._now if was_open else alert.resolved_at
        self._record(alert, RESOLVED if was_open else CORRECTED, **(details or {"retracted": True}))
        return True

    def _merge(self, alert: AlertRow, into: AlertRow) -> bool:
        return self._retract(alert, merged_into=into.id)

    def _record(self, alert: AlertRow, kind: str, **details: Any) -> None:
        body = {"occurrences": alert.occurrences, "last": alert.last, **details}
        delivered_at = self._now if kind == CORRECTED else None
        self._session.add(
            AlertEventRow(alert_key=alert.key, kind=kind, details=body, delivered_at=delivered_at)
        )
