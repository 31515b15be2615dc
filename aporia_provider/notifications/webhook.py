"""Notifier that sends alerts to a webhook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseNotifier

from aporia_provider import settings
from aporia_provider.alerts import webhook_body
from aporia_provider.choices import choice_error
from aporia_provider.errors import ValidationError

if TYPE_CHECKING:
    from airflow.sdk import Context

TIMEOUT = 10
"""Time limit of a request in seconds."""
_KINDS = ("opened", "recurred", "resolved", "corrected")


class AporiaAlertNotifier(BaseNotifier):
    """
    Notifier that sends each alert that was opened to a webhook, as JSON with the keys of the protocol.

    It is passed to :class:`~aporia_provider.operators.alerts.NotifyAlertsOperator` or
    :class:`~aporia_provider.operators.alerts.MonitorModelOperator`. For the keys see
    :func:`~aporia_provider.alerts.webhook_body`. They do not contain the kind of the event, so only
    alerts that were opened are sent by default.

    :param http_conn_id: Connection of type ``http`` to the webhook: URL, and headers as JSON in ``extra``.
        Its login and password are sent with HTTP basic authentication.
    :param endpoint: Path that is appended to the URL of the connection.
    :param kinds: Kinds of events that are sent: ``opened``, ``recurred``, ``resolved`` or ``corrected``; see
        :class:`~aporia_provider.alerts.AlertEvent`.
    :raises aporia_provider.errors.ValidationError: if kinds are unknown; all are named.
    """

    template_fields = ("http_conn_id", "endpoint")

    def __init__(
        self,
        *,
        http_conn_id: str = "aporia_webhook",
        endpoint: str | None = None,
        kinds: Sequence[str] = ("opened",),
    ) -> None:
        super().__init__()
        _check_kinds(kinds)
        self.http_conn_id = http_conn_id
        self.endpoint = endpoint
        self.kinds = kinds

    def notify(self, context: Context) -> None:
        """
        Send the alert of the context.

        :raises ValueError: if the context has no alert.
        :raises Exception: if the webhook is not reachable or answers with an error.
        """
        values: Any = context
        if "alert" not in values:
            raise ValueError(
                "AporiaAlertNotifier sends alerts: pass it to NotifyAlertsOperator or MonitorModelOperator"
            )
        if values["event"].kind in self.kinds:
            self._post(webhook_body(values["alert"], values["alert_environment"], settings.page_url()))

    def _post(self, body: dict[str, Any]) -> None:
        from airflow.providers.http.hooks.http import HttpHook

        hook = HttpHook(method="POST", http_conn_id=self.http_conn_id)
        options = {"timeout": TIMEOUT, "allow_redirects": False}
        response = hook.run(self.endpoint, json=body, extra_options=options)
        if response.is_redirect:
            raise ValueError(
                f"Connection {self.http_conn_id!r}: the webhook redirects to another URL; enter that URL"
            )


def _check_kinds(kinds: Sequence[str]) -> None:
    """Raise an error if a kind is unknown, or the kinds are a string."""
    if isinstance(kinds, str):
        raise ValidationError(f"kinds is the text {kinds!r}: give a list of kinds")
    if problems := [choice_error(kind, _KINDS) for kind in kinds if kind not in _KINDS]:
        raise ValidationError("The kinds of events are not valid", problems=problems)
