"""The route of questions about metrics."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from aporia_provider.backend.server import document
from aporia_provider.backend.server.document import replies
from aporia_provider.backend.server.intake import Body, Here
from aporia_provider.backend.server.replies import MetricsReply
from aporia_provider.metrics import MetricsQuery

router = APIRouter(prefix="/metrics", tags=["metrics"])


@router.post("/query", responses=replies(MetricsReply), openapi_extra=document.body(document.METRICS))
def query_metrics(registry: Here, body: Body) -> Any:
    """Answer questions about a model's metrics from what syncs have stored."""
    return registry.query_metrics(MetricsQuery.from_wire(body))
