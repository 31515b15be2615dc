"""Construction of the application that serves the page."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from aporia_provider.backend.deadlines import DeadlineExceededError, ShutdownError
from aporia_provider.backend.page import static_files
from aporia_provider.backend.page.availability import PageUnavailableError
from aporia_provider.backend.page.contents.model_summary import SummaryCache
from aporia_provider.backend.page.error_pages import error_page
from aporia_provider.backend.page.guard import SECURITY_HEADERS, PageGuard
from aporia_provider.backend.page.page_access import PageAccess
from aporia_provider.backend.page.routes import (
    alert_routes,
    field_routes,
    model_routes,
    monitor_routes,
    overview_routes,
    segment_routes,
)
from aporia_provider.backend.page.views import AT_ONCE
from aporia_provider.backend.store.database import Database
from aporia_provider.errors import AporiaError, NotFoundError, TransientError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials

log = logging.getLogger(__name__)


def create_page(
    open_database: Callable[[], Database],
    access: PageAccess,
    *,
    allowed_local_folders: Sequence[str] | None = (),
    find_credentials: Callable[[], AwsCredentials | None] = AwsCredentials,
    stopping: threading.Event | None = None,
) -> Starlette:
    """
    Create the application, which is mounted below any path.

    :param open_database: Function that returns the database, which the caller closes.
    :param access: The authentication and authorization of the deployment.
    :param allowed_local_folders: Folders of the server's disk from whose tables commits are read; None
        allows all.
    :param find_credentials: Function that returns the credentials for S3, from whose Delta logs commits are
        read. Default: the settings in the environment of the process.
    :param stopping: Event that aborts all responses in progress.
    """
    app = Starlette(
        routes=[
            *access.routes,
            *static_files.routes,
            *overview_routes.routes,
            *model_routes.routes,
            *field_routes.routes,
            *monitor_routes.routes,
            *segment_routes.routes,
            *alert_routes.routes,
        ],
        middleware=[Middleware(PageGuard, access=access, stopping=stopping)],
        exception_handlers={
            HTTPException: _on_http_error,
            AporiaError: _on_aporia_error,
            DeadlineExceededError: _on_overdue,
            ShutdownError: _on_overdue,
            Exception: _on_fault,
        },
    )
    # Paths are normalised before they are routed.
    app.router.redirect_slashes = False
    app.state.open_database = open_database
    app.state.allowed_local_folders = allowed_local_folders
    app.state.find_credentials = find_credentials
    app.state.summaries = SummaryCache()
    app.state.limiter = CapacityLimiter(AT_ONCE)
    return app


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return error_page(request, error.status_code, headers=dict(error.headers or {}))


async def _on_aporia_error(request: Request, error: Exception) -> Response:
    if isinstance(error, NotFoundError):
        return error_page(request, 404)
    if isinstance(error, ValidationError):
        return error_page(request, 400, error.message)
    if isinstance(error, PageUnavailableError):
        return error_page(request, 503, error.message)
    log.error("%s", error)
    if isinstance(error, TransientError):
        return error_page(request, 503)
    return error_page(request, 500)


async def _on_overdue(request: Request, error: Exception) -> Response:
    return error_page(request, 503)


async def _on_fault(request: Request, error: Exception) -> Response:
    # This response passes no middleware.
    return error_page(request, 500, headers={**SECURITY_HEADERS, "Cache-Control": "no-store"})
