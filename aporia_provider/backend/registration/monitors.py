"""Monitors: rules on metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from aporia_provider.backend.registration.monitor_references import check_references
from aporia_provider.backend.registration.scope import RegistryBase
from aporia_provider.backend.store.json_columns import check_json, check_names, reject_templates
from aporia_provider.backend.store.lookups import find_model, insert_or_find
from aporia_provider.backend.store.tables import MonitorRow
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.models import Monitor
from aporia_provider.monitor_changes import ApplyRequest, MonitorChange
from aporia_provider.registrations import Registered, differences, existing_registration


class Monitors(RegistryBase):
    """Registry methods for monitors."""

    def create_monitor(self, monitor: Monitor) -> Registered:
        """
        Create a monitor, or return the existing one that is identical.

        Its name has to be unique among the monitors of the model that its configuration names.

        :raises aporia_provider.errors.ValidationError: if the model has no such segment, value or custom
            metric; all problems are listed.
        """
        body = _checked(monitor)
        key = {"environment": self.environment, "subject": _subject(body), "name": monitor.name}
        with self.database.write_transaction() as session:
            check_references(session, self.environment, key["subject"], body)
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

    def apply_monitors(
        self,
        model_id: str,
        monitors: Sequence[Monitor],
        *,
        delete_others: bool = False,
        delete_prefix: str | None = None,
        dry_run: bool = False,
    ) -> list[MonitorChange]:
        """
        Make the monitors of a model what is given, in one transaction.

        Monitors are identified by their name. An updated monitor keeps its id and its alerts; its windows are
        judged again by the next evaluation.

        :param model_id: Id of the model.
        :param monitors: The monitors.
        :param delete_others: Whether other monitors of the model are deleted, with their alerts.
        :param delete_prefix: Start of the names of other monitors that are deleted, with their alerts.
        :param dry_run: Whether nothing is changed.
        :return: One item for each monitor, in the order of ``monitors``, and the deleted ones.
        :raises aporia_provider.errors.NotFoundError: if there is no such model.
        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        ApplyRequest(model_id=model_id, monitors=list(monitors), delete_prefix=delete_prefix).check()
        bodies = {monitor.name: _checked(monitor) for monitor in monitors}
        with self.database.write_transaction() as session:
            find_model(session, self.environment, model_id)
            _check_all(session, self.environment, model_id, bodies.values())
            of_model = select(MonitorRow).filter_by(environment=self.environment, subject=model_id)
            rows = {
                row.name: row for row in session.scalars(of_model.order_by(MonitorRow.key).with_for_update())
            }
            changes = [_change(name, rows.get(name), body) for name, body in bodies.items()]
            others = [row for name, row in rows.items() if name not in bodies]
            if not delete_others:
                others = [row for row in others if delete_prefix and row.name.startswith(delete_prefix)]
            changes += [MonitorChange(name=row.name, action="deleted", id=row.id) for row in others]
            if dry_run:
                return changes
            for row in others:
                session.delete(row)
            return [self._applied(session, change, model_id, rows, bodies) for change in changes]

    def _applied(
        self,
        session: Session,
        change: MonitorChange,
        model_id: str,
        rows: Mapping[str, MonitorRow],
        bodies: Mapping[str, dict[str, Any]],
    ) -> MonitorChange:
        """Carry out a change other than a deletion."""
        if change.action == "updated":
            rows[change.name].registration = bodies[change.name]
        if change.action != "created":
            return change
        key = {"environment": self.environment, "subject": model_id, "name": change.name}
        row, _ = insert_or_find(session, MonitorRow, key, {"registration": bodies[change.name]})
        # Another process may have created it meanwhile.
        row.registration = bodies[change.name]
        return MonitorChange(name=change.name, action="created", id=row.id)


def _check_all(
    session: Session, environment: str, model_id: str, bodies: Iterable[Mapping[str, Any]]
) -> None:
    """
    Check the segments and custom metrics that monitors name.

    :raises aporia_provider.errors.ValidationError: with the problems of all monitors.
    """
    problems = []
    for body in bodies:
        try:
            check_references(session, environment, model_id, body)
        except ValidationError as error:
            problems += [f"{body['name']}: {problem}" for problem in error.problems or [error.message]]
    if problems:
        raise ValidationError("The monitors are not valid", problems=problems)


def _checked(monitor: Monitor) -> dict[str, Any]:
    """Return the body of a monitor that can be stored."""
    Monitor.check_type(monitor)
    check_names(name=monitor.name)
    reject_templates(type=monitor.type, scheduling=monitor.scheduling)
    body = monitor.to_wire()
    check_json(body)
    return body


def _change(name: str, row: MonitorRow | None, body: Mapping[str, Any]) -> MonitorChange:
    if row is None:
        return MonitorChange(name=name, action="created")
    lines = differences(row.registration, body)
    return MonitorChange(name=name, action="updated" if lines else "unchanged", id=row.id, differences=lines)


def _subject(body: Mapping[str, Any]) -> str:
    """Return the id of the monitored model: ``identification.models.id`` of the configuration, or empty."""
    value: Any = body["configuration"]
    for step in ("identification", "models", "id"):
        value = value.get(step) if isinstance(value, Mapping) else None
    subject = value if isinstance(value, str) else ""
    if subject:
        check_names(model=subject)
    return subject
