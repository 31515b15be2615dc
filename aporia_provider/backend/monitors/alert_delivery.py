"""Delivery of the notifications of alerts."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session, aliased

from aporia_provider.alerts import Alert, AlertEvent
from aporia_provider.backend.monitors.alert_reading import event_of, read_alerts
from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.monitor_tables import AlertEventRow, AlertRow
from aporia_provider.backend.store.tables import MonitorRow, utc_now
from aporia_provider.errors import TransientError
from aporia_provider.redaction import redact_text

log = logging.getLogger(__name__)

CLAIM = timedelta(minutes=1)
"""Time after which an event that a process has not finished sending may be sent by another process."""

Send = Callable[[Alert, AlertEvent], None]


@dataclass
class DeliveryReport:
    """
    Result of a delivery.

    :param sent: Number of events that were sent.
    :param errors: Error messages of the events that could not be sent, by id of the alert.
    """

    sent: int = 0
    errors: dict[str, str] = field(default_factory=dict)

    def raise_for_errors(self) -> None:
        """
        Raise an error if events could not be sent.

        :raises aporia_provider.errors.TransientError: naming their alerts.
        """
        if self.errors:
            lines = "".join(f"\n  - alert {alert}: {error}" for alert, error in self.errors.items())
            raise TransientError(
                f"{self.sent} notifications were sent, and {len(self.errors)} were not; the next delivery "
                f"sends them again{lines}"
            )


@dataclass(frozen=True)
class _Claim:
    key: int
    alert: Alert
    event: AlertEvent
    delivered_to: tuple[str, ...]


def deliver_events(database: Database, environment: str, receivers: Mapping[str, Send]) -> DeliveryReport:
    """Send undelivered events; see :meth:`~.alert_calls.Alerts.deliver_alert_events`."""
    report = DeliveryReport()
    while (claim := _claim(database, environment, set(report.errors))) is not None:
        delivered_to, errors = _send(claim, receivers)
        if errors:
            report.errors[claim.alert.id] = "; ".join(errors)
        else:
            report.sent += 1
        _release(database, claim.key, delivered_to if errors else None)
    return report


def _send(claim: _Claim, receivers: Mapping[str, Send]) -> tuple[list[str], list[str]]:
    """Send an event to the receivers that have not received it; return those that have, and the errors."""
    delivered_to, errors = list(claim.delivered_to), []
    for name, send in receivers.items():
        if name in claim.delivered_to:
            continue
        try:
            send(claim.alert, claim.event)
        except Exception as error:
            message = redact_text(f"{type(error).__name__}: {error}")
            log.warning("The notification of alert %s was not sent: %s", claim.alert.id, message)
            errors.append(f"{name}: {message}" if len(receivers) > 1 else message)
        else:
            delivered_to.append(name)
    return delivered_to, errors


def _claim(database: Database, environment: str, failed: set[str]) -> _Claim | None:
    """Claim the oldest undelivered event of an alert that is not in ``failed``."""
    with database.write_transaction() as session:
        event_and_alert = _next_event(session, environment, failed)
        if event_and_alert is None:
            return None
        row, alert, monitor = event_and_alert
        row.claimed_until = utc_now() + CLAIM
        (told,) = read_alerts(session, [(alert, monitor)])
        return _Claim(row.key, told, event_of(row), tuple(row.delivered_to or ()))


def _next_event(
    session: Session, environment: str, failed: set[str]
) -> tuple[AlertEventRow, AlertRow, MonitorRow] | None:
    now = utc_now()
    earlier = aliased(AlertEventRow)
    is_first = ~exists().where(
        earlier.alert_key == AlertEventRow.alert_key,
        earlier.key < AlertEventRow.key,
        earlier.delivered_at.is_(None),
    )
    query = (
        select(AlertEventRow, AlertRow, MonitorRow)
        .join(AlertRow, AlertRow.key == AlertEventRow.alert_key)
        .join(MonitorRow, MonitorRow.key == AlertRow.monitor_key)
        .where(MonitorRow.environment == environment, AlertEventRow.delivered_at.is_(None), is_first)
        .where(or_(AlertEventRow.claimed_until.is_(None), AlertEventRow.claimed_until <= now))
        .where(or_(AlertRow.snoozed_until.is_(None), AlertRow.snoozed_until <= now))
        .where(AlertRow.id.not_in(failed))
        .order_by(AlertEventRow.key)
        .limit(1)
        .with_for_update(of=AlertEventRow, skip_locked=True)
    )
    result = session.execute(query).first()
    return None if result is None else (result[0], result[1], result[2])


def _release(database: Database, key: int, incomplete: list[str] | None) -> None:
    """End a claim; ``incomplete`` has the receivers that have received the event, unless all have."""
    with database.write_transaction() as session:
        row = session.get(AlertEventRow, key)
        # The monitor may have been deleted in the meantime.
        if row is not None:
            row.claimed_until, row.delivered_to = None, incomplete or None
            row.delivered_at = utc_now() if incomplete is None else None
