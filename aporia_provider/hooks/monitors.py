"""Hook for monitors, which is also the hook for alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aporia_provider.api import AporiaApi
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.hooks.alerts import AlertsHook
from aporia_provider.hooks.delta_lake import DeltaLakeHook
from aporia_provider.models import Monitor
from aporia_provider.monitor_changes import MonitorChange
from aporia_provider.monitor_definitions import MonitorDefinition, parse_monitor_file, standard_monitors
from aporia_provider.monitor_definitions.standard import PREFIX
from aporia_provider.nearest import nearest
from aporia_provider.registered_versions import connected_roles, latest_version, registered_schema


class MonitorsHook(AlertsHook):
    """
    Hook for monitors, and for alerts: the methods of :class:`~aporia_provider.hooks.alerts.AlertsHook`.

    Parameters: see :class:`~aporia_provider.hooks.aporia.AporiaHook`.
    """

    def get_monitors(self, model_id: str | None = None) -> list[dict[str, Any]]:
        """Return the monitors of a model, or of all models; see :class:`~aporia_provider.api.AporiaApi`."""
        with self.get_conn() as api:
            return api.get_monitors(model_id)

    def apply_monitors(
        self,
        model_id: str,
        monitors: Sequence[MonitorDefinition | Monitor | Mapping[str, Any]],
        *,
        delete_others: bool = False,
        dry_run: bool = False,
    ) -> list[MonitorChange]:
        """
        Make the monitors of a model what is given, in one transaction.

        :param model_id: Id of the model.
        :param monitors: Monitors in short form, also as dicts, or with the configuration of the protocol.
        :param delete_others: Whether other monitors of the model are deleted, with their alerts.
        :param dry_run: Whether nothing is changed.
        :return: One item for each monitor.
        :raises aporia_provider.errors.NotFoundError: if there is no such model.
        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        made = _monitors(model_id, monitors)
        with self.get_conn() as api:
            return api.apply_monitors(model_id, made, delete_others=delete_others, dry_run=dry_run)

    def apply_file(
        self, text: str, *, delete_others: bool = False, dry_run: bool = False
    ) -> list[MonitorChange]:
        """
        Apply the monitors of a YAML file to a model.

        :param text: Content of the file; see
            :func:`~aporia_provider.monitor_definitions.parse_monitor_file`.

        For the other parameters, the result and the errors see :meth:`apply_monitors`.
        """
        file = parse_monitor_file(text)
        made = file.to_monitors()
        with self.get_conn() as api:
            return api.apply_monitors(file.model, made, delete_others=delete_others, dry_run=dry_run)

    def apply_standard_monitors(
        self, model_id: str, *, false_alarms_a_year: float | str = 1.0, max_version_age: str | None = None
    ) -> dict[str, Any]:
        """
        Create or update the standard monitors of a model, and delete those that no longer apply, in one
        transaction.

        Other monitors are not changed. For the parameters see
        :func:`~aporia_provider.monitor_definitions.standard_monitors`.

        :return: ``model_id``, the ``changes``, and ``left_out``: why there is no monitor of a kind.
        :raises aporia_provider.errors.NotFoundError: if there is no such model, or it has no version.
        """
        with self.get_conn() as api:
            version = latest_version(api, model_id)
            schema = registered_schema(api, model_id, version)
            if schema is None:
                raise ValidationError(
                    "The server does not return the schema of a version: give the monitors explicitly"
                )
            found = standard_monitors(
                model_id,
                schema,
                connected_roles(api, model_id, version),
                false_alarms_a_year=false_alarms_a_year,
                max_version_age=max_version_age,
                tables=_delta_roles(api, model_id, version),
            )
            changes = api.apply_monitors(model_id, found.monitors, delete_prefix=PREFIX)
        return {
            "model_id": model_id,
            "changes": [change.to_json() for change in changes],
            "left_out": found.left_out,
        }

    def delete_monitor(self, model_id: str, name: str, *, ignore_if_missing: bool = True) -> bool:
        """
        Delete a monitor, with its alerts.

        :param model_id: Id of the model.
        :param name: Name of the monitor.
        :param ignore_if_missing: Whether to return if there is no such model or monitor.
        :return: Whether there was such a monitor.
        :raises aporia_provider.errors.NotFoundError: if there is no such model or monitor.
        """
        with self.get_conn() as api:
            try:
                names = {monitor["name"]: monitor["id"] for monitor in api.get_monitors(model_id)}
                if name not in names:
                    raise NotFoundError(f"Model {model_id!r} has no monitor {name!r}; {nearest(name, names)}")
                api.delete_monitor(names[name])
            except NotFoundError:
                if not ignore_if_missing:
                    raise
                return False
        return True

    def evaluate_monitors(
        self,
        model_id: str,
        model_version: str | None = None,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> dict[str, Any]:
        """Evaluate the monitors of a model; see :class:`~aporia_provider.api.AporiaApi`."""
        with self.get_conn() as api:
            return api.evaluate_monitors(model_id, model_version, start=start, end=end)

    def read_table_histories(
        self, model_id: str, *, aws_conn_id: str | None = DeltaLakeHook.default_conn_name
    ) -> dict[str, Any]:
        """
        Read the new commits of the tables that monitors of the type ``table_freshness`` judge.

        Evaluations judge what is stored. Requires the embedded backend.

        :param model_id: Id of the model.
        :param aws_conn_id: AWS connection used to read the logs.
        :return: See
            :meth:`~aporia_provider.backend.monitors.evaluation_calls.MonitorEvaluations.read_table_histories`.
        """
        find_credentials = DeltaLakeHook(aws_conn_id).get_credentials
        with self._registry("the logs of tables are read by tasks") as registry:
            return registry.read_table_histories(model_id, find_credentials=find_credentials)

    def replay_monitor(
        self,
        model_id: str,
        monitor: str | MonitorDefinition | Monitor,
        *,
        start: datetime,
        end: datetime,
        plant: float | bool = False,
    ) -> dict[str, Any]:
        """
        Return the alerts that a monitor would have raised; nothing is stored. Requires the embedded backend.

        :param monitor: Name of a monitor of the model, or a monitor that need not be created.
        :param plant: Whether to determine after how many windows the monitor finds shifts that are planted
            into the states in memory; or the size of the shifts.

        For the other parameters, the result and the errors see
        :meth:`~aporia_provider.backend.monitors.evaluation_calls.MonitorEvaluations.replay_monitor`.
        """
        made = monitor.to_monitor(model_id) if isinstance(monitor, MonitorDefinition) else monitor
        with self._registry("a monitor is replayed by tasks") as registry:
            return registry.replay_monitor(model_id, made, start=start, end=end, plant=plant)


def _delta_roles(api: AporiaApi, model_id: str, model_version: str) -> list[str] | None:
    """Return the roles of the datasets that are Delta tables; None if the API does not return them."""
    get_datasets = getattr(api, "get_datasets", None)
    if get_datasets is None:
        return None
    datasets = get_datasets(model_id, model_version)
    return [dataset.role for dataset in datasets if dataset.data_source.delta_uri is not None]


def _monitors(
    model_id: str, given: Sequence[MonitorDefinition | Monitor | Mapping[str, Any]]
) -> list[Monitor]:
    monitors: list[Monitor] = []
    problems: list[str] = []
    for number, each in enumerate(given, 1):
        try:
            monitors.append(_monitor(model_id, each))
        except ValidationError as error:
            name = each.get("name") if isinstance(each, Mapping) else getattr(each, "name", None)
            found = error.problems or [error.message]
            problems += [f"{name or f'monitor {number}'}: {problem}" for problem in found]
    if problems:
        raise ValidationError("The monitors are not valid", problems=problems)
    return monitors


def _monitor(model_id: str, given: MonitorDefinition | Monitor | Mapping[str, Any]) -> Monitor:
    if isinstance(given, Monitor):
        return given
    if isinstance(given, Mapping):
        given = MonitorDefinition(**{str(name): value for name, value in given.items()})
    MonitorDefinition.check_type(given)
    return given.to_monitor(model_id)
