"""Which failures are worth another attempt, and how long to wait before it."""

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
    How often and how patiently a request is repeated after a transient failure.

    The wait is random between nothing and a bound that doubles with every attempt (full jitter), so that many
    tasks which failed together do not come back together.

    :param attempts: Requests sent at most, the first one included.
    :param first_wait: Bound of the first wait, in seconds.
    :param longest_wait: Bound of every wait, in seconds, also of one the server asks for.
    :raises aporia_provider.errors.ValidationError: if there is no attempt or a wait is negative.
    """

    attempts: int = 4
    first_wait: float = 1.0
    longest_wait: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_wait < 0 or self.longest_wait < 0:
            raise ValidationError("Retries take at least one attempt and waits of at least 0 seconds")

    def wait(self, attempt: int, retry_after: float | None = None) -> float:
        """
        Seconds to wait after a failed attempt.

        :param attempt: Its number, from 1.
        :param retry_after: Seconds the server asked to wait.
        """
        if retry_after is not None:
            return min(retry_after, self.longest_wait)
        return random.uniform(0, min(self.longest_wait, self.first_wait * 2.0 ** min(attempt - 1, 60)))


@dataclass(frozen=True)
class Lost:
    """
    A request that got no reply.

    :param reason: What happened.
    :param may_have_arrived: Whether the server may have acted on it.
    """

    reason: str
    may_have_arrived: bool


@dataclass(frozen=True)
class Pause:
    """
    A wait before the next attempt.

    :param seconds: How long.
    """

    seconds: float


Step: TypeAlias = Request | Pause
Outcome: TypeAlias = Reply | Lost | None
"""What became of a step; None after a pause."""


# tenacity would wrap the transports, once for the sync and once for the async one, and could not tell a call
# that its earlier attempt may have arrived. As steps the rule is written once, above both.
def persistent(call: Call[T], retries: Retries) -> Generator[Step, Outcome, T]:
    """
    The steps that carry out a call: requests, and pauses between the attempts.

    :raises aporia_provider.errors.TransientError: if the last attempt failed too.
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
        outcome = cast("Reply | Lost", (yield request))
        if isinstance(outcome, Reply) and outcome.status not in TRANSIENT:
            return replace(outcome, ambiguous=ambiguous)
        ambiguous = ambiguous or _may_have_arrived(outcome)
        if ambiguous and not request.repeatable:
            raise _given_up(
                request, outcome, attempt, "It may have been carried out: look before trying again."
            )
        if attempt >= retries.attempts:
            raise _given_up(request, outcome, attempt)
        log.warning("%s Attempt %d of %d.", _told(request, outcome), attempt, retries.attempts)
        yield Pause(retries.wait(attempt, outcome.retry_after if isinstance(outcome, Reply) else None))


def _may_have_arrived(outcome: Reply | Lost) -> bool:
    # A gateway answers 502 to 504 also when only the reply of the server behind it was lost.
    return outcome.status != 429 if isinstance(outcome, Reply) else outcome.may_have_arrived


def _told(request: Request, outcome: Reply | Lost) -> str:
    if isinstance(outcome, Reply):
        return f"{outcome.failure()}."
    place = request.path.partition("?")[0]
    return f"{request.doing} failed: {outcome.reason} ({request.method} {place})."


def _given_up(request: Request, outcome: Reply | Lost, attempts: int, hint: str = "") -> TransientError:
    times = "once" if attempts == 1 else f"{attempts} times"
    message = f"{_told(request, outcome)} Tried {times}. {hint}".rstrip()
    if isinstance(outcome, Reply):
        return TransientError(message, status=outcome.status, retry_after=outcome.retry_after)
    return TransientError(message)
