"""Registry methods for alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from aporia_provider.alerts import ALERT_STATUSES, Alert, AlertStatus, parse_time
from aporia_provider.backend.monitors.alert_reading import alerts_of, find_alert, read_alerts
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.json_columns import check_names
from aporia_provider.backend.store.lookups import find_model
from aporia_provider.backend.store.monitor_tables import AlertEventRow, AlertRow
from aporia_provider.backend.store.tables import MonitorRow, utc_now
from aporia_provider.choices import validated_choice
from aporia_provider.errors import ValidationError

if TYPE_CHECKING:
    from aporia_provider.backend.monitors.alert_delivery import DeliveryReport, Send

MAX_ALERTS = 1000
"""Maximum number of alerts that are returned at once."""


class Alerts(RegistryBase):
    """Registry methods for alerts."""

    def get_alerts(
        self, model_id: str | None = None, *, status: AlertStatus | None = None, limit: int = 100
    ) -> list[Alert]:
        """
        Return alerts, open ones first, then by severity and time.

        :param model_id: Id of the model; None for all models.
        :param status: ``open`` or ``resolved``; None for both.
        :param limit: Maximum number of alerts, up to 1000.
        :raises aporia_provider.errors.NotFoundError: if there is no such model.
        """
        if status is not None:
            validated_choice("status", status, ALERT_STATUSES)
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_ALERTS:
            raise ValidationError(f"limit: {limit!r} is not a whole number from 1 to {MAX_ALERTS}")
        query = alerts_of(self.environment)
        with self.database.read_transaction() as session:
            if model_id is not None:
                query = query.where(MonitorRow.subject == find_model(session, self.environment, model_id).id)
            if status is not None:
                query = query.where(AlertRow.status == status)
            return read_alerts(
                session, [(alert, monitor) for alert, monitor in session.execute(query.limit(limit))]
            )

    def acknowledge_alert(self, alert_id: str, by: str | None = None) -> Alert:
        """
        Mark an alert as seen by somebody; the first acknowledgement remains.

        The windows of an acknowledged alert become part of the history that anomalies are judged by.

        :param alert_id: Id of the alert.
        :param by: Who acknowledges it.
        :return: The alert.
        :raises aporia_provider.errors.NotFoundError: if there is no such alert.
        """
        check_names(alert=alert_id, **({} if by is None else {"by": by}))
        with self.database.write_transaction() as session:
            alert, monitor = find_alert(session, self.environment, alert_id)
            if alert.acknowledged_at is None:
                alert.acknowledged_at, alert.acknowledged_by = utc_now(), by
                _record(session, alert, "acknowledged", by=by)
            return read_alerts(session, [(alert, monitor)])[0]

    def snooze_alert(self, alert_id: str, until: datetime | str) -> Alert:
        """
        Send no notifications of an alert until a time.

        :param alert_id: Id of the alert.
        :param until: Time with a time zone, also in ISO format. A time in the past ends a snooze.
        :return: The alert.
        :raises aporia_provider.errors.NotFoundError: if there is no such alert.
        """
        check_names(alert=alert_id)
        moment = parse_time(until)
        with self.database.write_transaction() as session:
            alert, monitor = find_alert(session, self.environment, alert_id)
            alert.snoozed_until = moment
            _record(session, alert, "snoozed", until=moment.isoformat())
            return read_alerts(session, [(alert, monitor)])[0]

    def deliver_alert_events(self, send: Send | Mapping[str, Send]) -> DeliveryReport:
        """
        Send the notifications of alerts that were opened, recurred or were resolved, oldest first.

        Each event is sent once to each receiver, unless a process ends between sending and recording that:
        then it is sent again after a minute. Several processes may deliver at the same time. Events of a
        snoozed alert are sent when it is no longer snoozed.

        :param send: Function that sends the notification of an event, or several functions by the name of
            their receiver. If one raises, the others are called; the event is sent again by the next delivery
            to the receivers that have not received it, and the remaining events of that alert wait for it.
        :return: The numbers of sent and failed events, and the errors.
        """
        from aporia_provider.backend.monitors.alert_delivery import deliver_events

        receivers = send if isinstance(send, Mapping) else {"": send}
        return deliver_events(self.database, self.environment, receivers)

    def claim_opened_alerts(self, claimant: str) -> list[Alert]:
        """
        Return up to 100 open alerts whose asset events have not been emitted, severe ones first.

        No other task receives them for an hour. Call :meth:`confirm_alert_events` when Airflow has stored
        the events; without that, they are emitted again, by the claimant or, after the hour, by any task.
        So each event is emitted at least once.

        An alert that is resolved, or snoozed, before its event is emitted has none, unless it recurs.

        :param claimant: Text that identifies the task that emits the events. A task that runs again receives
            its alerts again at once, because Airflow discards the events of a task that fails.
        """
        from aporia_provider.backend.monitors.alert_claims import claim_alerts

        with self.database.write_transaction() as session:
            return claim_alerts(session, self.environment, claimant)

    def confirm_alert_events(self, claimant: str, alert_ids: Sequence[str]) -> None:
        """
        Record that the asset events of alerts were emitted. Ids of alerts that do not exist are ignored.

        :param claimant: Text that identifies the task that has emitted the events.
        :param alert_ids: Ids of the alerts.
        """
        from aporia_provider.backend.monitors.alert_claims import confirm_alerts

        with self.database.write_transaction() as session:
            confirm_alerts(session, self.environment, claimant, alert_ids)


def _record(session: Session, alert: AlertRow, kind: str, **details: Any) -> None:
    """Record a change that a person made. No notification of it is sent."""
    body = {"occurrences": alert.occurrences, **details}
    session.add(AlertEventRow(alert_key=alert.key, kind=kind, details=body, delivered_at=utc_now()))
    session.flush()
