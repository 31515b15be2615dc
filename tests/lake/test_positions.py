"""Positions in logs, and the commits after them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from aporia_provider.lake.log import positions
from aporia_provider.lake.log.positions import (
    BEFORE_CREATION,
    CommitRange,
    TablePosition,
    changes_rows,
    commits_after,
    latest_position,
)

pytestmark = pytest.mark.fast


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "t"


def append(table: Path, times: int = 1) -> None:
    for _ in range(times):
        write_deltalake(table, pa.table({"a": [1]}), mode="append")


def test_positions_follow_the_commits(table: Path) -> None:
    uri = f"file://{table}"
    assert latest_position(uri) == BEFORE_CREATION
    assert commits_after(uri, BEFORE_CREATION) is None
    append(table, 2)
    end = latest_position(uri)
    assert end.version == 1
    assert commits_after(uri, BEFORE_CREATION) == CommitRange(0, end)
    assert commits_after(uri, end) is None
    assert TablePosition.from_json(json.loads(json.dumps(end.to_json()))) == end
    append(table, 2)
    commits = commits_after(uri, end)
    assert commits is not None
    assert (commits.first, commits.last, commits.is_recreated) == (2, 3, False)


@pytest.mark.parametrize("commits", [1, 3, 5])
def test_a_table_that_was_created_again_is_recognised(table: Path, commits: int) -> None:
    append(table, 3)
    position = latest_position(f"file://{table}")
    shutil.rmtree(table)
    assert commits_after(f"file://{table}", position) is None
    append(table, commits)
    found = commits_after(f"file://{table}", position)
    assert found is not None
    assert (found.first, found.last, found.is_recreated) == (0, commits - 1, True)


def test_a_commit_that_log_cleanup_deleted_does_not_mean_that_the_table_is_new(table: Path) -> None:
    append(table, 2)
    position = latest_position(f"file://{table}")
    append(table, 2)
    for version in (0, 1):
        (table / "_delta_log" / f"{version:020}.json").unlink()
    found = commits_after(f"file://{table}", position)
    assert found is not None
    assert (found.first, found.last, found.is_recreated) == (2, 3, False)


def test_only_commits_that_change_rows_do(table: Path) -> None:
    append(table, 3)
    uri, before = f"file://{table}", latest_position(f"file://{table}")
    DeltaTable(table).optimize.compact()
    compacted = commits_after(uri, before)
    assert compacted is not None
    assert not changes_rows(uri, compacted)
    append(table)
    assert changes_rows(uri, found_after(uri, before))
    after = latest_position(uri)
    DeltaTable(table).delete("a = 1")
    assert changes_rows(uri, found_after(uri, after))


def found_after(uri: str, position: TablePosition) -> CommitRange:
    found = commits_after(uri, position)
    assert found is not None
    return found


def test_what_cannot_be_read_counts_as_a_change(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(table, 2)
    before = latest_position(f"file://{table}")
    DeltaTable(table).optimize.compact()
    uri, commits = f"file://{table}", found_after(f"file://{table}", before)
    monkeypatch.setattr(positions, "MAX_READ", 0)
    assert changes_rows(uri, commits)
    monkeypatch.undo()
    file: Any = table / "_delta_log" / f"{2:020}.json"
    file.write_text("{")
    assert changes_rows(uri, commits)
    file.unlink()
    assert changes_rows(uri, commits)
