"""Retries of requests after transient failures."""

from __future__ import annotations

import logging
import random
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar, cast

from aporia_provider.client.messages import TRANSIENT, Call, Reply, Request
from aporia_provider.errors import TransientError, ValidationError

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Retries:
    """
    Retry policy of requests after transient failures.

    The delay is random, between 0 and a bound that doubles with every attempt (full jitter), so that tasks
    that failed at the same time do not retry at the same time.

    :param attempts: Maximum number of requests, including the first one.
    :param first_wait: Bound of the first delay in seconds.
    :param longest_wait: Bound of every delay in seconds, including delays that the server requests.
    :raises aporia_provider.errors.ValidationError: if there is no attempt or a delay is negative.
    """

    attempts: int = 4
    first_wait: float = 1.0
    longest_wait: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_wait < 0 or self.longest_wait < 0:
            raise ValidationError("Retries require at least one attempt and delays of at least 0 seconds")

    def wait(self, attempt: int, retry_after: float | None = None) -> float:
        """
        Return the delay after a failed attempt in seconds.

        :param attempt: Number of the attempt, from 1.
        :param retry_after: Delay that the server gave, in seconds.
        """
        if retry_after is not None:
            return min(retry_after, self.longest_wait)
        return random.uniform(0, min(self.longest_wait, self.first_wait * 2.0 ** min(attempt - 1, 60)))


@dataclass(frozen=True)
class LostRequest:
    """
    A request without a reply.

    :param reason: Description of the error.
    :param may_have_arrived: Whether the server may have received the request.
    """

    reason: str
    may_have_arrived: bool


@dataclass(frozen=True)
class Pause:
    """
    A delay before the next attempt.

    :param seconds: Length of the delay in seconds.
    """

    seconds: float


Step: TypeAlias = Request | Pause
Outcome: TypeAlias = Reply | LostRequest | None
"""Result of a step; None for a pause."""


# tenacity would wrap the synchronous and the asynchronous transport separately, and could not inform a call
# that the server may have received an earlier attempt.
def persistent(call: Call[T], retries: Retries) -> Generator[Step, Outcome, T]:
    """
    Yield the steps that perform a call: requests, and pauses between the attempts.

    :raises aporia_provider.errors.TransientError: if the last attempt failed.
    """
    try:
        request = next(call)
        while True:
            reply = yield from _delivered(request, retries)
            request = call.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result


def _delivered(request: Request, retries: Retries) -> Generator[Step, Outcome, Reply]:
    ambiguous = False
    attempt = 0
    while True:
        attempt += 1
        outcome = cast("Reply | LostRequest", (yield request))
        if isinstance(outcome, Reply) and outcome.status not in TRANSIENT:
            return replace(outcome, ambiguous=ambiguous)
        ambiguous = ambiguous or _may_have_arrived(outcome)
        if ambiguous and not request.repeatable:
            raise _given_up(request, outcome, attempt, "It may have succeeded: check before trying again.")
        if attempt >= retries.attempts:
            raise _given_up(request, outcome, attempt)
        log.warning("%s Attempt %d of %d.", _failure_text(request, outcome), attempt, retries.attempts)
        yield Pause(retries.wait(attempt, outcome.retry_after if isinstance(outcome, Reply) else None))


def _may_have_arrived(outcome: Reply | LostRequest) -> bool:
    # A gateway returns 502 to 504 even if only the reply of the server behind it was lost.
    return outcome.status != 429 if isinstance(outcome, Reply) else outcome.may_have_arrived


def _failure_text(request: Request, outcome: Reply | LostRequest) -> str:
    if isinstance(outcome, Reply):
        return f"{outcome.failure()}."
    path = request.path.partition("?")[0]
    return f"{request.description} failed: {outcome.reason} ({request.method} {path})."


def _given_up(
    request: Request, outcome: Reply | LostRequest, attempts: int, hint: str = ""
) -> TransientError:
    times = "once" if attempts == 1 else f"{attempts} times"
    message = f"{_failure_text(request, outcome)} Tried {times}. {hint}".rstrip()
    if isinstance(outcome, Reply):
        return TransientError(message, status=outcome.status, retry_after=outcome.retry_after)
    return TransientError(message)
