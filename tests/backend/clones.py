"""Clones of a table as Delta makes them: a new log for the present rows, and no history."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import strategies as st

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.errors import ValidationError
from aporia_provider.preflight.checks import preflight
from tests.backend.commits import DROPPED, Table
from tests.backend.syncing import MODEL, VERSION, SyncedVersion
from tests.lake import logs

REFUSAL = "shallow clone"
_ENVIRONMENT = "clones"


@dataclass(frozen=True)
class ShallowClone:
    """A shallow clone beside the table, which preflight and sync refuse by this name."""

    def to(self, table: Table) -> None:
        clone = table.folder.with_name(f"{table.role}-clone")
        shutil.rmtree(clone, ignore_errors=True)
        adds = table.files().values()
        _write(clone, table, ({**add, "path": _absolute(table.folder, add["path"])} for add in adds))
        # Without files, a shallow clone names none outside of its folder, so that it can be read.
        if adds:
            _assert_refused(table, clone)


@dataclass(frozen=True)
class DeepClone:
    """A deep clone in the place of the table: another table of the same rows, in copies of the same files."""

    def to(self, table: Table) -> None:
        clone = table.folder.with_name(f"{table.role}-copy")
        adds = table.files().values()
        for path in (unquote(add["path"]) for add in adds):
            (clone / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(table.folder / path, clone / path)
        _write(clone, table, adds)
        shutil.rmtree(table.folder)
        clone.rename(table.folder)
        table.vacuumed = 0


Clone = ShallowClone | DeepClone
clones: st.SearchStrategy[Clone] = st.builds(ShallowClone) | st.builds(DeepClone)
"""A clone of any kind."""


def _write(folder: Path, table: Table, adds: Iterable[dict[str, Any]]) -> None:
    """Write the only commit of a clone."""
    delta = table.delta
    described, features = delta.metadata(), delta.protocol().reader_features or ()
    fields = json.loads(delta.schema().to_json())["fields"]
    made = logs.metadata(fields, described.partition_columns)
    logs.commit(folder, 0, [logs.protocol(*features), *made, *({"add": add} for add in adds)], "CLONE")


def _absolute(folder: Path, path: str) -> str:
    """The path of a file as Delta writes it in the log of a shallow clone."""
    return f"file:{quote(str(folder))}/{path}"


def _assert_refused(table: Table, clone: Path) -> None:
    monitored = table.monitored
    schema = monitored.registry.get_schema(MODEL, VERSION)
    with EmbeddedRegistry(str(monitored.registry.database.url), _ENVIRONMENT) as registry:
        apart = SyncedVersion(monitored.folder, registry, monitored.engine).register(schema)
        apart.connect(table.role, path=str(clone))
        (dataset,) = (item for item in registry.get_datasets(MODEL, VERSION) if item.role == table.role)
        (told, *_) = preflight(dataset, schema, engine=monitored.engine).problems
        assert REFUSAL in told
        other = f"|{DROPPED!r}" if table.misses_a_column else ""
        with pytest.raises(ValidationError, match=f"{REFUSAL}{other}"):
            apart.sync(table.role)
