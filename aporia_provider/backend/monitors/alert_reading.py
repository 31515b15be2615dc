"""Stored alerts as public objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, case, select, tuple_
from sqlalchemy.orm import Session

from aporia_provider.alerts import Alert, AlertEvent
from aporia_provider.backend.store.monitor_tables import AlertEventRow, AlertRow
from aporia_provider.backend.store.tables import ModelRow, MonitorRow
from aporia_provider.errors import NotFoundError
from aporia_provider.verdicts import Verdict

_BY_SEVERITY = case({"HIGH": 0, "MEDIUM": 1, "LOW": 2}, value=AlertRow.severity, else_=3)
_AT_ONCE = 500


def alerts_of(environment: str) -> Select[AlertRow, MonitorRow]:
    """Return a query of the alerts of an environment with their monitors: open, severe and new ones first."""
    query = select(AlertRow, MonitorRow).join(MonitorRow, MonitorRow.key == AlertRow.monitor_key)
    order = (AlertRow.status, _BY_SEVERITY, AlertRow.last.desc(), AlertRow.key.desc())
    return query.where(MonitorRow.environment == environment).order_by(*order)


def find_alert(session: Session, environment: str, alert_id: str) -> tuple[AlertRow, MonitorRow]:
    """
    Return an alert and its monitor, locked against changes until the transaction ends.

    :raises aporia_provider.errors.NotFoundError: if there is no such alert.
    """
    query = alerts_of(environment).where(AlertRow.id == alert_id).with_for_update(of=AlertRow)
    result = session.execute(query).first()
    if result is None:
        missing = f"There is no alert {alert_id!r} in environment {environment!r}"
        raise NotFoundError(missing, status=404)
    return result[0], result[1]


def read_alerts(session: Session, rows: Sequence[tuple[AlertRow, MonitorRow]]) -> list[Alert]:
    """Return the public form of alerts, with their history."""
    events: dict[int, list[AlertEventRow]] = {}
    keys = [alert.key for alert, _ in rows]
    for start in range(0, len(keys), _AT_ONCE):
        chosen = AlertEventRow.alert_key.in_(keys[start : start + _AT_ONCE])
        for event in session.scalars(select(AlertEventRow).where(chosen).order_by(AlertEventRow.key)):
            events.setdefault(event.alert_key, []).append(event)
    names = _model_names(session, {(monitor.environment, monitor.subject) for _, monitor in rows})
    return [
        _alert(alert, monitor, names[monitor.environment, monitor.subject], events.get(alert.key, ()))
        for alert, monitor in rows
    ]


def _model_names(session: Session, models: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    query = select(ModelRow).where(tuple_(ModelRow.environment, ModelRow.id).in_(list(models)))
    return {(model.environment, model.id): model.registration["name"] for model in session.scalars(query)}


def _alert(row: AlertRow, monitor: MonitorRow, model_name: str, events: Iterable[AlertEventRow]) -> Alert:
    return Alert(
        id=row.id,
        model_id=monitor.subject,
        model_name=model_name,
        model_version=row.version or None,
        segment=row.segment or None,
        monitor_id=monitor.id,
        monitor=monitor.name,
        monitor_type=monitor.registration["type"],
        severity=row.severity,
        status=row.status,  # type: ignore[arg-type]
        start=_time(row.first),
        end=_time(row.last),
        occurrences=row.occurrences,
        opened_at=row.opened_at.isoformat(),
        resolved_at=_iso(row.resolved_at),
        acknowledged_at=_iso(row.acknowledged_at),
        acknowledged_by=row.acknowledged_by,
        snoozed_until=_iso(row.snoozed_until),
        description=row.details.get("description"),
        failed=[Verdict.from_json(verdict) for verdict in row.details["failed"]],
        history=[event_of(event) for event in events],
    )


def event_of(row: AlertEventRow) -> AlertEvent:
    """Return the public form of an event."""
    details: dict[str, Any] = {name: value for name, value in row.details.items() if name != "last"}
    return AlertEvent(kind=row.kind, at=row.created_at.isoformat(), details=details)  # type: ignore[arg-type]


def _time(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
