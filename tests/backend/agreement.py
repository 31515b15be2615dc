"""Whether preflight accepts exactly the tables that a sync reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aporia_provider.errors import AporiaError
from aporia_provider.preflight.checks import preflight
from tests.backend.syncing import MODEL, SCHEMA, VERSION, SyncedVersion, assert_equal_rows

Action = dict[str, Any]
INTERNAL = (
    "glob pattern",
    "replay reached",
    "EOF while parsing",
    "untagged enum",
    "with_max_catalog_version",
    "Invalid JSON in log record",
    "Kernel error",
    "[Unknown]",
    "PartialStats",
)
"""Words of delta-rs and of the engine that say nothing to a user."""


def problems(monitored: SyncedVersion, **more: Any) -> list[str]:
    """What preflight says against the connected dataset."""
    (dataset,) = monitored.registry.get_datasets(MODEL, VERSION)
    given = {"engine": monitored.engine, "credentials": monitored.credentials, **more}
    return preflight(dataset, SCHEMA, **given).problems


def assert_reads(monitored: SyncedVersion, rows: pa.Table) -> None:
    """Preflight accepts the dataset, and a sync finds all of its rows and values."""
    said = problems(monitored)
    assert said == [], said
    monitored.sync()
    assert_equal_rows(monitored, rows)


def assert_refuses(monitored: SyncedVersion, *told: str) -> None:
    """Preflight refuses the dataset in words for users, and a sync does not read it either."""
    said = "\n".join(problems(monitored))
    for words in told:
        assert words in said
    with pytest.raises(AporiaError) as failed:
        monitored.sync()
    assert type(failed.value).__name__ != "TransientError"
    for words in INTERNAL:
        assert words not in said
        assert words not in failed.value.message


def assert_agrees(monitored: SyncedVersion, rows: pa.Table) -> bool:
    """One of the two; whether it reads."""
    if found := problems(monitored):
        assert_refuses(monitored, *found)
        return False
    monitored.sync()
    assert_equal_rows(monitored, rows)
    return True


def rewrite(table: Path, change: Callable[[list[Action]], Iterable[Action]], version: int = 0) -> None:
    """Change the actions of a commit."""
    path = table / "_delta_log" / f"{version:020}.json"
    actions = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("\n".join(json.dumps(action) for action in change(actions)))


def changed(kind: str, **values: Any) -> Callable[[list[Action]], list[Action]]:
    """A change that gives the actions of one kind other values."""
    return lambda actions: [
        {kind: {**action[kind], **values}} if kind in action else action for action in actions
    ]


def added(action: Action) -> Callable[[list[Action]], list[Action]]:
    """A change that adds an action."""
    return lambda actions: [*actions, action]
