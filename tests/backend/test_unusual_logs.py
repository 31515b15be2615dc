"""Tables whose logs have what not every reader takes: preflight accepts what the sync reads, and no more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from aporia_provider.errors import ValidationError
from tests.backend.agreement import added, assert_reads, assert_refuses, changed, problems, rewrite
from tests.backend.syncing import NOWHERE, SyncedVersion, spread
from tests.lake import logs

pytestmark = pytest.mark.process

ROWS = spread(1, 3, 4)
NOT_JSON = [
    "",
    " ",
    "null",
    "[]",
    "3",
    '{"numRecords":2,"minValues":{"score":NaN},"maxValues":{"score":NaN},"nullCount":{"score":0}}',
    '{"numRecords":2,"minValues":{"age":-Infinity},"maxValues":{"age":Infinity},"nullCount":{}}',
    '{"numRecords":2,"minValues":{"age":1',
]
OF_ANOTHER_FORM = [
    None,
    "{}",
    '{"numRecords":"2"}',
    '{"numRecords":2.0}',
    '{"numRecords":2,"numRecords":2}',
    '{"numRecords":2,"minValues":null,"maxValues":null,"nullCount":null}',
    '{"minValues":{"age":-1000},"maxValues":{"age":1000}}',
]


@pytest.fixture
def table(monitored: SyncedVersion) -> Path:
    """A connected table of one file."""
    monitored.write("serving", ROWS)
    monitored.connect("serving")
    return Path(monitored.path("serving"))


class TestStatistics:
    """Statistics that are no JSON, or have another form: the engine reads the files without them."""

    @pytest.mark.parametrize("stats", [NOT_JSON, OF_ANOTHER_FORM])
    def test_are_not_needed(self, monitored: SyncedVersion, table: Path, stats: list[str | None]) -> None:
        everything = [ROWS]
        for version in range(1, len(stats) + 1):
            everything.append(spread(1 + version % 4, 1 + version % 4, 2, seed=version))
            monitored.write("serving", everything[-1])
        for version, text in enumerate(stats, 1):
            rewrite(table, changed("add", stats=text), version)
        assert_reads(monitored, pa.concat_tables(everything))
        monitored.check()

    def test_of_files_that_come_later(self, monitored: SyncedVersion, table: Path) -> None:
        monitored.sync()
        more = spread(3, 4, 2, seed=5)
        monitored.write("serving", more)
        rewrite(table, changed("add", stats='{"numRecords":4,"minValues":{"at":'), version=1)
        assert_reads(monitored, pa.concat_tables([ROWS, more]))

    def test_in_a_checkpoint(self, monitored: SyncedVersion, table: Path) -> None:
        DeltaTable(table).create_checkpoint()
        path = table / "_delta_log" / f"{0:020}.checkpoint.parquet"
        checkpoint = pq.read_table(path).to_pylist()
        for action in checkpoint:
            if action["add"] is not None:
                action["add"]["stats"] = ""
        pq.write_table(pa.Table.from_pylist(checkpoint, schema=pq.read_schema(path)), path)
        assert_reads(monitored, ROWS)

    def test_are_not_needed_to_check_rows(self, monitored: SyncedVersion, table: Path) -> None:
        rewrite(table, changed("add", stats=""))
        assert problems(monitored, check_rows=True) == []


class TestActions:
    def test_of_the_protocol_are_read(self, monitored: SyncedVersion, table: Path) -> None:
        def more(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [
                *actions,
                {"cdc": {"path": "_change_data/a", "partitionValues": {}, "size": 1, "dataChange": False}},
                {"domainMetadata": {"domain": "delta.x", "configuration": "{}", "removed": False}},
                {"checkpointMetadata": {"version": 0}},
                {"sidecar": {"path": "a.parquet", "sizeInBytes": 1, "modificationTime": 1}},
                {"txn": {"appId": "stream", "version": 3}},
                {"commitInfo": {"timestamp": -1, "operationParameters": {"a": {"b": [1]}}, "userId": None}},
            ]

        rewrite(table, more)
        assert problems(monitored, engine=NOWHERE) == [], "the engine is not asked"
        assert_reads(monitored, ROWS)

    @pytest.mark.parametrize(
        ("action", "expected_text"),
        [
            ({"pipelineEvent": {"id": "x"}}, "the unknown entry 'pipelineEvent'"),
            ({"commitInfo": {"timestamp": "2024-01-01"}}, "a commitInfo whose timestamp is not of type int"),
        ],
    )
    def test_of_others_are_refused_by_name(
        self, monitored: SyncedVersion, table: Path, action: dict[str, Any], expected_text: str
    ) -> None:
        rewrite(table, added(action))
        assert_refuses(monitored, f"version 0 of its log has {expected_text}", "Write a checkpoint")

    def test_of_others_are_no_matter_behind_a_checkpoint(self, monitored: SyncedVersion, table: Path) -> None:
        rewrite(table, added({"pipelineEvent": {"id": "x"}}))
        DeltaTable(table).create_checkpoint()
        assert problems(monitored, engine=NOWHERE) == [], "the engine is not asked"
        assert_reads(monitored, ROWS)

    def test_white_space_between_them(self, monitored: SyncedVersion, table: Path) -> None:
        monitored.sync()
        everything = [ROWS]
        for version, between in enumerate(("\n\n", "\r\n", "\n  \n", " "), 1):
            everything.append(spread(4, 4, 2, seed=version))
            monitored.write("serving", everything[-1])
            path = table / "_delta_log" / f"{version:020}.json"
            path.write_text(f"\n{between.join(path.read_text().splitlines())}\n\n")
        assert_reads(monitored, pa.concat_tables(everything))


class TestTypes:
    @pytest.mark.parametrize(
        "type_", ["void", {"type": "array", "elementType": "void", "containsNull": True}]
    )
    def test_void_is_refused(self, monitored: SyncedVersion, table: Path, type_: Any) -> None:
        def widen(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
            schema = json.loads(next(a["metaData"] for a in actions if "metaData" in a)["schemaString"])
            schema["fields"].append(logs.field("nothing", type_))
            return changed("metaData", schemaString=json.dumps(schema))(actions)

        rewrite(table, widen)
        assert_refuses(monitored, "its column 'nothing' is of type void")


class TestShallowClones:
    @pytest.mark.parametrize("scheme", ["file://", "file:", ""])
    def test_are_refused(self, monitored: SyncedVersion, table: Path, scheme: str) -> None:
        (data,) = table.glob("*.parquet")
        shutil.move(data, monitored.folder / "origin.parquet")
        rewrite(table, changed("add", path=f"{scheme}{monitored.folder}/origin.parquet"))
        assert_refuses(monitored, "is a shallow clone", "Make a deep clone")
        with pytest.raises(ValidationError, match="is a shallow clone"):
            monitored.sync()


class TestFiles:
    def test_a_missing_one_is_named(self, monitored: SyncedVersion, table: Path) -> None:
        (data,) = table.glob("*.parquet")
        data.unlink()
        with pytest.raises(Exception, match=f"names the data file .*{data.name}, which does not exist"):
            monitored.sync()

    def test_a_short_one_is_named(self, monitored: SyncedVersion, table: Path) -> None:
        (data,) = table.glob("*.parquet")
        data.write_bytes(data.read_bytes()[:-9])
        with pytest.raises(Exception, match=f"the data file .*{data.name} is not a complete Parquet file"):
            monitored.sync()
