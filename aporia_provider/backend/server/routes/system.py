"""Routes of the server itself: environments, capabilities, health, and GraphQL, which is not supported."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import text

import aporia_provider
from aporia_provider.api import ENVIRONMENT_PATH, PRODUCT
from aporia_provider.backend.server import openapi
from aporia_provider.backend.server.error_handlers import ErrorResponse
from aporia_provider.backend.server.openapi import documented, documented_text
from aporia_provider.backend.server.requests import (
    CurrentRegistry,
    SmallBody,
    check_environment,
    checked_keys,
)
from aporia_provider.backend.server.responses import (
    CapabilitiesResponse,
    ClusterResponse,
    EnvironmentsResponse,
    GraphqlResponse,
    HealthResponse,
    TokenEnvironmentResponse,
)
from aporia_provider.backend.server.text_exposition import CONTENT_TYPE, exposition

METRICS_PATH = "/metrics"

rest = APIRouter(tags=["about"])
own = APIRouter(tags=["about"])
graphql = APIRouter(tags=["about"])
health = APIRouter(tags=["about"])

_NO_GRAPHQL = "Logging predictions over GraphQL is not supported"
_INSTEAD = (
    f"{_NO_GRAPHQL}: this server reads predictions where they are stored. Write them to a table and connect "
    "it with connect_serving, connect_training, connect_testing or connect_actuals."
)


@rest.get("/capabilities", **documented(CapabilitiesResponse))
def get_capabilities() -> Any:
    """Return the capabilities of the server."""
    return {"is_field_schema_supported": True}


@own.get(ENVIRONMENT_PATH, **documented(TokenEnvironmentResponse))
def get_token_environment(registry: CurrentRegistry) -> Any:
    """Return the environment of the token, and the server's product and version. Not part of the protocol."""
    return {
        "environment": registry.environment,
        "product": PRODUCT,
        "version": aporia_provider.__version__,
    }


@rest.get("/environments", **documented(EnvironmentsResponse))
def get_environments(registry: CurrentRegistry) -> Any:
    """Return the environments that the token is valid for: always exactly one."""
    name = registry.environment
    return {"environments": [{"id": _id("environment", name), "name": name}]}


@rest.post("/environments", **documented(ClusterResponse, openapi.ENVIRONMENT))
def create_environment(registry: CurrentRegistry, body: SmallBody) -> Any:
    """Return the ids of the token's environment. Other environments cannot be created."""
    check_environment(registry, checked_keys(body, "name")["name"])
    return {
        "cluster_id": _id("cluster", "embedded"),
        "environment_id": _id("environment", registry.environment),
    }


@own.get(METRICS_PATH, **documented_text("Gauges in the text format of Prometheus"))
async def get_gauges(request: Request, registry: CurrentRegistry) -> Any:
    """Return gauges of the environment of the token for Prometheus. Not part of the protocol."""
    gauges = await run_sync(registry.get_gauges, limiter=request.app.state.queries)
    return Response(exposition(gauges), headers={"Content-Type": CONTENT_TYPE})


@graphql.post(
    "/v1/controller/graphql", responses={400: {"model": GraphqlResponse}, 401: {"model": ErrorResponse}}
)
@graphql.post(
    "/v1/tenant-hasura/v1/graphql", responses={400: {"model": GraphqlResponse}, 401: {"model": ErrorResponse}}
)
def refuse_graphql() -> Any:
    """Return an error that names the supported alternative."""
    fault = {"message": _NO_GRAPHQL, "extensions": {"verbose_message": _INSTEAD}}
    return JSONResponse({"errors": [fault]}, 400)


@health.get("/health", responses={200: {"model": HealthResponse}, 503: {"model": ErrorResponse}})
def get_health(request: Request) -> Any:
    """Return whether the server and its database respond."""
    with request.app.state.database.read_transaction() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok"}


def _id(kind: str, name: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"aporia:{kind}:{name}"))
