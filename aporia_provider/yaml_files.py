"""YAML files of definitions: a mapping, read with limits."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import yaml

from aporia_provider.errors import ValidationError

MAX_FILE = 1_000_000
"""Maximum size of a file in characters."""
MAX_VALUES = 50_000
"""Maximum number of values in a file, also if they are repeated by aliases."""


def load_mapping(text: str, keys: str) -> dict[str, Any]:
    """
    Parse YAML whose value is a mapping.

    :param text: The YAML.
    :param keys: Names of its keys, for the error.
    :raises aporia_provider.errors.ValidationError: if it is not YAML, or not a mapping.
    """
    if len(text) > MAX_FILE:
        raise ValidationError(f"The file has more than {MAX_FILE} characters")
    try:
        body = yaml.load(text, _Loader)  # noqa: S506 - a subclass of the safe loader
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:
        # Days that do not exist and numbers of thousands of digits raise the latter two.
        raise ValidationError(f"The file is not YAML: {error}") from None
    if not isinstance(body, dict) or not all(isinstance(key, str) for key in body):
        raise ValidationError(f"The file needs the keys {keys}")
    _check_size(body)
    return body


def repeated(names: list[str]) -> Iterator[str]:
    """Yield each name that an earlier one equals."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name
        seen.add(name)


class _Loader(yaml.SafeLoader):
    """A loader that rejects mappings with repeated keys, where YAML libraries keep the last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        own = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != _MERGE]
        for key in repeated([str(each) for each in own]):
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
