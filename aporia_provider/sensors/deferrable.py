"""Base class of sensors that wait in a worker or in the triggerer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout, conf
from airflow.sdk import BaseSensorOperator, PokeReturnValue

from aporia_provider.errors import TransientError, ValidationError
from aporia_provider.operators.base import fail_without_retry
from aporia_provider.operators.rendering import CheckedRendering
from aporia_provider.triggers import poll_intervals

if TYPE_CHECKING:
    from airflow.sdk import Context

    from aporia_provider.triggers.waiting import WaitingTrigger

_GRACE_SECONDS = 600.0


class DeferrableSensor(CheckedRendering, BaseSensorOperator):
    """
    Base class of the sensors of this provider.

    An error that waiting does not fix, such as denied access or a missing table, fails the task without
    retries. Other errors are tolerated up to ``max_errors`` in a row; in the mode ``reschedule``, which keeps
    no count, until the timeout.

    :param deferrable: Whether to wait in the triggerer, which occupies no worker slot. Default:
        ``[operators] default_deferrable``.
    :param max_errors: Number of consecutive transient errors, such as timeouts, after which the task fails
        and is retried.
    :param kwargs: Parameters of Airflow's ``BaseSensorOperator``, such as ``poke_interval``, ``timeout``,
        ``mode`` and ``soft_fail``. In the triggerer, ``poke_interval`` is at least 5 seconds.
    """

    ui_color = "#d7ecf4"

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        max_errors: int = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.max_errors = max_errors
        self._errors = 0

    @abstractmethod
    def check(self) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        """
        Check the condition.

        :return: The result if the condition holds, otherwise None, and why it does not hold.
        :raises aporia_provider.errors.AporiaError: if a parameter is not valid, or the condition cannot be
            checked.
        """

    @abstractmethod
    def trigger(self, **waiting: Any) -> WaitingTrigger:
        """Return the trigger that checks the condition; ``waiting`` are the parameters of its base class."""

    def poke(self, context: Context) -> PokeReturnValue:
        """Check the condition once."""
        with fail_without_retry():
            try:
                result, unmet = self.check()
            except TransientError as error:
                self._errors += 1
                if self._errors >= self.max_errors:
                    raise
                self.log.warning("Error %d of at most %d: %s", self._errors, self.max_errors, error.message)
                return PokeReturnValue(False)
        self._errors = 0
        if result is None:
            self.log.info("Waiting: %s", "; ".join(unmet))
        return PokeReturnValue(result is not None, result)

    def execute(self, context: Context) -> Any:
        """Wait until the condition holds; return what was found."""
        if not self.deferrable:
            return super().execute(context)
        result = self.poke(context)
        if result.is_done:
            return result.xcom_value
        seconds = self._seconds_left()
        end_time = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        interval = max(self.poke_interval, poll_intervals.MIN_POLL_INTERVAL)
        self.defer(
            trigger=self.trigger(poll_interval=interval, end_time=end_time, max_errors=self.max_errors),
            method_name="execute_complete",
            # The trigger ends before, with the reason why the condition did not hold.
            timeout=timedelta(seconds=seconds + _GRACE_SECONDS),
        )

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Return the result of the trigger.

        :param event: Payload of the event, see :class:`~aporia_provider.triggers.waiting.WaitingTrigger`.
        """
        event = event if isinstance(event, Mapping) else {}
        message = str(event.get("message"))
        match event.get("status"):
            case "met" if isinstance(event.get("result"), Mapping):
                return dict(event["result"])
            case "timed_out":
                raise AirflowSensorTimeout(f"The condition did not hold in time: {message}")
            case "failed" if event.get("permanent") is False:
                raise TransientError(message)
            case "failed":
                raise AirflowFailException(message)
        raise ValidationError(f"The event of the trigger is not valid: {sorted(event)}")

    def _seconds_left(self) -> float:
        limit = self.execution_timeout
        return self.timeout if limit is None else min(self.timeout, limit.total_seconds())
