"""Routes of segments and custom metrics, which are not part of the protocol."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from aporia_provider.backend.request_paths import MODEL, VERSION
from aporia_provider.backend.server import openapi
from aporia_provider.backend.server.openapi import documented
from aporia_provider.backend.server.requests import CurrentRegistry, MediumBody
from aporia_provider.backend.server.responses import CustomMetricsResponse, EmptyResponse, SegmentsResponse
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.registrations import Registered
from aporia_provider.segment_reports import SegmentCost, SegmentSuggestions
from aporia_provider.segments import Segment

router = APIRouter(tags=["segments"])

_CUSTOM_METRICS = f"{MODEL}/custom_metrics"


@router.get(f"{MODEL}/segments", **documented(SegmentsResponse))
def list_segments(registry: CurrentRegistry, model_id: str) -> Any:
    """Return the segments of a model, oldest first. Not part of the protocol."""
    return {"segments": registry.list_segments(model_id)}


@router.post(f"{MODEL}/segments", **documented(Registered, openapi.SEGMENT))
def create_segment(registry: CurrentRegistry, model_id: str, body: MediumBody) -> Any:
    """Register a segment of a model. Not part of the protocol."""
    return registry.create_segment(model_id, Segment(**body))


@router.delete(f"{MODEL}/segments/{{name:segment}}", **documented(EmptyResponse))
def delete_segment(registry: CurrentRegistry, model_id: str, name: str) -> Any:
    """Delete a segment with its states. Not part of the protocol."""
    registry.delete_segment(model_id, name)
    return {}


@router.post(f"{MODEL}/segment_cost", **documented(SegmentCost, openapi.SEGMENT))
def segment_cost(registry: CurrentRegistry, model_id: str, body: MediumBody) -> Any:
    """Estimate what a segment would cost; nothing is created. Not part of the protocol."""
    return registry.segment_cost(model_id, Segment(**body))


@router.get(f"{VERSION}/suggested_segments", **documented(SegmentSuggestions))
def suggest_segments(registry: CurrentRegistry, model_id: str, version: str) -> Any:
    """Return segments for the most important fields of a version. Not part of the protocol."""
    return registry.suggest_segments(model_id, version)


@router.get(_CUSTOM_METRICS, **documented(CustomMetricsResponse))
def list_custom_metrics(registry: CurrentRegistry, model_id: str) -> Any:
    """Return the custom metrics of a model, oldest first. Not part of the protocol."""
    return {"custom_metrics": registry.list_custom_metrics(model_id)}


@router.post(_CUSTOM_METRICS, **documented(Registered, openapi.CUSTOM_METRIC))
def create_custom_metric(registry: CurrentRegistry, model_id: str, body: MediumBody) -> Any:
    """Register a custom metric of a model. Not part of the protocol."""
    return registry.create_custom_metric(model_id, CustomMetric(**body))


@router.delete(f"{_CUSTOM_METRICS}/{{name:segment}}", **documented(EmptyResponse))
def delete_custom_metric(registry: CurrentRegistry, model_id: str, name: str) -> Any:
    """Delete a custom metric. Not part of the protocol."""
    registry.delete_custom_metric(model_id, name)
    return {}
