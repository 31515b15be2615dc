"""What is unusual in a log, found without an engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from aporia_provider.lake.log.table import DeltaLog
from tests.conftest import S3
from tests.lake import logs
from tests.lake.test_delta import credentials

BEGIN = [
    logs.protocol(),
    *logs.metadata([logs.field("id", "string")]),
    logs.add("f.parquet", {"numRecords": 1}),
]


def oddities(folder: Path) -> list[str]:
    return DeltaLog(f"file://{folder}").unsupported_entries()


@pytest.mark.parametrize(
    ("action", "expected_text"),
    [
        ({"pipelineEvent": {"id": "x"}}, "the unknown entry 'pipelineEvent'"),
        ({"txn": None}, "the unknown entry 'txn'"),
        ({}, "an entry that is not a single action"),
        ({"txn": {"appId": "a", "version": 1}, "note": {}}, "an entry that is not a single action"),
        ({"commitInfo": {"timestamp": "2024-01-01"}}, "a commitInfo whose timestamp is not of type int"),
        ({"commitInfo": {"timestamp": True}}, "a commitInfo whose timestamp is not of type int"),
        ({"commitInfo": {"userId": 5}}, "a commitInfo whose userId is not of type str"),
        ({"commitInfo": {"isBlindAppend": "true"}}, "a commitInfo whose isBlindAppend is not of type bool"),
        ({"commitInfo": {"isolationLevel": "None"}}, "a commitInfo with an unknown isolationLevel"),
    ],
)
def test_entries(tmp_path: Path, action: dict[str, Any], expected_text: str) -> None:
    logs.commit(tmp_path, 0, BEGIN)
    logs.commit(tmp_path, 1, [action])
    assert oddities(tmp_path) == [f"version 1 of its log has {expected_text}"]


@pytest.mark.parametrize(
    "action",
    [
        {"commitInfo": {}},
        {"commitInfo": {"timestamp": None, "isolationLevel": None, "notebook": {"id": 1}, "tags": [1]}},
        {"cdc": {"path": "a", "partitionValues": {}, "size": 1, "dataChange": False}},
        {"txn": {"appId": "a", "version": 1}},
    ],
)
def test_usual_entries(tmp_path: Path, action: dict[str, Any]) -> None:
    logs.commit(tmp_path, 0, [*BEGIN, action])
    assert oddities(tmp_path) == []


def test_types_by_their_names_only(tmp_path: Path) -> None:
    inner = {"type": "struct", "fields": [logs.field("void", "string"), logs.field("b", "void")]}
    fields = [logs.field("void", "string"), logs.field("s", inner)]
    logs.commit(tmp_path, 0, [logs.protocol(), *logs.metadata(fields)])
    assert oddities(tmp_path) == ["its column 's' is of type void: drop it, or give it another type"]


class TestCheckpoints:
    def log(self, folder: Path, commits: int = 6, **hint: Any) -> DeltaLog:
        for version in range(commits):
            logs.commit(folder, version, BEGIN if version == 0 else [{"strange": {}}])
        if hint:
            (folder / "_delta_log" / "_last_checkpoint").write_text(json.dumps({"size": 3, **hint}))
        return DeltaLog(f"file://{folder}")

    def test_commits_before_are_not_read(self, tmp_path: Path) -> None:
        self.log(tmp_path)
        DeltaTable(tmp_path).create_checkpoint()
        logs.commit(tmp_path, 6, [{"odd": {}}])
        assert oddities(tmp_path) == ["version 6 of its log has the unknown entry 'odd'"]

    @pytest.mark.parametrize("version", [3, 50])
    def test_one_that_is_not_there(self, tmp_path: Path, version: int) -> None:
        log = self.log(tmp_path, version=version)
        assert (log.version, log.files([]).row_count) == (5, 1)
        assert "its _last_checkpoint names a checkpoint that does not exist" in log.unsupported_entries()

    def test_a_version_before_it(self, tmp_path: Path) -> None:
        self.log(tmp_path)
        DeltaTable(tmp_path).create_checkpoint()
        found = DeltaLog(f"file://{tmp_path}", version=0).unsupported_entries()
        assert found == ["its last checkpoint is of version 5, which is later"]

    @pytest.mark.parametrize("content", ["", "{oops", "[]", "null", '{"version": "3"}'])
    def test_a_hint_that_says_nothing(self, tmp_path: Path, content: str) -> None:
        logs.commit(tmp_path, 0, BEGIN)
        (tmp_path / "_delta_log" / "_last_checkpoint").write_text(content)
        assert oddities(tmp_path) == []


def test_on_s3(s3: S3) -> None:
    lines = [json.dumps(action) for action in (*BEGIN, {"odd": {}})]
    key = f"a b/%20/_delta_log/{0:020}.json"
    s3.client().put_object(Bucket=s3.bucket, Key=key, Body="\n".join(lines).encode())
    log = DeltaLog(s3.uri("a b/%20"), credentials(s3))
    assert log.unsupported_entries() == ["version 0 of its log has the unknown entry 'odd'"]
    key = f"t/_delta_log/{0:020}.json"
    s3.client().put_object(Bucket=s3.bucket, Key=key, Body="\n".join(lines).encode())
    hint = b'{"version":0,"size":1}'
    s3.client().put_object(Bucket=s3.bucket, Key="t/_delta_log/_last_checkpoint", Body=hint)
    log = DeltaLog(s3.uri("t"), credentials(s3))
    assert log.files([]).row_count == 1
    assert log.unsupported_entries() == ["its _last_checkpoint names a checkpoint that does not exist"]
