"""Requests and replies of the protocol as values without I/O."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

from aporia_provider.client.error_responses import explanation, lines
from aporia_provider.errors import (
    AporiaError,
    AuthenticationError,
    ConflictError,
    NotFoundError,
    TransientError,
    ValidationError,
)

T = TypeVar("T")

TRANSIENT = frozenset({429, 502, 503, 504})
"""Statuses after which the same request may succeed later."""


@dataclass(frozen=True)
class Request:
    """
    One HTTP request.

    :param description: Description that begins an error message: ``"Deleting model m"``.
    :param path: Path and query, percent-encoded.
    :param body: JSON value, or None to send no body.
    :param timeout: Timeout in seconds if longer than the client's timeout.
    :param secrets: Strings in the body that must not appear in messages.
    :param repeatable: Whether the request may be repeated if the server may have received it.
    """

    description: str
    method: str
    path: str
    body: Any = field(default=None, repr=False)
    timeout: float | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    repeatable: bool = True

    def content(self) -> bytes | None:
        """
        Return the body, encoded in UTF-8.

        :raises aporia_provider.errors.ValidationError: if the body contains a value that JSON cannot
            represent, such as NaN.
        """
        if self.body is None:
            return None
        try:
            return json.dumps(self.body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as error:
            kind = type(error).__name__
            raise ValidationError(
                f"{self.description} failed: the request cannot be written as JSON ({kind}); it requires "
                "text, finite numbers, true, false, null, lists and objects with text keys"
            ) from None


@dataclass(frozen=True)
class Reply:
    """
    Reply of the server.

    :param request: The request.
    :param status: HTTP status.
    :param body: The JSON value, None if the body was empty, or the text if it was not JSON.
    :param is_json: Whether the body was JSON.
    :param retry_after: Seconds to wait before another request, as given by the server.
    :param ambiguous: Whether the server may have received an earlier attempt of the same request, so that
        this reply may describe its effect.
    """

    request: Request
    status: int
    body: Any = None
    is_json: bool = False
    retry_after: float | None = None
    ambiguous: bool = False

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def accepted(self) -> Any:
        """
        Return the body of a successful reply; None if it is empty.

        :raises aporia_provider.errors.AporiaError: for the status of an error, or if the body is not JSON.
        """
        if not self.ok:
            raise self.failure()
        if self.body is not None and not self.is_json:
            raise AporiaError(self.error_message("the reply is not JSON, so it is not from an Aporia server"))
        return self.body

    def mapping(self) -> Mapping[str, Any]:
        """
        Return the body of a successful reply, which must be a JSON object.

        :raises aporia_provider.errors.AporiaError: as :meth:`accepted`, or if the body is not an object.
        """
        body = self.accepted()
        if not isinstance(body, Mapping):
            raise AporiaError(self.error_message("the reply is not a JSON object"), status=self.status)
        return body

    def failure(self) -> AporiaError:
        """Return the exception for an error response."""
        message = self.error_message(explanation(self.status, self.body))
        if self.status in TRANSIENT:
            return TransientError(message, status=self.status, retry_after=self.retry_after)
        if self.status in (401, 403):
            return AuthenticationError(message, status=self.status)
        if self.status == 404:
            return NotFoundError(message, status=self.status)
        if self.status == 409:
            return ConflictError(message, differences=lines(self.body, "differences"), status=self.status)
        if 400 <= self.status < 500:
            return ValidationError(message, problems=lines(self.body, "problems"), status=self.status)
        return AporiaError(message, status=self.status)

    def error_message(self, fault: str) -> str:
        """Return an error message with the fault, the description of the request, its method and its path."""
        request, path = self.request, self.request.path.partition("?")[0]
        return f"{request.description} failed: {fault} (HTTP {self.status} to {request.method} {path})"


Call: TypeAlias = Generator[Request, Reply, T]
"""A call without I/O: a generator that yields requests, is sent their replies and returns the result."""


def segment(text: str, description: str) -> str:
    """
    Return a string percent-encoded as one segment of a path.

    :param description: Name of the value in the error message.
    :raises aporia_provider.errors.ValidationError: if it is empty or cannot be encoded in UTF-8.
    """
    try:
        quoted = quote(text, safe="")
    except (UnicodeEncodeError, TypeError):
        raise ValidationError(f"The {description} is not text that can be sent: {text!a}") from None
    if not quoted:
        raise ValidationError(f"The {description} is empty")
    # Quoting does not change "." and "..", but URL normalization removes them.
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted
