"""Conversion of exceptions to error responses in the protocol's format."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from aporia_provider.backend.deadlines import DeadlineExceededError, ShutdownError
from aporia_provider.errors import (
    AporiaError,
    AuthenticationError,
    ConflictError,
    NotFoundError,
    TransientError,
    ValidationError,
)

log = logging.getLogger(__name__)

_STATUSES: Mapping[type[AporiaError], int] = {
    ValidationError: 422,
    AuthenticationError: 401,
    NotFoundError: 404,
    ConflictError: 409,
    TransientError: 503,
}


class ErrorText(BaseModel):
    """
    Description of an error. ``problems`` is set for invalid requests, and ``differences`` for conflicts.
    """

    message: str
    detail: str
    problems: list[str] | None = None
    differences: list[str] | None = None


class ErrorResponse(BaseModel):
    """An error response."""

    error: ErrorText


class BodyTooLargeError(AporiaError):
    """The request body exceeds a limit of the server."""


def error_response(error: AporiaError) -> JSONResponse:
    """Return the response for an error."""
    status = error.status or next((s for kind, s in _STATUSES.items() if isinstance(error, kind)), 500)
    text: dict[str, Any] = {"message": error.message, "detail": error.message}
    if isinstance(error, ValidationError):
        text["problems"] = error.problems
    if isinstance(error, ConflictError):
        text["differences"] = error.differences
    return JSONResponse({"error": text}, status, dict(_headers(error, status)))


def _headers(error: AporiaError, status: int) -> Iterator[tuple[str, str]]:
    if status == 401:
        yield "WWW-Authenticate", 'Bearer realm="aporia"'
    if isinstance(error, TransientError) and error.retry_after is not None:
        yield "Retry-After", str(math.ceil(error.retry_after))


def add_error_handlers(app: FastAPI) -> None:
    """Register handlers that convert all exceptions to error responses."""
    app.add_exception_handler(AporiaError, _on_aporia_error)
    app.add_exception_handler(DeadlineExceededError, _on_overdue)
    app.add_exception_handler(ShutdownError, _on_stopping)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(Exception, _on_fault)


async def _on_aporia_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AporiaError)  # noqa: S101
    if isinstance(error, TransientError):
        log.error("%s", error.message)
        return error_response(TransientError("The database does not respond; try again", status=503))
    return error_response(error)


async def _on_overdue(_: Request, error: Exception) -> JSONResponse:
    return error_response(AporiaError(f"{error}; try again, or send a smaller request", status=503))


async def _on_stopping(_: Request, error: Exception) -> JSONResponse:
    return error_response(AporiaError(str(error), status=503))


async def _on_invalid_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
    return error_response(ValidationError("The request is not valid", problems=faults))


async def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    phrase = HTTPStatus(error.status_code).phrase
    reply = error_response(
        AporiaError(f"{phrase}: {request.method} {request.url.path}", status=error.status_code)
    )
    if error.status_code == 405:
        reply.headers["Allow"] = ", ".join(_allowed_methods(request))
    return reply


async def _on_disconnect(_: Request, __: Exception) -> JSONResponse:
    # The client does not receive this response, but the access log records its status.
    return error_response(AporiaError("The connection ended before the body was complete", status=400))


async def _on_fault(_: Request, __: Exception) -> JSONResponse:
    return error_response(AporiaError("Internal server error; see the log of the server", status=500))


def _allowed_methods(request: Request) -> list[str]:
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= set(getattr(route, "methods", None) or ())
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
