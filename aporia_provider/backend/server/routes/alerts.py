"""Routes of alerts, which are not part of the protocol."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from aporia_provider.alerts import Alert, parse_time
from aporia_provider.backend.server import openapi
from aporia_provider.backend.server.openapi import documented
from aporia_provider.backend.server.requests import CurrentRegistry, SmallBody, checked_keys
from aporia_provider.backend.server.responses import AlertsResponse

router = APIRouter(prefix="/alerts", tags=["alerts"])

ALERT = "/{alert_id:segment}"


@router.get("", **documented(AlertsResponse))
def get_alerts(
    registry: CurrentRegistry,
    model_id: str | None = None,
    status: Annotated[Any, Query()] = None,
    limit: int = 100,
) -> Any:
    """Return alerts, open ones first."""
    return [alert.to_json() for alert in registry.get_alerts(model_id, status=status, limit=limit)]


@router.post(f"{ALERT}/acknowledge", **documented(Alert, openapi.ACKNOWLEDGEMENT))
def acknowledge_alert(registry: CurrentRegistry, alert_id: str, body: SmallBody) -> Any:
    """Mark an alert as seen by somebody."""
    by = checked_keys(body, optional=("by",)).get("by")
    return registry.acknowledge_alert(alert_id, by).to_json()


@router.post(f"{ALERT}/snooze", **documented(Alert, openapi.SNOOZE))
def snooze_alert(registry: CurrentRegistry, alert_id: str, body: SmallBody) -> Any:
    """Send no notifications of an alert until a time."""
    until = parse_time(checked_keys(body, "until")["until"])
    return registry.snooze_alert(alert_id, until).to_json()
