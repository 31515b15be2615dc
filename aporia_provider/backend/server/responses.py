"""Response models of the routes, used for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal, Required

from pydantic import BaseModel, RootModel

from aporia_provider.alerts import Alert
from aporia_provider.custom_metrics import RegisteredCustomMetric
from aporia_provider.metric_results import RangeResults
from aporia_provider.monitor_changes import MonitorChange
from aporia_provider.registrations import Version
from aporia_provider.segment_reports import RegisteredSegment
from aporia_provider.verdicts import LatestVerdict


class EmptyResponse(BaseModel):
    """An empty response."""


class TagsResponse(BaseModel):
    """The tags of a model."""

    tags: dict[str, str]


class OwnerResponse(BaseModel):
    """The owner of a model."""

    model_id: str
    owner: str


class EnvironmentResponse(BaseModel):
    """An environment."""

    id: str
    name: str


class TokenEnvironmentResponse(BaseModel):
    """The environment that a token is valid for, and the server's product name and version."""

    environment: str
    product: str
    version: str


class EnvironmentsResponse(BaseModel):
    """The environments that a token is valid for."""

    environments: list[EnvironmentResponse]


class ClusterResponse(BaseModel):
    """The cluster and the id of an environment."""

    cluster_id: str
    environment_id: str


class CapabilitiesResponse(BaseModel):
    """Capabilities of the server."""

    is_field_schema_supported: bool


class PartSyncStatus(BaseModel):
    """Sync status of a part of a dataset."""

    status: Literal["never_synced", "synced", "failed"]
    last_sync_at: str | None
    table_version: int | None
    latest_version: int | None
    lag: int | None
    reason: str | None
    rows_read: int | None
    buckets_recomputed: int | None
    files_read: int | None
    bytes_read: int | None
    late_buckets: int
    notes: list[str]
    seconds: float | None
    last_error: str | None


class SegmentSyncStatus(BaseModel):
    """Status of the states of a segment in a dataset."""

    segment: str
    status: Literal["synced", "never_synced", "failed", "not_computable"]
    reason: str | None


class DatasetSyncStatus(PartSyncStatus):
    """Sync status of a dataset."""

    dataset: str
    enabled: bool
    schedule: str | None
    rows: int
    buckets: int
    provisional_bins: dict[str, int]
    retention: str | None
    performance: PartSyncStatus | None
    segments: list[SegmentSyncStatus]


class StoredVersion(Version):
    """A version, with the body of the request that registered it."""

    registration: Required[dict[str, Any]]  # type: ignore[misc]


class MetricsResponse(RootModel[list[RangeResults]]):
    """Results of a metric query, in chronological order."""


class AlertsResponse(RootModel[list[Alert]]):
    """Alerts: open ones first, then by severity and time."""


class MonitorsResponse(BaseModel):
    """Monitors: their ids, models and registrations, and the problems of their configurations."""

    monitors: list[dict[str, Any]]


class ChangesResponse(BaseModel):
    """Changes of monitors."""

    changes: list[MonitorChange]


class EvaluationResponse(BaseModel):
    """Numbers of windows, verdicts and alerts of an evaluation, and the same of each monitor."""

    model_id: str
    windows: int
    verdicts: dict[str, int]
    opened: int
    resolved: int
    monitors: list[dict[str, Any]]


class VerdictsResponse(BaseModel):
    """Latest verdicts of monitors on a version."""

    verdicts: list[LatestVerdict]


class SegmentsResponse(BaseModel):
    """Segments of a model, oldest first."""

    segments: list[RegisteredSegment]


class CustomMetricsResponse(BaseModel):
    """Custom metrics of a model, oldest first."""

    custom_metrics: list[RegisteredCustomMetric]


class HealthResponse(BaseModel):
    """Confirmation that the server and its database respond."""

    status: Literal["ok"]


class GraphqlError(BaseModel):
    """A GraphQL error."""

    message: str
    extensions: dict[str, str]


class GraphqlResponse(BaseModel):
    """GraphQL errors."""

    errors: list[GraphqlError]
