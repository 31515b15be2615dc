"""Routes of monitors."""

from __future__ import annotations

from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from pydantic import AwareDatetime

from aporia_provider.api import MONITORS_PATH
from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.server import openapi
from aporia_provider.backend.server.openapi import documented
from aporia_provider.backend.server.requests import CurrentRegistry, MediumBody, SmallBody
from aporia_provider.backend.server.responses import (
    ChangesResponse,
    EmptyResponse,
    EvaluationResponse,
    MonitorsResponse,
    VerdictsResponse,
)
from aporia_provider.models import EvaluationRequest, Monitor
from aporia_provider.monitor_changes import ApplyRequest
from aporia_provider.registrations import Registered

router = APIRouter(prefix="/monitors", tags=["monitors"])
own = APIRouter(prefix=MONITORS_PATH, tags=["monitors"])


@router.post("", **documented(Registered, openapi.MONITOR))
def create_monitor(registry: CurrentRegistry, body: MediumBody) -> Any:
    """Create a monitor."""
    return registry.create_monitor(Monitor.from_wire(body))


@router.delete("/{monitor_id:segment}", **documented(EmptyResponse))
def delete_monitor(registry: CurrentRegistry, monitor_id: str) -> Any:
    """Delete a monitor."""
    registry.delete_monitor(monitor_id)
    return {}


@own.get("", **documented(MonitorsResponse))
def get_monitors(registry: CurrentRegistry, model_id: str | None = None) -> Any:
    """Return the monitors of a model, or of all models. Not part of the protocol."""
    return {"monitors": registry.get_monitors(model_id)}


@own.get("/verdicts", **documented(VerdictsResponse))
def get_verdicts(
    registry: CurrentRegistry, model_id: str, model_version: str, end: AwareDatetime | None = None
) -> Any:
    """Return the latest verdict of each active monitor on a version. Not part of the protocol."""
    verdicts = registry.get_verdicts(model_id, model_version, end=end)
    return {"verdicts": [verdict.to_json() for verdict in verdicts]}


@own.post("/apply", **documented(ChangesResponse, openapi.MONITORS))
def apply_monitors(registry: CurrentRegistry, body: MediumBody) -> Any:
    """Make the monitors of a model what is given. Not part of the protocol."""
    request_body = ApplyRequest(**body)
    changes = registry.apply_monitors(
        request_body.model_id,
        request_body.monitors,
        delete_others=request_body.delete_others,
        delete_prefix=request_body.delete_prefix,
        dry_run=request_body.dry_run,
    )
    return {"changes": changes}


@own.post("/evaluate", **documented(EvaluationResponse, openapi.EVALUATION))
async def evaluate_monitors(request: Request, registry: CurrentRegistry, body: SmallBody) -> Any:
    """Judge the windows of a model's monitors. Not part of the protocol."""
    return await run_sync(_evaluation, registry, body, limiter=request.app.state.queries)


def _evaluation(registry: Registry, body: dict[str, Any]) -> dict[str, Any]:
    check_deadline()
    request_body = EvaluationRequest(**body)
    return registry.evaluate_monitors(
        request_body.model_id, request_body.model_version, start=request_body.start, end=request_body.end
    )
