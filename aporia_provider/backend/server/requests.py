"""Dependencies of the routes: the registry of the request's environment, and the parsed body."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from aporia_provider.backend.registry import Registry
from aporia_provider.backend.server import request_bodies
from aporia_provider.backend.server.request_bodies import BodyLimit
from aporia_provider.backend.store.json_columns import check_json
from aporia_provider.errors import AporiaError, ValidationError


def _registry(request: Request) -> Registry:
    state = request.app.state
    return Registry(state.database, request.state.environment, state.allowed_local_folders)


def _reader(limit: BodyLimit) -> Any:
    """Return a FastAPI dependency that reads a request body up to a limit."""

    async def read(request: Request) -> dict[str, Any]:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            limit.check_size(len(content))
        return await run_in_threadpool(read_object, bytes(content), limit)

    return Depends(read)


CurrentRegistry = Annotated[Registry, Depends(_registry)]
SmallBody = Annotated[dict[str, Any], _reader(request_bodies.SMALL)]
MediumBody = Annotated[dict[str, Any], _reader(request_bodies.MEDIUM)]
SchemaBody = Annotated[dict[str, Any], _reader(request_bodies.SCHEMA)]
RowsBody = Annotated[dict[str, Any], _reader(request_bodies.ROWS)]
ArtifactBody = Annotated[dict[str, Any], _reader(request_bodies.ARTIFACT)]


def read_object(content: bytes, limit: BodyLimit) -> dict[str, Any]:
    """
    Parse the body of a request.

    :param limit: Limit of the route.
    :raises aporia_provider.backend.server.error_handlers.BodyTooLargeError: if the body has more values than
        the limit.
    :raises aporia_provider.errors.ValidationError: if the body is not a JSON object, or holds values that
        cannot be stored.
    """
    limit.check_content(content)
    try:
        value = json.loads(content.decode(), parse_constant=_refuse)
    except RecursionError:
        raise ValidationError("The body is nested too deeply", status=400) from None
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "it has to be JSON in UTF-8"
        raise ValidationError(f"The body cannot be read: {reason}", status=400) from None
    if not isinstance(value, dict):
        raise ValidationError("The body has to be a JSON object", status=400)
    check_json(value)
    return value


def checked_keys(body: dict[str, Any], *required: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """
    Return the body if it has all required keys and no unknown ones.

    :raises aporia_provider.errors.ValidationError: if keys are missing or unknown; all are listed.
    """
    missing = [f"{key}: is required" for key in required if key not in body]
    unknown = [f"{key}: is unknown" for key in body if key not in (*required, *optional)]
    if missing or unknown:
        raise ValidationError("The body is not valid", problems=[*missing, *unknown])
    return body


def single_object(body: dict[str, Any], key: str) -> dict[str, Any]:
    """
    Return the object under the body's only key.

    :raises aporia_provider.errors.ValidationError: if there are other keys, or the value is not an object.
    """
    value = checked_keys(body, key)[key]
    if not isinstance(value, dict):
        raise ValidationError("The body is not valid", problems=[f"{key}: has to be an object"])
    return value


def check_environment(registry: Registry, environment: Any) -> None:
    """
    Raise an error if a request names another environment than its token.

    :raises aporia_provider.errors.AporiaError: with status 403.
    """
    if environment is not None and environment != registry.environment:
        raise AporiaError(
            f"The token is for environment {registry.environment!r}, not for {environment!r}", status=403
        )


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
