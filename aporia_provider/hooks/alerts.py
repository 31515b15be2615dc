"""Hook for alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from aporia_provider import settings
from aporia_provider.alerts import Alert, AlertEvent, AlertStatus, OpenedAlert
from aporia_provider.errors import ValidationError
from aporia_provider.hooks.aporia import AporiaHook
from aporia_provider.hooks.delta_lake import DeltaLakeHook
from aporia_provider.registered_versions import latest_version

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.explanations import ChangeExplanation


class AlertsHook(AporiaHook):
    """
    Hook for alerts.

    Parameters: see :class:`~aporia_provider.hooks.aporia.AporiaHook`.
    """

    def get_alerts(
        self, model_id: str | None = None, *, status: AlertStatus | None = None, limit: int = 100
    ) -> list[Alert]:
        """Return alerts; see :class:`~aporia_provider.api.AporiaApi`."""
        with self.get_conn() as api:
            return api.get_alerts(model_id, status=status, limit=limit)

    def acknowledge_alert(self, alert_id: str, by: str | None = None) -> Alert:
        """Mark an alert as seen by somebody."""
        with self.get_conn() as api:
            return api.acknowledge_alert(alert_id, by)

    def snooze_alert(self, alert_id: str, until: datetime | timedelta | str) -> Alert:
        """Send no notifications of an alert until a time, or for some time from now."""
        if isinstance(until, timedelta):
            until = datetime.now().astimezone() + until
        with self.get_conn() as api:
            return api.snooze_alert(alert_id, until)

    def explain_alert(
        self, alert: Alert | str, *, aws_conn_id: str | None = DeltaLakeHook.default_conn_name
    ) -> ChangeExplanation:
        """
        Divide the change of performance that an alert is about into other inputs and other labels.

        Its windows are compared with the four weeks before. The first commits that added rows of the windows
        are read from the Delta logs of the serving dataset and the actuals; if a log cannot be read, the
        explanation contains the reason.

        :param alert: The alert, or its id.
        :param aws_conn_id: AWS connection used to read the logs.
        :return: See :meth:`.MetricsHook.explain_change`.
        :raises aporia_provider.errors.NotFoundError: if there is no such alert, or its monitor was deleted.
        :raises aporia_provider.errors.ValidationError: if the alert is not about the performance of one
            version of a binary model.
        """
        from aporia_provider.backend.monitors.alert_explanation import explain_alert

        with self.get_conn() as api:
            return explain_alert(api, alert, find_credentials=DeltaLakeHook(aws_conn_id).get_credentials)

    def notify(
        self,
        send: Callable[[Alert, AlertEvent], None] | Mapping[str, Callable[[Alert, AlertEvent], None]],
    ) -> int:
        """
        Send the notifications of alerts that have not been sent; requires the embedded backend.

        :param send: Function that sends the notification of an event, or several functions by the name of
            their receiver. If one raises, the next call sends the event again to the receivers that have not
            received it.
        :return: Number of events that were sent.
        :raises aporia_provider.errors.TransientError: naming the alerts whose notifications were not sent.
        """
        with self._registry("notifications are sent by tasks") as registry:
            report = registry.deliver_alert_events(send)
        report.raise_for_errors()
        return report.sent

    def claim_opened_alerts(self, claimant: str) -> list[OpenedAlert]:
        """
        Return open alerts whose asset events have not been emitted.

        Requires the embedded backend. Call :meth:`confirm_alert_events` when Airflow has stored the events.
        For the parameter see
        :meth:`~aporia_provider.backend.monitors.alert_calls.Alerts.claim_opened_alerts`.
        """
        with self._registry("asset events of alerts are emitted by tasks") as registry:
            return [
                OpenedAlert(
                    environment=registry.environment,
                    model_version=alert.model_version or latest_version(registry, alert.model_id),
                    alert=alert,
                )
                for alert in registry.claim_opened_alerts(claimant)
            ]

    def confirm_alert_events(self, claimant: str, alert_ids: Sequence[str]) -> None:
        """
        Record that the asset events of alerts were emitted.

        Requires the embedded backend. For the parameters see
        :meth:`~aporia_provider.backend.monitors.alert_calls.Alerts.confirm_alert_events`.
        """
        with self._registry("asset events of alerts are emitted by tasks") as registry:
            registry.confirm_alert_events(claimant, alert_ids)

    def _registry(self, reason: str) -> EmbeddedRegistry:
        """Open the embedded backend; raise an error if the connection refers to a server."""
        from aporia_provider.backend.embedded import EmbeddedRegistry

        server = self._server()
        if server.url is not None:
            raise ValidationError(
                f"Connection {self.aporia_conn_id!r} refers to a server; {reason} that can reach the "
                "database of the backend"
            )
        return EmbeddedRegistry(settings.database_url(), server.environment)
