"""Alerts of monitors, in Python and in the JSON of the protocol."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from html import escape
from typing import Any, Literal, get_args

from aporia_provider.base_model import parse_list
from aporia_provider.errors import ValidationError
from aporia_provider.verdicts import Verdict

AlertStatus = Literal["open", "resolved"]
ALERT_STATUSES: tuple[AlertStatus, ...] = get_args(AlertStatus)
_TOLD_OF_ALERT = ("monitor", "monitor_type", "severity", "start", "end", "description")
_TOLD_OF_VERDICT = ("metric", "field", "value", "low", "high")
EventKind = Literal["opened", "recurred", "resolved", "corrected", "acknowledged", "snoozed"]


@dataclass(frozen=True, kw_only=True)
class AlertEvent:
    """
    A change of an alert.

    :param kind: ``opened``, ``recurred`` (another window failed), ``resolved``, ``corrected`` (late data or
        labels changed the verdicts of a resolved alert), ``acknowledged`` or ``snoozed``.
    :param at: Time of the change, in ISO format.
    :param details: ``occurrences`` at that time, and what the kind adds: ``by`` who acknowledged, ``until``
        when it is snoozed, ``retracted`` if late data or labels changed the verdicts, or ``merged_into`` the
        id of another alert.
    """

    kind: EventKind
    at: str
    details: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Alert:
    """
    An incident: failed windows of a monitor that belong together.

    :param id: Id of the alert.
    :param model_id: Id of the model.
    :param model_name: Name of the model; None if a server does not report it.
    :param model_version: Name of the version; None for the union of all versions.
    :param segment: Segment and value, such as ``plan = gold``; None for all rows.
    :param monitor_id: Id of the monitor.
    :param monitor: Name of the monitor.
    :param monitor_type: Type of the monitor.
    :param severity: ``LOW``, ``MEDIUM`` or ``HIGH``.
    :param status: ``open``, or ``resolved`` once a later window passed.
    :param start: Start of the first failed window, in ISO format.
    :param end: End of the last failed window, exclusive, in ISO format.
    :param occurrences: Number of failed windows.
    :param opened_at: Time at which it was opened, in ISO format.
    :param resolved_at: Time at which it was resolved; None while it is open.
    :param acknowledged_at: Time at which it was acknowledged; None if it was not.
    :param acknowledged_by: Who acknowledged it.
    :param snoozed_until: Time until which it sends no notifications; None if it is not snoozed.
    :param description: Text of the alert.
    :param failed: Failed verdicts of the last failed window, greatest effect first.
    :param history: Changes of the alert in chronological order.
    """

    id: str
    model_id: str
    model_name: str | None = None
    model_version: str | None
    segment: str | None = None
    monitor_id: str
    monitor: str
    monitor_type: str
    severity: str
    status: AlertStatus
    start: str
    end: str
    occurrences: int
    opened_at: str
    resolved_at: str | None
    acknowledged_at: str | None
    acknowledged_by: str | None
    snoozed_until: str | None
    description: str | None
    failed: list[Verdict]
    history: list[AlertEvent]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class OpenedAlert:
    """
    An open alert whose asset event is emitted.

    :param environment: Environment of the model.
    :param model_version: Name of the version that the event refers to: the version of the alert, or the
        latest version of the model if the alert is about all versions.
    :param alert: The alert.
    """

    environment: str
    model_version: str
    alert: Alert

    def event_extra(self, page_url: str | None = None) -> dict[str, Any]:
        """
        Return the content of the event, see :func:`~aporia_provider.assets.alert_opened`.

        :param page_url: URL of the web page; None if it is not known.
        """
        alert, verdict = self.alert, self.alert.failed[0]
        return {
            "model_version": alert.model_version,
            "segment": alert.segment,
            "alert_id": alert.id,
            "dashboard_link": dashboard_link(alert, page_url),
            **{name: getattr(alert, name) for name in _TOLD_OF_ALERT},
            **{name: getattr(verdict, name) for name in _TOLD_OF_VERDICT},
        }


def alert_text(alert: Alert, event: AlertEvent) -> str:
    """
    Return the text of a notification: what happened to an alert, and its description.

    Names are escaped like the values in the description: ``&``, ``<`` and ``>``, which messengers take for
    links and mentions, and line breaks are spaces.

    :param alert: The alert.
    :param event: The change that the notification reports.
    """
    version = f"version {alert.model_version}" if alert.model_version else "all versions"
    rows = f"{version}, {alert.segment}" if alert.segment else version
    windows = f"{alert.occurrences} window" + ("s" if alert.occurrences > 1 else "")
    first = (
        f"{alert.severity} alert {event.kind}: {alert.monitor} of model {alert.model_id}, {rows}, "
        f"{windows} from {alert.start} to {alert.end}"
    )
    fields = ", ".join(verdict.field or verdict.metric for verdict in alert.failed)
    lines = [_escaped(first), f"Failed: {_escaped(fields)}" if fields else None, alert.description]
    return "\n".join(line for line in lines if line)


def _escaped(line: str) -> str:
    return escape(" ".join(line.splitlines()), quote=False)


def dashboard_link(alert: Alert, page_url: str | None) -> str | None:
    """
    Return the address of the view of an alert.

    :param alert: The alert.
    :param page_url: URL of the web page; None if it is not known.
    """
    # The operators of versions import this module, but need no addresses.
    from aporia_provider.page_addresses import Addresses

    return None if page_url is None else Addresses(page_url).alert(alert.model_id, alert.id)


def webhook_body(alert: Alert, environment: str, page_url: str | None = None) -> dict[str, Any]:
    """
    Return an alert as the JSON that the webhooks of the protocol receive.

    The ten keys are documented for the protocol's webhook integration. The alert of a value of
    a segment has the key ``segment`` as well.

    :param alert: The alert.
    :param environment: Environment of the model.
    :param page_url: URL of the web page; None if it is not known.
    """
    return {
        "alert_id": alert.id,
        "monitor_type": alert.monitor_type,
        "monitor_id": alert.monitor_id,
        "monitor_name": alert.monitor,
        "model_id": alert.model_id,
        "model_name": alert.model_name or alert.model_id,
        "severity": alert.severity,
        "environment": environment,
        "pretty_description": alert.description,
        "dashboard_link": dashboard_link(alert, page_url),
        **({} if alert.segment is None else {"segment": alert.segment}),
    }


def parse_time(value: Any) -> datetime:
    """
    Return a time with a time zone in ISO format as a datetime.

    :raises aporia_provider.errors.ValidationError: if it is not one.
    """
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValidationError(
            f"until: {value!r} is not a time with a time zone, such as 2026-01-31T12:00:00Z"
        )
    return moment


def parse_alerts(body: Any) -> list[Alert]:
    """
    Parse the JSON form of alerts.

    :raises aporia_provider.errors.ValidationError: if it is not a list of alerts.
    """
    return parse_list(body, Alert, "alerts")
