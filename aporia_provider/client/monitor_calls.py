"""Calls for monitors and alerts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from aporia_provider.alerts import Alert, AlertStatus, parse_alerts, parse_time
from aporia_provider.api import MONITORS_PATH
from aporia_provider.client.messages import Call, Reply, Request, segment
from aporia_provider.client.registration import registered
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.models import EvaluationRequest, Monitor
from aporia_provider.monitor_changes import ApplyRequest, MonitorChange, parse_changes
from aporia_provider.registrations import Registered
from aporia_provider.verdicts import LatestVerdict, parse_verdicts

T = TypeVar("T")

_MAX_PROBLEMS = 3


class MonitorCalls:
    """
    The calls for monitors and alerts, without I/O.

    Parameters, results and errors: see :class:`~aporia_provider.api.AporiaApi`.
    """

    def create_monitor(self, monitor: Monitor) -> Call[Registered]:
        """
        Create a monitor.

        The protocol does not require that the names of monitors are unique, so a request that may have been
        received is not repeated.
        """
        Monitor.check_type(monitor)
        description = f"Creating monitor {monitor.name!r}"
        reply = yield Request(description, "POST", "/v1beta/monitors", monitor.to_wire(), repeatable=False)
        if not reply.mapping().get("id"):
            raise AporiaError(reply.error_message("the reply has no id"), status=reply.status)
        return registered(reply, f"Monitor {monitor.name!r}", "", "match")

    def delete_monitor(self, monitor_id: str) -> Call[None]:
        """Delete a monitor."""
        path = f"/v1beta/monitors/{segment(monitor_id, 'monitor id')}"
        yield from deletion(f"Deleting monitor {monitor_id!r}", path)

    def get_alerts(
        self, model_id: str | None = None, *, status: AlertStatus | None = None, limit: int = 100
    ) -> Call[list[Alert]]:
        """Return alerts. Only this project's server has them."""
        parameters = {"model_id": model_id, "status": status, "limit": limit}
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        reply = yield Request("Getting alerts", "GET", f"/v1beta/alerts?{query}")
        return _parsed(reply, "alerts", parse_alerts, reply.accepted())

    def acknowledge_alert(self, alert_id: str, by: str | None = None) -> Call[Alert]:
        """Mark an alert as seen by somebody."""
        path = f"{_alert(alert_id)}/acknowledge"
        reply = yield Request(f"Acknowledging alert {alert_id!r}", "POST", path, {"by": by})
        return _parsed(reply, "alerts", parse_alerts, [reply.accepted()])[0]

    def snooze_alert(self, alert_id: str, until: datetime | str) -> Call[Alert]:
        """Send no notifications of an alert until a time."""
        body = {"until": parse_time(until).isoformat()}
        reply = yield Request(f"Snoozing alert {alert_id!r}", "POST", f"{_alert(alert_id)}/snooze", body)
        return _parsed(reply, "alerts", parse_alerts, [reply.accepted()])[0]

    def get_monitors(self, model_id: str | None = None) -> Call[list[dict[str, Any]]]:
        """Return the monitors of a model, or of all models."""
        query = "" if model_id is None else f"?model_id={segment(model_id, 'model id')}"
        reply = yield Request("Getting the monitors", "GET", f"{MONITORS_PATH}{query}")
        return [dict(each) for each in reply.mapping().get("monitors", [])]

    def apply_monitors(
        self,
        model_id: str,
        monitors: Sequence[Monitor],
        *,
        delete_others: bool = False,
        delete_prefix: str | None = None,
        dry_run: bool = False,
    ) -> Call[list[MonitorChange]]:
        """Make the monitors of a model what is given."""
        body = ApplyRequest(
            model_id=model_id,
            monitors=list(monitors),
            delete_others=delete_others,
            delete_prefix=delete_prefix,
            dry_run=dry_run,
        )
        body.check()
        description = f"Applying {len(body.monitors)} monitors of model {model_id!r}"
        reply = yield Request(description, "POST", f"{MONITORS_PATH}/apply", body.to_wire())
        return _parsed(reply, "changes", parse_changes, reply.mapping().get("changes", []))

    def evaluate_monitors(
        self,
        model_id: str,
        model_version: str | None = None,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Call[dict[str, Any]]:
        """Judge the windows of a model's monitors."""
        body = EvaluationRequest(model_id=model_id, model_version=model_version, start=start, end=end)
        description = f"Evaluating the monitors of model {model_id!r}"
        request = Request(description, "POST", f"{MONITORS_PATH}/evaluate", body.to_wire())
        return dict((yield request).mapping())

    def get_verdicts(
        self, model_id: str, model_version: str, *, end: datetime | None = None
    ) -> Call[list[LatestVerdict]]:
        """Return the latest verdict of each active monitor on a version."""
        names = f"model_id={segment(model_id, 'model id')}&model_version={segment(model_version, 'version')}"
        until = "" if end is None else f"&{urlencode({'end': end.isoformat()})}"
        description = f"Getting the verdicts on version {model_version!r} of model {model_id!r}"
        reply = yield Request(description, "GET", f"{MONITORS_PATH}/verdicts?{names}{until}")
        return _parsed(reply, "verdicts", parse_verdicts, reply.mapping().get("verdicts", []))


def deletion(description: str, path: str) -> Call[None]:
    reply = yield Request(description, "DELETE", path)
    # An earlier attempt whose reply was lost has deleted it.
    if not (reply.status == 404 and reply.ambiguous):
        reply.accepted()


def _alert(alert_id: str) -> str:
    return f"/v1beta/alerts/{segment(alert_id, 'alert id')}"


def _parsed(reply: Reply, description: str, parse: Callable[[Any], list[T]], body: Any) -> list[T]:
    try:
        return parse(body)
    except ValidationError as error:
        problems = "; ".join(error.problems[:_MAX_PROBLEMS])
        message = reply.error_message(f"the reply is not a list of {description} ({problems})")
        raise AporiaError(message, status=reply.status) from None
