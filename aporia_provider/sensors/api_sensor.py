"""Base class of sensors that call the API."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from aporia_provider.sensors.deferrable import DeferrableSensor

if TYPE_CHECKING:
    from aporia_provider.triggers.api_conditions import Answer, ApiCondition
    from aporia_provider.triggers.api_waiting import ApiTrigger


class ApiSensor(DeferrableSensor):
    """
    Base class of sensors that wait until the answer to a call of the API meets a condition.

    :param aporia_conn_id: Connection to the server; if it does not exist, the embedded backend is used, in
        the triggerer too. See :class:`~aporia_provider.hooks.aporia.AporiaHook`.
    :param kwargs: See :class:`~aporia_provider.sensors.deferrable.DeferrableSensor`.
    """

    trigger_class: ClassVar[str]
    """Name of the class of the trigger in ``api_waiting``."""

    template_fields: Collection[str] = ("aporia_conn_id",)

    def __init__(self, *, aporia_conn_id: str = "aporia_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aporia_conn_id = aporia_conn_id

    @abstractmethod
    def condition(self) -> ApiCondition:
        """
        Return the condition.

        :raises aporia_provider.errors.ValidationError: if parameters are not valid; all are listed.
        """

    def check(self) -> Answer:
        """Call the API, and check its answer."""
        from aporia_provider.hooks.aporia import AporiaHook

        condition = self.condition()
        name, arguments = condition.call
        with AporiaHook(self.aporia_conn_id).get_conn() as api:
            return condition.answer(getattr(api, name)(*arguments))

    def trigger(self, **waiting: Any) -> ApiTrigger:
        """Return the trigger that checks the condition."""
        from aporia_provider.triggers import api_waiting

        trigger_class: type[ApiTrigger] = getattr(api_waiting, self.trigger_class)
        return trigger_class(
            aporia_conn_id=self.aporia_conn_id, condition=self.condition().to_json(), **waiting
        )
