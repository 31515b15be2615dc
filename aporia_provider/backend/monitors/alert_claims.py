"""Alerts whose asset events tasks emit."""

from __future__ import annotations

from sqlalchemy import or_
from sqlalchemy.orm import Session

from aporia_provider.alerts import Alert
from aporia_provider.backend.monitors.alert_reading import alerts_of, read_alerts
from aporia_provider.backend.store.monitor_tables import AlertRow
from aporia_provider.backend.store.tables import utc_now

MAX_CLAIMED = 100
"""Maximum number of alerts that are claimed at once."""


def claim_alerts(session: Session, environment: str, claimant: str) -> list[Alert]:
    """Claim open alerts; see :meth:`~.alert_calls.Alerts.claim_opened_alerts`."""
    now = utc_now()
    query = (
        alerts_of(environment)
        .where(AlertRow.status == "open")
        .where(or_(AlertRow.snoozed_until.is_(None), AlertRow.snoozed_until <= now))
        .where(or_(AlertRow.emitted_by.is_(None), AlertRow.emitted_by == claimant))
        .limit(MAX_CLAIMED)
        .with_for_update(of=AlertRow, skip_locked=True)
    )
    found = [(alert, monitor) for alert, monitor in session.execute(query)]
    for alert, _ in found:
        alert.emitted_by = claimant
    return read_alerts(session, found)
