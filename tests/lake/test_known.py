"""What was read of a log once is not read again, and is what reading it again would come to."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from aporia_provider.lake.log.table import DeltaLog
from tests.lake import logs

ROWS = pa.table({"id": ["a", "b", None], "n": [1, 2, 3], "v": [0.5, None, 1.5], "day": [1, 1, 2]})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of three commits, which delta-rs cannot open where it is, so that its log is copied."""
    for _ in range(3):
        write_deltalake(tmp_path / "plain", ROWS, mode="append", partition_by=["day"])
    return (tmp_path / "plain").rename(tmp_path / "t%41")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The versions whose files delta-rs was asked for, one for each time."""
    found: list[int] = []
    read = DeltaTable.get_add_actions

    def counted(delta: DeltaTable, *given: Any, **options: Any) -> Any:
        found.append(delta.version())
        return read(delta, *given, **options)

    monkeypatch.setattr(DeltaTable, "get_add_actions", counted)
    return found


ASKED: list[list[Sequence[str] | None]] = [
    [[], ["n"], ["id", "day"], ["n", "n"], ["unheard_of"], []],
    [["id", "n"], ["n"], ["id"], ["v", "n"], None, ["day"], None],
]


@pytest.mark.slow
@pytest.mark.parametrize("asked", ASKED)
def test_statistics(table: Path, asked: list[Sequence[str] | None]) -> None:
    log = DeltaLog(table.as_uri())
    for columns in asked:
        known, read = log.files(columns), DeltaLog(table.as_uri()).files(columns)
        assert known == read
        assert known.table.column_names == read.table.column_names


def test_are_read_once(table: Path, reads: list[int]) -> None:
    log = DeltaLog(table.as_uri())
    for columns in (["id", "n"], ["n"], [], ["id"], ["v"], ["id", "n", "v"]):
        log.files(columns)
    assert reads == [2, 2], "once more for another column"
    for _ in range(2):
        log.at(1).files(["id"])
        log.at(0).files(["id"])
    assert reads == [2, 2, 1, 0]


def test_deleted_rows_are_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = [logs.protocol("deletionVectors"), *logs.metadata([logs.field("id", "string")])]
    marked = logs.add("a.parquet", {"numRecords": 5}, deletionVector=logs.deletion_vector([1, 2]))
    logs.commit(tmp_path, 0, [*begin, marked, logs.add("b.parquet", {"numRecords": 5})])
    read = DeltaTable.deletion_vectors
    calls: list[int] = []

    def counted(delta: DeltaTable) -> Any:
        calls.append(delta.version())
        return read(delta)

    monkeypatch.setattr(DeltaTable, "deletion_vectors", counted)
    log = DeltaLog(tmp_path.as_uri())
    assert [log.files(columns).row_count for columns in ([], ["id"], None)] == [8, 8, 8]
    assert log.files(None) == DeltaLog(tmp_path.as_uri()).files(None)
    assert calls == [log.version, log.version], "once by each log"


def test_versions_share_a_copy(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    log = DeltaLog(table.as_uri())
    assert [log.at(version).files([]).file_count for version in (0, 1, 2)] == [2, 4, 6]
    assert log.at(0).partition_values(log.files([]).paths) == {"day": {"1", "2"}}
    assert len(list(folder.glob("aporia-log-*"))) == 1
    del log
    assert list(folder.iterdir()) == [], "a copy lasts no longer than the log"
