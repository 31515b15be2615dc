"""Monitors as YAML."""

from __future__ import annotations

from pydantic import Field

from aporia_provider.base_model import Name, PublicModel
from aporia_provider.errors import ValidationError
from aporia_provider.models import Monitor
from aporia_provider.monitor_definitions.definition import MonitorDefinition
from aporia_provider.yaml_files import load_mapping, repeated


class MonitorFile(PublicModel):
    """
    Monitors of a model.

    :param model: Id of the model.
    :param monitors: The monitors.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    model: Name
    monitors: list[MonitorDefinition] = Field(min_length=1)

    def to_monitors(self) -> list[Monitor]:
        """
        Return the monitors with configurations of the protocol.

        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        monitors: list[Monitor] = []
        problems: list[str] = []
        for definition in self.monitors:
            try:
                monitors.append(definition.to_monitor(self.model))
            except ValidationError as error:
                problems += [f"{definition.name}: {problem}" for problem in error.problems]
        names = [definition.name for definition in self.monitors]
        problems += [f"{name}: there are several monitors of this name" for name in repeated(names)]
        if problems:
            raise ValidationError("The monitors are not valid", problems=problems)
        return monitors


def parse_monitor_file(text: str) -> MonitorFile:
    """
    Parse monitors in YAML.

    :param text: YAML with the keys ``model`` and ``monitors``, a list of :class:`.MonitorDefinition`.
    :raises aporia_provider.errors.ValidationError: if it is not YAML, or there are problems; all are listed.
    """
    return MonitorFile(**load_mapping(text, "model and monitors"))
