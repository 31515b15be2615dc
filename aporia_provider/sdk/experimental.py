"""Calls on monitors and on the list of versions, which are experimental in the SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, Self

from aporia_provider.errors import AporiaError
from aporia_provider.models import PROTOCOL_MONITOR_TYPES, Monitor
from aporia_provider.sdk.core.types.words import enumerate_words, word_of
from aporia_provider.sdk.session import current_session

MonitorType = enumerate_words("MonitorType", PROTOCOL_MONITOR_TYPES, __name__)


@dataclass(frozen=True)
class ModelVersion:
    """
    A registered version.

    :param id: Id of the version.
    :param name: Name of the version, such as ``v1``.
    :param model_id: Id of the model.
    :param model_type: One of :data:`aporia_provider.schema.MODEL_TYPES`.
    """

    id: str
    name: str
    model_id: str
    model_type: str

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Create an object from a mapping with these four keys; other keys are ignored."""
        return cls(data["id"], data["name"], data["model_id"], data["model_type"])


def get_model_versions(model_id: str) -> list[ModelVersion]:
    """
    Return the versions of a model, oldest first.

    :param model_id: Id of the model.
    :raises aporia_provider.errors.NotFoundError: if there is no such model.
    """
    with current_session().open() as api:
        versions = api.get_model_versions(model_id)
    return [ModelVersion.from_dict({**version, "model_id": model_id}) for version in versions]


def create_monitor(
    name: str,
    monitor_type: str,
    scheduling: str,
    configuration: Mapping[str, Any],
    is_active: bool = True,
    custom_alert_description: str | None = None,
) -> str:
    """
    Register a monitor and return its id. Monitors are not evaluated yet.

    For further parameters see :class:`~aporia_provider.models.Monitor`.

    :param monitor_type: A :class:`MonitorType` or its value.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """
    monitor = Monitor(
        name=name,
        type=word_of(monitor_type),
        scheduling=scheduling,
        configuration=configuration,
        is_active=is_active,
        custom_alert_description=custom_alert_description,
    )
    with current_session().open() as api:
        return api.create_monitor(monitor)["id"]


def delete_monitor(monitor_id: str) -> None:
    """
    Delete a monitor.

    :param monitor_id: Id of the monitor.
    :raises aporia_provider.errors.NotFoundError: if there is no such monitor.
    """
    with current_session().open() as api:
        api.delete_monitor(monitor_id)


def run_all_monitors(model_id: str, model_version: str) -> NoReturn:
    """Not supported: monitors are registered, but not evaluated."""
    raise AporiaError(
        "run_all_monitors is not supported: monitors are registered, but not evaluated yet. "
        "Query the metric instead: Model(model_id, model_version).get_metric(…)"
    )


def delete_model_version(model_id: str, model_version: str) -> NoReturn:
    """Not supported: a version is deleted with its model."""
    raise AporiaError(
        "delete_model_version is not supported: a version is deleted with its model (delete_model). "
        "Model(model_id, model_version).set_sync_enabled(False) stops its syncs"
    )
