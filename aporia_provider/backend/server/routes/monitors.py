"""Routes of monitors."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from aporia_provider.api import Registered
from aporia_provider.backend.server import openapi
from aporia_provider.backend.server.openapi import documented
from aporia_provider.backend.server.requests import CurrentRegistry, MediumBody
from aporia_provider.backend.server.responses import EmptyResponse
from aporia_provider.models import Monitor

router = APIRouter(prefix="/monitors", tags=["monitors"])


@router.post("", **documented(Registered, openapi.MONITOR))
def create_monitor(registry: CurrentRegistry, body: MediumBody) -> Any:
    """Create a monitor."""
    return registry.create_monitor(Monitor.from_wire(body))


@router.delete("/{monitor_id:segment}", **documented(EmptyResponse))
def delete_monitor(registry: CurrentRegistry, monitor_id: str) -> Any:
    """Delete a monitor."""
    registry.delete_monitor(monitor_id)
    return {}
