"""Response models of the routes, used for the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, RootModel

from aporia_provider.monitoring.result import Answer


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
    notes: list[str]
    seconds: float | None
    last_error: str | None


class DatasetSyncStatus(PartSyncStatus):
    """Sync status of a dataset."""

    dataset: str
    enabled: bool
    schedule: str | None
    rows: int
    buckets: int
    provisional_bins: dict[str, int]
    performance: PartSyncStatus | None


@dataclass(frozen=True, kw_only=True)
class AnswerReply(Answer):
    """The result of a metric query."""

    __pydantic_config__ = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str
    model_version: str | None
    segment: None
    error: str | None


class TimeRangeReply(BaseModel):
    """A half-open time range, aligned to buckets."""

    start: str
    end: str


class RangeReply(BaseModel):
    """The results for one time range, or for all rows if it is null."""

    time_range: TimeRangeReply | None
    metrics: list[AnswerReply]


class MetricsReply(RootModel[list[RangeReply]]):
    """Results of metric queries, in chronological order."""


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
