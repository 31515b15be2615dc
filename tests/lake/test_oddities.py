"""What is unusual in a log, found without an engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.delta import DeltaLog
from aporia_provider.lake.log_files import LogFiles
from tests.conftest import S3
from tests.lake import logs
from tests.lake.test_delta import credentials

BEGIN = [
    logs.protocol(),
    *logs.metadata([logs.field("id", "string")]),
    logs.add("f.parquet", {"numRecords": 1}),
]


def oddities(folder: Path) -> list[str]:
    return DeltaLog(f"file://{folder}").oddities()


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ({"pipelineEvent": {"id": "x"}}, "the unknown entry 'pipelineEvent'"),
        ({"txn": None}, "the unknown entry 'txn'"),
        ({}, "an entry that is not one action"),
        ({"txn": {"appId": "a", "version": 1}, "note": {}}, "an entry that is not one action"),
        ({"commitInfo": {"timestamp": "2024-01-01"}}, "a commitInfo whose timestamp is no int"),
        ({"commitInfo": {"timestamp": True}}, "a commitInfo whose timestamp is no int"),
        ({"commitInfo": {"userId": 5}}, "a commitInfo whose userId is no str"),
        ({"commitInfo": {"isBlindAppend": "true"}}, "a commitInfo whose isBlindAppend is no bool"),
        ({"commitInfo": {"isolationLevel": "None"}}, "a commitInfo of an unknown isolationLevel"),
    ],
)
def test_entries(tmp_path: Path, action: dict[str, Any], told: str) -> None:
    logs.commit(tmp_path, 0, BEGIN)
    logs.commit(tmp_path, 1, [action])
    assert oddities(tmp_path) == [f"version 1 of its log has {told}"]


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
    def files(self, folder: Path, version: int = 5) -> LogFiles:
        return LogFiles(f"file://{folder}", AwsCredentials(), version)

    def log(self, folder: Path, *checkpoints: str, hint: int | None = None) -> None:
        for version in range(6):
            logs.commit(folder, version, BEGIN if version == 0 else [])
        for name in checkpoints:
            (folder / "_delta_log" / f"{3:020}.checkpoint{name}").touch()
        if hint is not None:
            (folder / "_delta_log" / "_last_checkpoint").write_text(json.dumps({"version": hint, "size": 3}))

    @pytest.mark.parametrize(
        "names",
        [
            [".parquet"],
            [f".{1:010}.{2:010}.parquet", f".{2:010}.{2:010}.parquet"],
            [".80a083e8-7026-4e79-81be-64bd76c43a11.json"],
            [".80a083e8-7026-4e79-81be-64bd76c43a11.parquet"],
        ],
    )
    def test_whole_ones_stand_for_commits(self, tmp_path: Path, names: list[str]) -> None:
        self.log(tmp_path, *names)
        files = self.files(tmp_path)
        assert (list(files.commits_to_read()), list(files.odd_checkpoints())) == ([4, 5], [])
        assert list(self.files(tmp_path, 2).commits_to_read()) == [0, 1, 2]

    def test_incomplete_ones_do_not(self, tmp_path: Path) -> None:
        self.log(tmp_path, f".{1:010}.{2:010}.parquet")
        files = self.files(tmp_path)
        assert list(files.commits_to_read()) == [0, 1, 2, 3, 4, 5]
        assert list(files.odd_checkpoints()) == ["its checkpoint of version 3 is incomplete, or of one part"]

    @pytest.mark.parametrize("hint", [3, 50])
    def test_a_hint_at_none(self, tmp_path: Path, hint: int) -> None:
        self.log(tmp_path, hint=hint)
        told = f"its _last_checkpoint names version {hint}, which has no checkpoint"
        assert list(self.files(tmp_path).odd_checkpoints()) == [told]


def test_on_s3_old_files_are_not_listed(s3: S3, tmp_path: Path) -> None:
    client = s3.client()
    names = [*(f"{version:020}.json" for version in range(9)), f"{6:020}.checkpoint.parquet"]
    for name in names:
        client.put_object(Bucket=s3.bucket, Key=f"t/_delta_log/{name}", Body=b"{}")
    hint = json.dumps({"version": 6, "size": 1}).encode()
    client.put_object(Bucket=s3.bucket, Key="t/_delta_log/_last_checkpoint", Body=hint)
    files = LogFiles(s3.uri("t"), credentials(s3), 8)
    assert (files.commits, list(files.commits_to_read())) == ([6, 7, 8], [7, 8])
    assert LogFiles(s3.uri("t"), credentials(s3), 4).commits == list(range(9))
