"""Base class of the triggers of sensors."""

from __future__ import annotations

import asyncio
import random
from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

from aporia_provider.errors import AporiaError, TransientError
from aporia_provider.triggers.poll_intervals import retry_delay

CHECK_SECONDS: Final = 300.0
"""Time limit of a check in seconds."""


class WaitingTrigger(BaseTrigger):
    """
    Trigger that checks a condition until it holds.

    It emits one event, whose payload has a ``status``: ``met`` with the ``result``; ``failed`` with the
    ``message`` of an error and whether it is ``permanent``; or ``timed_out`` with the last reason as
    ``message``.

    :param poll_interval: Seconds between checks.
    :param end_time: Time in ISO format after which it emits ``timed_out``.
    :param max_errors: Number of consecutive transient errors after which it emits ``failed``.
    """

    def __init__(self, *, poll_interval: float, end_time: str, max_errors: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.poll_interval = poll_interval
        self.end_time = end_time
        self.max_errors = max_errors
        self._reason = "it was not checked"

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and its parameters."""
        kwargs = {
            "poll_interval": self.poll_interval,
            "end_time": self.end_time,
            "max_errors": self.max_errors,
        }
        return f"{type(self).__module__}.{type(self).__name__}", {**kwargs, **self.parameters()}

    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the subclass."""

    @abstractmethod
    async def check(self) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        """
        Check the condition.

        :return: The result if the condition holds, otherwise None, and why it does not hold.
        :raises aporia_provider.errors.AporiaError: if it cannot be checked.
        """

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Check until the condition holds, the time is over, or an error is permanent."""
        # The sensor has checked before. After a restart, the checks of all triggers are spread.
        delay, errors = random.uniform(0.0, 1.0) * self.poll_interval, 0
        while await self._sleep(delay):
            try:
                payload = await self._checked()
                errors, delay = 0, self.poll_interval
            except AporiaError as error:
                errors += 1
                payload = self._failed(error, errors)
                delay = retry_delay(self.poll_interval, errors, error)
            if payload is not None:
                yield TriggerEvent(payload)  # type: ignore[no-untyped-call]
                return
        yield TriggerEvent({"status": "timed_out", "message": self._reason})  # type: ignore[no-untyped-call]

    async def _sleep(self, seconds: float) -> bool:
        """Sleep; return whether the end has not been reached."""
        remaining = (datetime.fromisoformat(self.end_time) - datetime.now(UTC)).total_seconds()
        await asyncio.sleep(max(0.0, min(seconds, remaining)))
        return seconds < remaining

    async def _checked(self) -> dict[str, Any] | None:
        try:
            result, unmet = await asyncio.wait_for(self.check(), CHECK_SECONDS)
        except TimeoutError:
            raise TransientError(f"The check did not end within {CHECK_SECONDS:.0f} s") from None
        if result is not None:
            return {"status": "met", "result": result}
        reason = "; ".join(unmet)
        if reason != self._reason:
            self.log.info("Waiting: %s", reason)
            self._reason = reason
        return None

    def _failed(self, error: AporiaError, errors: int) -> dict[str, Any] | None:
        permanent = not isinstance(error, TransientError)
        if permanent or errors >= self.max_errors:
            return {"status": "failed", "permanent": permanent, "message": error.message}
        self.log.warning("Error %d of at most %d: %s", errors, self.max_errors, error.message)
        self._reason = error.message
        return None
