"""What the routes answer, for the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, RootModel

from aporia_provider.monitoring.result import Answer


class Done(BaseModel):
    """Nothing to tell."""


class RegisteredReply(BaseModel):
    """What became of a registration."""

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
    """Who answers for a model."""

    model_id: str
    owner: str


class EnvironmentReply(BaseModel):
    """An environment."""

    id: str
    name: str


class TokenEnvironmentReply(BaseModel):
    """The environment that a token is for, and the product that answers."""

    environment: str
    product: str
    version: str


class EnvironmentsReply(BaseModel):
    """The environments that a token opens."""

    environments: list[EnvironmentReply]


class ClusterReply(BaseModel):
    """Where an environment lives."""

    cluster_id: str
    environment_id: str


class CapabilitiesReply(BaseModel):
    """What the server can do."""

    is_field_schema_supported: bool


class PartReply(BaseModel):
    """How far a part of a dataset is synced."""

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
    """What is known about a dataset's last sync."""

    dataset: str
    enabled: bool
    schedule: str | None
    rows: int
    buckets: int
    provisional_bins: dict[str, int]
    performance: PartReply | None


@dataclass(frozen=True, kw_only=True)
class AnswerReply(Answer):
    """The answer to a question about a metric."""

    __pydantic_config__ = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str
    model_version: str | None
    segment: None
    error: str | None


class TimeRangeReply(BaseModel):
    """A half-open range of time on the edges of buckets."""

    start: str
    end: str


class RangeReply(BaseModel):
    """The answers for one range of time; for all rows, if it is null."""

    time_range: TimeRangeReply | None
    metrics: list[AnswerReply]


class MetricsReply(RootModel[list[RangeReply]]):
    """Answers about metrics, in the order of time."""


class HealthReply(BaseModel):
    """The server and its database answer."""

    status: Literal["ok"]


class GraphqlFault(BaseModel):
    """One GraphQL error."""

    message: str
    extensions: dict[str, str]


class GraphqlReply(BaseModel):
    """GraphQL errors."""

    errors: list[GraphqlFault]
