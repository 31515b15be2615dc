"""Construction of the FastAPI application."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from anyio import CapacityLimiter
from fastapi import APIRouter, FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp

import aporia_provider
from aporia_provider.backend.server.allocation import ReleaseMemoryMiddleware, release_freed_memory
from aporia_provider.backend.server.auth.token_check import TokenCheck
from aporia_provider.backend.server.auth.token_files import TokenFile
from aporia_provider.backend.server.error_handlers import add_error_handlers
from aporia_provider.backend.server.middleware import AuthenticationMiddleware
from aporia_provider.backend.server.openapi import remove_markup
from aporia_provider.backend.server.page_mount import PageDispatch
from aporia_provider.backend.server.routes import (
    alerts,
    datasets,
    metrics,
    models,
    monitors,
    segments,
    system,
    versions,
)
from aporia_provider.backend.store.database import Database
from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials

MAX_BODY = 64 * 1024 * 1024
"""Maximum size of any request body in bytes; most routes have a lower limit."""
REQUEST_SECONDS = 30
"""Time limit of a response in seconds."""
QUERIES_AT_ONCE = 2
"""Maximum number of concurrent metric queries; further queries wait."""


def create_app(
    database: Database,
    *,
    token_file: TokenFile | None = None,
    allowed_local_folders: Sequence[str] = (),
    max_body: int = MAX_BODY,
    seconds: float = REQUEST_SECONDS,
    page: bool = False,
    page_reads_logs: bool = False,
    stopping: threading.Event | None = None,
    release_memory: Callable[[], None] = release_freed_memory,
) -> FastAPI:
    """
    Create the application.

    :param database: The database. The caller closes it.
    :param token_file: Tokens accepted in addition to those in the database.
    :param allowed_local_folders: Folders from which data sources on the server's disk may be read.
    :param max_body: Maximum size of a request body in bytes.
    :param seconds: Time limit of a response in seconds.
    :param page: Whether to serve the web page as well.
    :param page_reads_logs: Whether the page reads Delta logs on S3 with the credentials of this process.
    :param stopping: Event that aborts all responses in progress.
    :param release_memory: Function that releases freed memory after requests with large bodies.
    """
    app = _Application(
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
    tokens, stopping = TokenCheck(database, token_file), stopping or threading.Event()
    if page:
        find_credentials = AwsCredentials if page_reads_logs else _refuse_logs
        app.add_middleware(
            PageDispatch, page=_page(database, tokens, allowed_local_folders, find_credentials, stopping)
        )
    app.add_middleware(
        AuthenticationMiddleware,
        tokens=tokens,
        has_page=page,
        max_body=max_body,
        seconds=seconds,
        stopping=stopping,
    )
    # The last one is the outermost.
    app.add_middleware(ReleaseMemoryMiddleware, release=release_memory)
    add_error_handlers(app)
    app.include_router(_v1())
    # The middleware checks tokens; this declares them in the OpenAPI document.
    for own in (system.own, monitors.own):
        app.include_router(own, dependencies=[Security(HTTPBearer(auto_error=False))])
    app.include_router(system.graphql, dependencies=[Security(HTTPBearer(auto_error=False))])
    app.include_router(system.health)
    return app


def _refuse_logs() -> AwsCredentials:
    """Raise an error: who may connect a table may otherwise read its log with the rights of the server."""
    raise ValidationError(
        "This server reads no Delta logs on S3; start it with --page-reads-logs, which uses the AWS "
        "credentials of the server for the tables of all environments"
    )


def _page(
    database: Database,
    tokens: TokenCheck,
    allowed_local_folders: Sequence[str],
    find_credentials: Callable[[], AwsCredentials],
    stopping: threading.Event,
) -> ASGIApp:
    # Without the page, its templates are not needed.
    from aporia_provider.backend.page.application import create_page
    from aporia_provider.backend.server.page_sessions import TokenAccess

    return create_page(
        lambda: database,
        TokenAccess(tokens),
        allowed_local_folders=allowed_local_folders,
        find_credentials=find_credentials,
        stopping=stopping,
    )


class _Application(FastAPI):
    """The application, whose OpenAPI document has descriptions without markup."""

    def openapi(self) -> dict[str, Any]:
        return remove_markup(super().openapi())


def _v1() -> APIRouter:
    router = APIRouter(prefix="/v1beta", dependencies=[Security(HTTPBearer(auto_error=False))])
    for part in (
        system.rest,
        models.router,
        versions.router,
        datasets.router,
        monitors.router,
        segments.router,
        metrics.router,
        alerts.router,
    ):
        router.include_router(part)
    return router
