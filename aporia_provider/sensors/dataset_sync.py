"""Sensor of the syncs of a dataset."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from aporia_provider.datasets import ROLES
from aporia_provider.operators.parameters import Choice
from aporia_provider.sensors.api_sensor import ApiSensor
from aporia_provider.sensors.rendered_values import RenderedValues

if TYPE_CHECKING:
    from aporia_provider.datasets import Role
    from aporia_provider.triggers.api_conditions import SyncCondition


class DatasetSyncSensor(ApiSensor):
    """
    Wait until a dataset is synced.

    At least one of ``table_version`` and ``synced_after`` is required. If a sync fails, the sensor continues
    to wait, since syncs are repeated; its log has the error. If syncs are disabled, the task fails.

    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param role: Role of the dataset: ``training``, ``testing``, ``serving`` or ``actuals``.
    :param table_version: The synced version of the table is at least this one.
    :param synced_after: A sync has succeeded at this time or later. A time without a time zone is in UTC.
    :param kwargs: See :class:`~aporia_provider.sensors.api_sensor.ApiSensor`.
    :return: ``model_id``, ``model_version``, ``role``, and ``table_version``, ``lag``, ``last_sync_at`` and
        ``rows`` of the dataset's status.
    """

    trigger_class = "DatasetSyncTrigger"
    template_fields = (
        *ApiSensor.template_fields,
        "model_id",
        "model_version",
        "role",
        "table_version",
        "synced_after",
    )

    role = Choice["Role"](ROLES)

    def __init__(
        self,
        *,
        model_id: str,
        model_version: str,
        role: Role,
        table_version: int | str | None = None,
        synced_after: datetime | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.model_version = model_version
        self.role = role
        self.table_version = table_version
        self.synced_after = synced_after

    def condition(self) -> SyncCondition:
        """Return the condition."""
        from aporia_provider.triggers.api_conditions import SyncCondition

        values = RenderedValues()
        condition = SyncCondition(
            model_id=self.model_id,
            model_version=self.model_version,
            role=self.role,
            table_version=values.number("table_version", self.table_version, 0),
            synced_after=values.time("synced_after", self.synced_after),
        )
        if self.table_version is None and self.synced_after is None:
            values.add("table_version or synced_after is required")
        values.check("The condition on the syncs")
        return condition
