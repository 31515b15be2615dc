"""What the routes answer, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, RootModel


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


class SyncReply(BaseModel):
    """What is known about a dataset's last sync."""

    dataset: str
    enabled: bool
    schedule: str | None
    status: str
    last_sync_at: str | None
    table_version: int | None
    last_error: str | None


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
