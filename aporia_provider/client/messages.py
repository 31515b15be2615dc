"""A request of the protocol and the reply to it, as plain values: nothing here touches a network."""

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
"""Statuses that say the same request may succeed later."""


@dataclass(frozen=True)
class Request:
    """
    One HTTP request.

    :param doing: What it is for, to begin a message with: ``"Deleting model m"``.
    :param path: Path and query, percent-encoded.
    :param body: JSON value, or None to send no body.
    :param timeout: Seconds to wait for the reply if longer than the client's own timeout.
    :param secrets: Texts of the body that no message may show.
    :param repeatable: Whether a second copy does no harm when the first one may have arrived.
    """

    doing: str
    method: str
    path: str
    body: Any = field(default=None, repr=False)
    timeout: float | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    repeatable: bool = True

    def content(self) -> bytes | None:
        """
        The body in UTF-8.

        :raises aporia_provider.errors.ValidationError: if the body holds what JSON cannot say, such as NaN.
        """
        if self.body is None:
            return None
        try:
            return json.dumps(self.body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as error:
            kind = type(error).__name__
            raise ValidationError(
                f"{self.doing} failed: the request cannot be written as JSON ({kind}); it takes text, finite "
                "numbers, true, false, null, lists and objects with text keys"
            ) from None


@dataclass(frozen=True)
class Reply:
    """
    What the server answered.

    :param request: What it answers.
    :param status: HTTP status.
    :param body: The JSON value, None if the body was empty, or the text if it was not JSON.
    :param is_json: Whether the body was JSON.
    :param retry_after: Seconds the server asked to wait.
    :param ambiguous: Whether an earlier attempt of the same request may have arrived, so that this reply may
        speak of our own doing.
    """

    request: Request
    status: int
    body: Any = None
    is_json: bool = False
    retry_after: float | None = None
    ambiguous: bool = False

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300

    def accepted(self) -> Any:
        """
        The body of a success; None if there is none.

        :raises aporia_provider.errors.AporiaError: as the status says, or if the body is not JSON.
        """
        if not self.ok:
            raise self.failure()
        if self.body is not None and not self.is_json:
            raise AporiaError(
                self.says("the reply is not JSON, so something else than an Aporia server answered")
            )
        return self.body

    def mapping(self) -> Mapping[str, Any]:
        """
        The body of a success that has to be a JSON object.

        :raises aporia_provider.errors.AporiaError: see :meth:`accepted`, or if it is something else.
        """
        body = self.accepted()
        if not isinstance(body, Mapping):
            raise AporiaError(self.says("the reply is not a JSON object"), status=self.status)
        return body

    def failure(self) -> AporiaError:
        """The error that an unsuccessful reply stands for."""
        message = self.says(explanation(self.status, self.body))
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

    def says(self, fault: str) -> str:
        """``fault`` with what was being done and the request it happened to."""
        place = self.request.path.partition("?")[0]
        return f"{self.request.doing} failed: {fault} (HTTP {self.status} to {self.request.method} {place})"


Call: TypeAlias = Generator[Request, Reply, T]
"""A call without its I/O: yields requests, is sent their replies, returns the result."""


def segment(text: str, what: str) -> str:
    """
    ``text`` as one segment of a path, so that the server gets exactly this text back.

    :param what: What it names, for the message.
    :raises aporia_provider.errors.ValidationError: if it is empty or no text that UTF-8 can say.
    """
    try:
        quoted = quote(text, safe="")
    except (UnicodeEncodeError, TypeError):
        raise ValidationError(f"The {what} is not text that can be sent: {text!a}") from None
    if not quoted:
        raise ValidationError(f"The {what} is empty")
    # "." and ".." need no quoting by the letter, but a path made of them is walked instead of sent.
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted
