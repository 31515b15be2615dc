"""Alerts whose asset events tasks emit: claimed, then confirmed when Airflow has stored the events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, and_, or_, select, update
from sqlalchemy.orm import Session

from aporia_provider.alerts import Alert
from aporia_provider.backend.monitors.alert_reading import alerts_of, read_alerts
from aporia_provider.backend.store.monitor_tables import AlertRow
from aporia_provider.backend.store.tables import MonitorRow, utc_now

MAX_CLAIMED = 100
"""Maximum number of alerts that are claimed at once."""
CLAIM = timedelta(hours=1)
"""Time after which an alert whose event was not confirmed may be claimed by another task."""


def claim_alerts(session: Session, environment: str, claimant: str) -> list[Alert]:
    """Claim open alerts; see :meth:`~.alert_calls.Alerts.claim_opened_alerts`."""
    now = utc_now()
    query = (
        alerts_of(environment)
        .where(AlertRow.status == "open")
        .where(or_(AlertRow.snoozed_until.is_(None), AlertRow.snoozed_until <= now))
        .where(or_(AlertRow.emitted_by.is_(None), AlertRow.claimed_until <= now, _claimed_by(claimant)))
        .limit(MAX_CLAIMED)
        .with_for_update(of=AlertRow, skip_locked=True)
    )
    claimed = [(alert, monitor) for alert, monitor in session.execute(query)]
    for alert, _ in claimed:
        alert.emitted_by, alert.claimed_until = claimant, now + CLAIM
    session.flush()
    _release_others(session, environment, claimant, [alert.key for alert, _ in claimed])
    return read_alerts(session, claimed)


def confirm_alerts(session: Session, environment: str, claimant: str, alert_ids: Sequence[str]) -> None:
    """Record that events were emitted; see :meth:`~.alert_calls.Alerts.confirm_alert_events`."""
    emitted = and_(AlertRow.id.in_(alert_ids), AlertRow.monitor_key.in_(_monitors(environment)))
    session.execute(update(AlertRow).where(emitted).values(emitted_by=claimant, claimed_until=None))


def _release_others(session: Session, environment: str, claimant: str, keys: Sequence[int]) -> None:
    """Release what an earlier try claimed and this one does not emit, since more severe alerts came first."""
    earlier = and_(_claimed_by(claimant), AlertRow.monitor_key.in_(_monitors(environment)))
    others = update(AlertRow).where(earlier, AlertRow.key.not_in(keys))
    session.execute(others.values(emitted_by=None, claimed_until=None))


def _claimed_by(claimant: str) -> ColumnElement[bool]:
    return and_(AlertRow.emitted_by == claimant, AlertRow.claimed_until.is_not(None))


def _monitors(environment: str) -> Select[int]:
    return select(MonitorRow.key).where(MonitorRow.environment == environment)
