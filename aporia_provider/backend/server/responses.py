"""Response models of the routes, used for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, RootModel

from aporia_provider.metric_results import RangeResults


class Done(BaseModel):
    """An empty response."""


class RegisteredReply(BaseModel):
    """The id of a registered resource, and whether it was created."""

    id: str
    status: Literal["created", "unchanged", "skipped"]


class VersionReply(BaseModel):
    """A registered version."""

    id: str
    name: str
    model_type: str
    created_at: str
    registration: dict[str, Any]


class VersionsReply(RootModel[list[VersionReply]]):
    """The versions of a model, oldest first."""


class TagsReply(BaseModel):
    """The tags of a model."""

    tags: dict[str, str]


class OwnerReply(BaseModel):
    """The owner of a model."""

    model_id: str
    owner: str


class EnvironmentReply(BaseModel):
    """An environment."""

    id: str
    name: str


class TokenEnvironmentReply(BaseModel):
    """The environment that a token is valid for, and the server's product name and version."""

    environment: str
    product: str
    version: str


class EnvironmentsReply(BaseModel):
    """The environments that a token is valid for."""

    environments: list[EnvironmentReply]


class ClusterReply(BaseModel):
    """The cluster and the id of an environment."""

    cluster_id: str
    environment_id: str


class CapabilitiesReply(BaseModel):
    """Capabilities of the server."""

    is_field_schema_supported: bool


class PartReply(BaseModel):
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


class SyncReply(PartReply):
    """Sync status of a dataset."""

    dataset: str
    enabled: bool
    schedule: str | None
    rows: int
    buckets: int
    provisional_bins: dict[str, int]
    performance: PartReply | None


class MetricsReply(RootModel[list[RangeResults]]):
    """Results of a metric query, in chronological order."""


class HealthReply(BaseModel):
    """Confirmation that the server and its database respond."""

    status: Literal["ok"]


class GraphqlFault(BaseModel):
    """A GraphQL error."""

    message: str
    extensions: dict[str, str]


class GraphqlReply(BaseModel):
    """GraphQL errors."""

    errors: list[GraphqlFault]
