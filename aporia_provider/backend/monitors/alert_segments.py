"""The monitor and the segment of an alert."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aporia_provider.alerts import Alert
from aporia_provider.api import AporiaApi
from aporia_provider.errors import NotFoundError
from aporia_provider.monitor_configuration import MonitorConfiguration, parse_configuration
from aporia_provider.segment_values import SegmentValue, segment_text


@dataclass(frozen=True)
class AlertSegment:
    """
    The segment whose rows an alert is about.

    :param value: The segment and its term.
    :param condition: The condition of the rows.
    """

    value: SegmentValue
    condition: str


def alert_configuration(api: AporiaApi, alert: Alert) -> MonitorConfiguration:
    """
    Return the configuration of the monitor of an alert.

    :raises aporia_provider.errors.NotFoundError: if the monitor was deleted.
    """
    monitors = {monitor["id"]: monitor for monitor in api.get_monitors(alert.model_id)}
    if alert.monitor_id not in monitors:
        raise NotFoundError(f"The monitor of alert {alert.id} was deleted")
    registration = monitors[alert.monitor_id]
    return parse_configuration(registration["type"], registration["configuration"])


def find_alert_segment(
    api: AporiaApi, alert: Alert, configuration: MonitorConfiguration | None = None
) -> AlertSegment | None:
    """
    Return the segment whose rows an alert is about; None if it is about all rows.

    :param api: The embedded backend, or a client of this project's server.
    :param alert: The alert.
    :param configuration: The configuration of its monitor; None to read it.
    :raises aporia_provider.errors.NotFoundError: if the monitor or the segment was deleted, even if a segment
        of this name was created after the alert was opened: it may have other conditions.
    """
    if alert.segment is None:
        return None
    of_monitor = (configuration or alert_configuration(api, alert)).segment
    for segment in api.list_segments(alert.model_id):
        if of_monitor is None or of_monitor[0] not in (segment["id"], segment["name"]):
            continue
        if alert.history and _is_later(segment["created_at"], alert.history[0].at):
            continue
        for term in segment["terms"]:
            if segment_text(segment["name"], term["label"]) == alert.segment:
                value = SegmentValue(id=segment["name"], value=term["label"])
                return AlertSegment(value, term["condition"])
    raise NotFoundError(f"The segment of alert {alert.id}, which is about {alert.segment}, was deleted")


def _is_later(moment: str, other: str) -> bool:
    return datetime.fromisoformat(moment) > datetime.fromisoformat(other)
