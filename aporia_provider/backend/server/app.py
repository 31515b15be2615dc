"""Puts the routes together."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from anyio import CapacityLimiter
from fastapi import APIRouter, FastAPI, Security
from fastapi.security import HTTPBearer

import aporia_provider
from aporia_provider.backend.server.auth.token_files import TokenFile
from aporia_provider.backend.server.error_handlers import add_error_handlers
from aporia_provider.backend.server.middleware import Gate
from aporia_provider.backend.server.routes import datasets, metrics, models, monitors, system, versions
from aporia_provider.backend.store.database import Database

MAX_BODY = 64 * 1024 * 1024
"""Limit of the bytes of any body; most routes have a lower one."""
REQUEST_SECONDS = 30
"""How long an answer may take."""
QUERIES_AT_ONCE = 2
"""How many queries of metrics are answered at once; the others wait."""


def create_app(
    database: Database,
    *,
    token_file: TokenFile | None = None,
    allowed_local_folders: Sequence[str] = (),
    max_body: int = MAX_BODY,
    seconds: float = REQUEST_SECONDS,
    stopping: threading.Event | None = None,
) -> FastAPI:
    """
    Make the application.

    :param database: The database; whoever opened it closes it.
    :param token_file: Tokens accepted beside those in the database.
    :param allowed_local_folders: Folders in which data sources on the server's own disk may lie.
    :param max_body: Largest body of a request in bytes.
    :param seconds: How long an answer may take.
    :param stopping: When it is set, the answers that are being made are ended.
    """
    app = FastAPI(
        title="Aporia protocol v1",
        version=aporia_provider.__version__,
        redirect_slashes=False,
        docs_url="/docs",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.database = database
    app.state.allowed_local_folders = tuple(allowed_local_folders)
    app.state.queries = CapacityLimiter(QUERIES_AT_ONCE)
    app.add_middleware(
        Gate,
        database=database,
        token_file=token_file,
        max_body=max_body,
        seconds=seconds,
        stopping=stopping or threading.Event(),
    )
    add_error_handlers(app)
    app.include_router(_v1())
    # The gate checks tokens; this tells the readers of the document.
    app.include_router(system.own, dependencies=[Security(HTTPBearer(auto_error=False))])
    app.include_router(system.graphql, dependencies=[Security(HTTPBearer(auto_error=False))])
    app.include_router(system.health)
    return app


def _v1() -> APIRouter:
    router = APIRouter(prefix="/v1beta", dependencies=[Security(HTTPBearer(auto_error=False))])
    for part in (
        system.rest,
        models.router,
        versions.router,
        datasets.router,
        monitors.router,
        metrics.router,
    ):
        router.include_router(part)
    return router
