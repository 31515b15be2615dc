"""Monitors as YAML."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import yaml
from pydantic import Field

from aporia_provider.base_model import Name, PublicModel
from aporia_provider.errors import ValidationError
from aporia_provider.models import Monitor
from aporia_provider.monitor_definitions.definition import MonitorDefinition

MAX_FILE = 1_000_000
"""Maximum size of a file in characters."""
MAX_VALUES = 50_000
"""Maximum number of values in a file, also if they are repeated by aliases."""


class MonitorFile(PublicModel):
    """
    Monitors of a model.

    :param model: Id of the model.
    :param monitors: The monitors.
    :raises aporia_provider.errors.ValidationError: if there are problems, all of which are listed.
    """

    model: Name
    monitors: list[MonitorDefinition] = Field(min_length=1)

    def to_monitors(self) -> list[Monitor]:
        """
        Return the monitors with configurations of the protocol.

        :raises aporia_provider.errors.ValidationError: if there are problems, all of which are listed.
        """
        found: list[Monitor] = []
        problems: list[str] = []
        for definition in self.monitors:
            try:
                found.append(definition.to_monitor(self.model))
            except ValidationError as error:
                problems += [f"{definition.name}: {problem}" for problem in error.problems]
        names = [definition.name for definition in self.monitors]
        problems += [f"{name}: there are several monitors of this name" for name in _repeated(names)]
        if problems:
            raise ValidationError("The monitors are not valid", problems=problems)
        return found


def parse_monitor_file(text: str) -> MonitorFile:
    """
    Parse monitors in YAML.

    :param text: YAML with the keys ``model`` and ``monitors``, a list of :class:`.MonitorDefinition`.
    :raises aporia_provider.errors.ValidationError: if it is not YAML, or there are problems, all of which are
        listed.
    """
    if len(text) > MAX_FILE:
        raise ValidationError(f"The file has more than {MAX_FILE} characters")
    try:
        body = yaml.load(text, _Loader)  # noqa: S506 - a subclass of the safe loader
    except (yaml.YAMLError, RecursionError) as error:
        raise ValidationError(f"The file is not YAML: {error}") from None
    if not isinstance(body, dict) or not all(isinstance(key, str) for key in body):
        raise ValidationError("The file needs the keys model and monitors")
    _check_size(body)
    return MonitorFile(**body)


class _Loader(yaml.SafeLoader):
    """A loader that refuses mappings with repeated keys, of which YAML libraries keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        own = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != _MERGE]
        for key in _repeated([str(each) for each in own]):
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is repeated", node.start_mark
            )
        return super().construct_mapping(node, deep)


_MERGE = "tag:yaml.org,2002:merge"


def _check_size(body: Any) -> None:
    waiting, count = [body], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count > MAX_VALUES:
            raise ValidationError(f"The file has more than {MAX_VALUES} values")
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _repeated(names: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name
        seen.add(name)
