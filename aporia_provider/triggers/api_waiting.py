"""Triggers of the sensors that call the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from aporia_provider.triggers.waiting import WaitingTrigger

if TYPE_CHECKING:
    from aporia_provider.triggers.api_conditions import Answer, ApiCondition


class ApiTrigger(WaitingTrigger):
    """
    Base class of triggers that wait until the answer to a call of the API meets a condition.

    :param aporia_conn_id: See :class:`~aporia_provider.hooks.aporia.AporiaHook`.
    :param condition: JSON form of the condition.
    :param kwargs: Parameters of :class:`~aporia_provider.triggers.waiting.WaitingTrigger`.
    """

    condition_class: ClassVar[str]
    """Name of the class of the condition in ``api_conditions``."""

    def __init__(self, *, aporia_conn_id: str, condition: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aporia_conn_id = aporia_conn_id
        self.condition = condition

    def parameters(self) -> dict[str, Any]:
        """Return the connection and the condition."""
        return {"aporia_conn_id": self.aporia_conn_id, "condition": dict(self.condition)}

    async def check(self) -> Answer:
        """Call the API, and check its answer."""
        from aporia_provider.hooks.aporia import AporiaHook
        from aporia_provider.triggers import api_conditions

        condition_class: type[ApiCondition] = getattr(api_conditions, self.condition_class)
        condition = condition_class.from_json(self.condition)
        name, arguments = condition.call
        async with await AporiaHook(self.aporia_conn_id).get_async_conn() as api:
            return condition.answer(await getattr(api, name)(*arguments))


class DatasetSyncTrigger(ApiTrigger):
    """Trigger that waits until a dataset is synced."""

    condition_class = "SyncCondition"


class LabelCoverageTrigger(ApiTrigger):
    """Trigger that waits until enough predictions have labels."""

    condition_class = "LabelCondition"
