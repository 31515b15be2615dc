"""Route of metric queries."""

from __future__ import annotations

from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request

from aporia_provider.backend.deadlines import check_deadline
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.server import openapi
from aporia_provider.backend.server.openapi import documented
from aporia_provider.backend.server.requests import CurrentRegistry, MediumBody
from aporia_provider.backend.server.responses import MetricsResponse
from aporia_provider.metrics import MetricsQuery

router = APIRouter(prefix="/metrics", tags=["metrics"])


@router.post("/query", **documented(MetricsResponse, openapi.METRICS))
async def query_metrics(request: Request, registry: CurrentRegistry, body: MediumBody) -> Any:
    """Return metrics of a model, computed from the stored states."""
    return await run_sync(_results, registry, body, limiter=request.app.state.queries)


def _results(registry: Registry, body: dict[str, Any]) -> list[dict[str, Any]]:
    check_deadline()
    return [item.to_json() for item in registry.query_metrics(MetricsQuery.from_wire(body))]
