"""Monitors: rules on metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete

from aporia_provider.api import Registered, differences, existing_registration
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.json_columns import check_json, check_names, reject_templates
from aporia_provider.backend.store.lookups import insert_or_find
from aporia_provider.backend.store.tables import MonitorRow
from aporia_provider.errors import NotFoundError
from aporia_provider.models import Monitor


class Monitors(RegistryBase):
    """Registry methods for monitors."""

    def create_monitor(self, monitor: Monitor) -> Registered:
        """
        Create a monitor, or return the existing one that is identical.

        Its name has to be unique among the monitors of the model that its configuration names.
        """
        Monitor.check_type(monitor)
        check_names(name=monitor.name)
        reject_templates(type=monitor.type, scheduling=monitor.scheduling)
        body = monitor.to_wire()
        check_json(body)
        key = {"environment": self.environment, "subject": _subject(body), "name": monitor.name}
        with self.database.write_transaction() as session:
            row, is_new = insert_or_find(session, MonitorRow, key, {"registration": body})
            if is_new:
                return {"id": row.id, "status": "created"}
            return existing_registration(
                f"Monitor {monitor.name!r}", row.id, differences(row.registration, body), "match"
            )

    def delete_monitor(self, monitor_id: str) -> None:
        """Delete a monitor."""
        check_names(monitor=monitor_id)
        deletion = delete(MonitorRow).where(MonitorRow.environment == self.environment)
        with self.database.write_transaction() as session:
            deleted = session.execute(
                deletion.where(MonitorRow.id == monitor_id).returning(MonitorRow.key)
            ).first()
        if deleted is None:
            message = f"There is no monitor {monitor_id!r} in environment {self.environment!r}"
            raise NotFoundError(message, status=404)


def _subject(body: Mapping[str, Any]) -> str:
    """Return the id of the monitored model: ``identification.models.id`` of the configuration, or empty."""
    value: Any = body["configuration"]
    for step in ("identification", "models", "id"):
        value = value.get(step) if isinstance(value, Mapping) else None
    subject = value if isinstance(value, str) else ""
    if subject:
        check_names(model=subject)
    return subject
