"""Operators that create, change and delete monitors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from aporia_provider.errors import ValidationError
from aporia_provider.models import Monitor
from aporia_provider.monitor_changes import MonitorChange, summary
from aporia_provider.monitor_definitions import MonitorDefinition
from aporia_provider.operators.base import AporiaOperator, fail_without_retry
from aporia_provider.operators.parameters import Flag

if TYPE_CHECKING:
    from airflow.sdk import Context

    from aporia_provider.hooks.monitors import MonitorsHook


class MonitorsOperator(AporiaOperator):
    """
    Base class of operators for monitors.

    :param model_id: Id of the model.
    """

    template_fields = (*AporiaOperator.template_fields, "model_id")
    ui_color = "#e8dcff"

    def __init__(self, *, model_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id

    @cached_property
    def aporia_hook(self) -> MonitorsHook:
        """Return the hook for monitors."""
        from aporia_provider.hooks.monitors import MonitorsHook

        return MonitorsHook(self.aporia_conn_id)

    def log_changes(self, changes: Sequence[MonitorChange]) -> None:
        """Log each change with its differences, and the numbers of changes."""
        for change in changes:
            if change.action != "unchanged":
                self.log.info("Monitor %r: %s", change.name, change.action)
            for difference in change.differences:
                self.log.info("  %s", difference)
        self.log.info("Monitors of model %r: %s", self.model_id, summary(changes))


class CreateMonitorOperator(MonitorsOperator):
    """
    Create a monitor, or update the monitor of the model that has its name.

    :param model_id: Id of the model.
    :param monitor: The monitor: a :class:`~aporia_provider.monitor_definitions.MonitorDefinition`,
        a dict of its parameters, or a :class:`~aporia_provider.models.Monitor` with the configuration of the
        protocol.
    :return: ``{"monitor_id", "name", "status"}`` with status ``created``, ``updated`` or ``unchanged``.
    """

    template_fields = (*MonitorsOperator.template_fields, "monitor")
    template_fields_renderers: ClassVar[dict[str, str]] = {"monitor": "json"}

    def __init__(
        self, *, model_id: str, monitor: MonitorDefinition | Monitor | Mapping[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(model_id=model_id, **kwargs)
        self.monitor = monitor

    def execute(self, context: Context) -> dict[str, Any]:
        """Create or update the monitor."""
        assert self.model_id is not None  # noqa: S101
        with fail_without_retry():
            changes = self.aporia_hook.apply_monitors(self.model_id, [self.monitor])
        self.log_changes(changes)
        (change,) = changes
        return {"monitor_id": change.id, "name": change.name, "status": change.action}


class DeleteMonitorOperator(MonitorsOperator):
    """
    Delete a monitor, with its alerts.

    :param model_id: Id of the model.
    :param name: Name of the monitor.
    :param ignore_if_missing: Whether to succeed if there is no such monitor.
    :return: ``{"name", "status"}`` with status ``deleted`` or ``missing``.
    """

    template_fields = (*MonitorsOperator.template_fields, "name", "ignore_if_missing")
    id_fields = MonitorsOperator.id_fields | {"name"}
    ui_color = "#ffd7d7"

    ignore_if_missing = Flag()

    def __init__(self, *, model_id: str, name: str, ignore_if_missing: bool = True, **kwargs: Any) -> None:
        super().__init__(model_id=model_id, **kwargs)
        self.name = name
        self.ignore_if_missing = ignore_if_missing

    def execute(self, context: Context) -> dict[str, str]:
        """Delete the monitor."""
        assert self.model_id is not None  # noqa: S101
        with fail_without_retry():
            deleted = self.aporia_hook.delete_monitor(
                self.model_id, self.name, ignore_if_missing=self.ignore_if_missing
            )
        status = "deleted" if deleted else "missing"
        self.log.info("Monitor %r of model %r: %s", self.name, self.model_id, status)
        return {"name": self.name, "status": status}


class ApplyMonitorsOperator(MonitorsOperator):
    """
    Apply the monitors of a list or a YAML file to a model, in one transaction.

    :param monitors: A path that ends with ``.yaml`` or ``.yml``, relative to the DAG file, of a file with the
        keys ``model`` and ``monitors``; its content is a Jinja template. Or a list of monitors, see
        :class:`CreateMonitorOperator`.
    :param model_id: Id of the model. Required for a list; the file names its model.
    :param delete_others: Whether other monitors of the model are deleted, with their alerts.
    :param dry_run: Only report what would change.
    :return: ``{"model_id", "changes"}``, see :class:`~aporia_provider.monitor_changes.MonitorChange`.
    """

    template_fields = (*MonitorsOperator.template_fields, "monitors", "delete_others")
    template_ext = (".yaml", ".yml")
    template_fields_renderers: ClassVar[dict[str, str]] = {"monitors": "yaml"}

    delete_others = Flag()

    def __init__(
        self,
        *,
        monitors: str | Sequence[MonitorDefinition | Monitor | Mapping[str, Any]],
        model_id: str | None = None,
        delete_others: bool = False,
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(model_id=model_id, **kwargs)
        self.monitors = monitors
        self.delete_others = delete_others
        self.dry_run_only = dry_run

    def execute(self, context: Context) -> dict[str, Any]:
        """Apply the monitors."""
        with fail_without_retry():
            changes = self._applied()
        self.log_changes(changes)
        if self.dry_run_only:
            self.log.info("Nothing was changed, since dry_run is set")
        return {"model_id": self.model_id, "changes": [change.to_json() for change in changes]}

    def _applied(self) -> list[MonitorChange]:
        from aporia_provider.monitor_definitions import parse_monitor_file

        monitors: Any = self.monitors
        if isinstance(monitors, str):
            file = parse_monitor_file(monitors)
            if self.model_id not in (None, file.model):
                raise ValidationError(
                    f"The file has the monitors of model {file.model!r}, not of {self.model_id!r}"
                )
            self.model_id, monitors = file.model, file.to_monitors()
        if self.model_id is None:
            raise ValidationError("A list of monitors requires model_id")
        return self.aporia_hook.apply_monitors(
            self.model_id, monitors, delete_others=self.delete_others, dry_run=self.dry_run_only
        )
