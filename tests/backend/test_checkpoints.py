"""Tables behind every kind of checkpoint: preflight accepts what the sync reads, and no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from aporia_provider.backend.sync.reading.dataset_rows import DatasetRows
from aporia_provider.lake.log.table import DeltaLog
from tests.backend.agreement import assert_reads, assert_refuses, problems
from tests.backend.syncing import NOWHERE, SyncedVersion, spread
from tests.lake import logs

pytestmark = pytest.mark.process

ROWS = [spread(1 + version, 2 + version, 3, seed=version) for version in range(6)]
EVERYTHING = pa.concat_tables(ROWS)
CHECKPOINT = 3
UUID = "80a083e8-7026-4e79-81be-64bd76c43a11"


def written(monitored: SyncedVersion) -> Path:
    """The log of a table of six commits, with a checkpoint after the fourth."""
    for version, rows in enumerate(ROWS):
        monitored.write("serving", rows)
        if version == CHECKPOINT:
            monitored.delta("serving").create_checkpoint()
    return Path(monitored.path("serving"), "_delta_log")


@pytest.fixture
def log(monitored: SyncedVersion) -> Path:
    """The log of such a table, which is connected."""
    monitored.connect("serving")
    return written(monitored)


def classic(log: Path) -> Path:
    return log / f"{CHECKPOINT:020}.checkpoint.parquet"


def hint(log: Path, **values: Any) -> None:
    (log / "_last_checkpoint").write_text(json.dumps({"size": 9, **values}))


def expire(log: Path) -> None:
    """Clean up the commits that the checkpoint stands for."""
    for version in range(CHECKPOINT + 1):
        (log / f"{version:020}.json").unlink()


def split(log: Path, parts: int) -> list[Path]:
    """Make the checkpoint one of several parts."""
    table = pq.read_table(classic(log))
    classic(log).unlink()
    made = []
    for part in range(parts):
        start, end = (len(table) * place // parts for place in (part, part + 1))
        made.append(log / f"{CHECKPOINT:020}.checkpoint.{part + 1:010}.{parts:010}.parquet")
        pq.write_table(table.slice(start, end - start), made[-1])
    hint(log, version=CHECKPOINT, parts=parts)
    return made


def second_version(log: Path, suffix: str) -> None:
    """Make the checkpoint one of version 2 of the specification, with the files in two sidecars."""
    table = pq.read_table(classic(log))
    classic(log).unlink()
    files = table.filter(pa.compute.is_valid(table["add"])).select(["add"])
    (log / "_sidecars").mkdir()
    sidecars = []
    for part in range(2):
        path = log / "_sidecars" / f"{UUID[:-1]}{part}.parquet"
        pq.write_table(files.slice(part * 2, 2), path)
        told = {"path": path.name, "sizeInBytes": path.stat().st_size, "modificationTime": 1}
        sidecars.append({"sidecar": told})
    begin = {"checkpointMetadata": {"version": CHECKPOINT}}
    path = log / f"{CHECKPOINT:020}.checkpoint.{UUID}.{suffix}"
    if suffix == "json":
        first = [json.loads(line) for line in (log / f"{0:020}.json").read_text().splitlines()]
        metadata = [action for action in first if "metaData" in action]
        path.write_text("\n".join(map(json.dumps, [begin, logs.protocol(), *metadata, *sidecars])))
    else:
        table = table.filter(pa.compute.is_null(table["add"])).select(["metaData", "protocol"])
        others = [pa.Table.from_pylist([action]) for action in (begin, *sidecars)]
        everything = pa.concat_tables([*others, table], promote_options="permissive")
        pq.write_table(everything.cast(nullable(everything.schema)), path)


def nullable(type_: Any) -> Any:
    """A schema or type of the same fields, all of which may be null."""
    if isinstance(type_, pa.Schema):
        return pa.schema([field.with_type(nullable(field.type)).with_nullable(True) for field in type_])
    if pa.types.is_struct(type_):
        return pa.struct([field.with_type(nullable(field.type)).with_nullable(True) for field in type_])
    return type_


class TestWholeOnes:
    def test_of_one_file(self, monitored: SyncedVersion, log: Path) -> None:
        expire(log)
        assert problems(monitored, engine=NOWHERE) == [], "the engine is not asked"
        assert_reads(monitored, EVERYTHING)

    def test_that_nothing_names(self, monitored: SyncedVersion, log: Path) -> None:
        expire(log)
        (log / "_last_checkpoint").unlink()
        assert_reads(monitored, EVERYTHING)

    def test_of_several_parts(self, monitored: SyncedVersion, log: Path) -> None:
        split(log, 3)
        expire(log)
        assert_reads(monitored, EVERYTHING)

    @pytest.mark.parametrize("suffix", ["json", "parquet"])
    def test_of_version_2_with_sidecars(self, monitored: SyncedVersion, log: Path, suffix: str) -> None:
        second_version(log, suffix)
        expire(log)
        assert_reads(monitored, EVERYTHING)

    def test_and_compacted_commits(self, monitored: SyncedVersion, log: Path) -> None:
        classic(log).unlink()
        (log / "_last_checkpoint").unlink()
        lines = [(log / f"{version:020}.json").read_text() for version in range(1, 5)]
        kept = [line for text in lines for line in text.splitlines() if "commitInfo" not in line]
        (log / f"{1:020}.{4:020}.compacted.json").write_text("\n".join(kept))
        assert_reads(monitored, EVERYTHING)

    def test_older_than_the_latest(self, monitored: SyncedVersion, log: Path) -> None:
        monitored.delta("serving").create_checkpoint()
        hint(log, version=CHECKPOINT)
        assert_reads(monitored, EVERYTHING)


class TestMissingOnes:
    """The log is whole without them."""

    def test_of_a_version_that_has_none(self, monitored: SyncedVersion, log: Path) -> None:
        hint(log, version=5)
        assert_reads(monitored, EVERYTHING)

    def test_deleted(self, monitored: SyncedVersion, log: Path) -> None:
        classic(log).unlink()
        assert_reads(monitored, EVERYTHING)

    def test_empty(self, monitored: SyncedVersion, log: Path) -> None:
        classic(log).write_bytes(b"")
        assert_reads(monitored, EVERYTHING)

    def test_a_part(self, monitored: SyncedVersion, log: Path) -> None:
        split(log, 3)[1].unlink()
        assert_reads(monitored, EVERYTHING)

    def test_of_a_version_that_is_not_there(self, monitored: SyncedVersion, log: Path) -> None:
        hint(log, version=50)
        assert DeltaLog(f"file://{log.parent}").files([]).row_count == len(EVERYTHING)
        assert_refuses(
            monitored, "_last_checkpoint names a checkpoint that does not exist", "delete that file"
        )

    def test_parts_of_one(self, monitored: SyncedVersion, log: Path) -> None:
        split(log, 1)
        expire(log)
        assert_refuses(monitored, "has one part, but is named as one of several")


class TestEarlierVersions:
    @pytest.mark.parametrize("version", [2, 4])
    def test_behind_the_last_checkpoint(self, monitored: SyncedVersion, version: int) -> None:
        written(monitored)
        monitored.connect("serving", read_options={"versionAsOf": str(version)})
        if version < CHECKPOINT:
            told = f"its last checkpoint is of version {CHECKPOINT}, which is later"
            assert_refuses(monitored, told, "Read the latest version")
        else:
            assert_reads(monitored, pa.concat_tables(ROWS[: version + 1]))

    def test_a_checkpoint_that_is_written_while_a_sync_begins(
        self, monitored: SyncedVersion, log: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sync starts again at the version that the checkpoint is of."""
        read = DatasetRows.all
        more = spread(9, 9, 2, seed=9)

        def overtaken(frames: DatasetRows, *given: Any, **options: Any) -> Any:
            if monitored.delta("serving").version() < 7:
                for rows in (more, more):
                    monitored.write("serving", rows)
                monitored.delta("serving").create_checkpoint()
            return read(frames, *given, **options)

        monkeypatch.setattr(DatasetRows, "all", overtaken)
        assert monitored.sync()["table_version"] == 7
        assert monitored.status()["rows"] == len(EVERYTHING) + 2 * len(more)
        assert DeltaTable(log.parent).version() == 7
