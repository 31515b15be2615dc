"""What the newest commits of a table did, from its log alone, and what it costs to ask again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log import commit_files, commit_history
from aporia_provider.lake.log.commit_files import latest_commit_files
from aporia_provider.lake.log.commit_history import CommitHistory, read_history
from aporia_provider.lake.log.history_folder import HistoryFolder
from tests import servers
from tests.conftest import S3
from tests.lake import histories, logs
from tests.lake.strict_s3 import StrictS3, strict_s3

START = datetime(2024, 1, 1, tzinfo=UTC)
TIMES = [START + timedelta(days=day) for day in range(5)]


def rows(*values: int | None, **more: Any) -> pa.Table:
    return pa.table({"id": pa.array(values, pa.int64()), **more})


def uri(folder: Path) -> str:
    return f"file://{folder}"


class TestSummaries:
    def test_of_each_operation(self, tmp_path: Path) -> None:
        mark = CommitProperties(
            app_transactions=[Transaction("loader", 7)], custom_metadata={"userName": "ann"}
        )
        write_deltalake(tmp_path, rows(1, 2, None), commit_properties=mark)
        write_deltalake(tmp_path, rows(4, 5), mode="append")
        DeltaTable(tmp_path).optimize.compact()
        DeltaTable(tmp_path).delete("id = 1")
        DeltaTable(tmp_path).update(updates={"id": "9"}, predicate="id = 2")
        write_deltalake(tmp_path, rows(7), mode="overwrite")
        history = read_history(uri(tmp_path))
        found = [
            (each.operation, each.data_change, each.rows_added, each.rows_removed, each.new_rows)
            for each in history.commits
        ]
        assert found == [
            ("WRITE", True, 3, 0, 3),
            ("WRITE", True, 2, 0, 2),
            ("OPTIMIZE", False, 0, 0, 0),
            ("DELETE", True, 4, 5, 0),
            ("UPDATE", True, 4, 4, 0),
            ("WRITE", True, 1, 4, 1),
        ]
        assert [each.null_counts for each in history.commits[:2]] == [{"id": 1}, {"id": 0}]
        assert "application loader" in str(history.commits[0].writer)
        assert "ann" in str(history.commits[0].writer)
        assert history.commits[0].bytes_added == sum(
            size for size in DeltaTable(tmp_path, version=0).get_add_actions()["size_bytes"].to_pylist()
        )
        assert (history.is_complete, history.version) == (True, 5)
        assert len(history.data_commits) == 5

    def test_changes_of_the_schema(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, rows(1))
        write_deltalake(tmp_path, rows(2, city=["a"]), mode="append", schema_mode="merge")
        write_deltalake(tmp_path, pa.table({"id": ["a"]}), mode="overwrite", schema_mode="overwrite")
        changes = [each.schema_change for each in read_history(uri(tmp_path)).commits]
        assert changes == [
            None,
            "added 'city' (string)",
            "dropped 'city' (string); changed the type of 'id' from long to string",
        ]

    def test_nested_columns_and_names_of_a_mapping(self, tmp_path: Path) -> None:
        fields = [logs.field("city", "string", **{"delta.columnMapping.physicalName": "col-1"})]
        added = logs.add("a", {"numRecords": 5, "nullCount": {"col-1": 2, "more": {"x": 3}}})
        content = histories.commit(START, [logs.protocol(), *logs.metadata(fields), added])
        history = read_history(histories.put(tmp_path, {histories.name(0): content}))
        assert history.commits[0].null_counts == {"col-1": 2, "more.x": 3}
        assert history.column_names == {"col-1": "city"}

    def test_rows_deleted_by_vectors(self, tmp_path: Path) -> None:
        files = histories.written_log(TIMES)
        vector = {"deletionVector": logs.deletion_vector([0, 1, 2])}
        stats = {"numRecords": 1000, "nullCount": {"id": 0, "city": 10}}
        actions = [
            {"remove": {"path": "part-1.parquet", "dataChange": True}},
            logs.add("part-1.parquet", stats, **vector),
        ]
        files[histories.name(6)] = histories.commit(TIMES[-1], actions, "DELETE")
        last = read_history(histories.put(tmp_path, files)).commits[-1]
        assert (last.rows_added, last.rows_removed, last.new_rows) == (997, 1000, 0)
        assert last.null_counts == {"id": 0}

    def test_what_a_log_does_not_contain(self, tmp_path: Path) -> None:
        actions = [logs.add("a"), {"remove": {"path": "b", "dataChange": True}}]
        content = "\n".join(json.dumps(action) for action in actions).encode()
        folder = histories.put(tmp_path, {histories.name(7): content})
        modified = datetime.fromtimestamp((tmp_path / "_delta_log" / histories.name(7)).stat().st_mtime, UTC)
        history = read_history(folder)
        (only,) = history.commits
        assert (only.rows_added, only.rows_removed, only.files_added, only.files_removed) == (
            None,
            None,
            1,
            1,
        )
        assert (only.operation, only.writer, only.time) == (None, None, modified)
        assert not history.is_complete

    def test_times(self, tmp_path: Path) -> None:
        """A clock that is ahead of the store is not used, unless the writers keep their times in order."""
        ahead = datetime.now(UTC) + timedelta(days=300)
        in_commit = {"inCommitTimestamp": round(START.timestamp() * 1000), "timestamp": 5}
        files = {
            histories.name(0): histories.commit(ahead, [logs.add("a")]),
            histories.name(1): json.dumps({"commitInfo": in_commit}).encode(),
        }
        first, second = read_history(histories.put(tmp_path, files)).commits
        assert first.time < ahead - timedelta(days=299)
        assert second.time == START

    def test_a_malformed_commit(self, tmp_path: Path) -> None:
        folder = histories.put(tmp_path, {histories.name(3): b"not JSON"})
        with pytest.raises(ValidationError, match="Version 3 of"):
            read_history(folder)

    def test_no_table(self, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match="There is no Delta table"):
            read_history(uri(tmp_path))


class TestLimits:
    def test_of_commits(self, tmp_path: Path) -> None:
        folder = histories.put(tmp_path, histories.written_log(TIMES))
        history = read_history(folder, max_commits=3)
        assert [each.version for each in history.commits] == [3, 4, 5]
        assert not history.is_complete

    def test_of_bytes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files = histories.written_log(TIMES)
        monkeypatch.setattr(commit_history, "MAX_BYTES", 2 * len(files[histories.name(5)]))
        history = read_history(histories.put(tmp_path, files))
        assert [each.is_read for each in history.commits] == [False] * 4 + [True] * 2
        assert history.notes[0].startswith("4 commits, the last of them version 3, were not read")

    def test_an_expired_log(self, tmp_path: Path) -> None:
        files = histories.written_log(TIMES)
        kept = {name: content for name, content in files.items() if name >= histories.name(4)}
        history = read_history(histories.put(tmp_path, kept))
        assert ([each.version for each in history.commits], history.is_complete) == ([4, 5], False)


class TestAgain:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> str:
        return histories.put(tmp_path, histories.written_log(TIMES))

    def test_only_new_commits_are_read(self, folder: str, tmp_path: Path) -> None:
        earlier = read_history(folder)
        assert read_history(folder, earlier=earlier) is earlier
        (tmp_path / "_delta_log" / histories.name(2)).write_bytes(b"not JSON")
        histories.put(tmp_path, {histories.name(6): histories.commit(START, [histories.appended(6, 7, 0)])})
        later = read_history(folder, earlier=earlier)
        assert later.commits[:-1] == earlier.commits
        assert later.commits[-1].rows_added == 7
        assert later.is_complete

    def test_a_table_that_was_made_anew(self, folder: str, tmp_path: Path) -> None:
        earlier = read_history(folder)
        log = tmp_path / "_delta_log"
        for file in log.iterdir():
            file.unlink()
        histories.put(tmp_path, histories.written_log(TIMES, rows=5))
        assert {each.rows_added for each in read_history(folder, earlier=earlier).commits} == {0, 5}

    def test_stored_between_processes(self, folder: str, tmp_path: Path) -> None:
        stored, history = HistoryFolder(tmp_path / "histories" / "here"), read_history(folder)
        assert stored.load(folder) is None
        stored.store(history)
        assert stored.load(folder) == history
        (file,) = (tmp_path / "histories" / "here").iterdir()
        assert file.stat().st_mode & 0o077 == 0
        stored.store(replace(history, format=0))
        assert stored.load(folder) is None
        file.write_text("{}")
        assert stored.load(folder) is None

    def test_a_folder_that_cannot_be_written(self, folder: str, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        HistoryFolder(tmp_path / "file").store(read_history(folder))


class TestOnS3:
    @pytest.fixture
    def proxy(self, s3: S3) -> Iterator[StrictS3]:
        with strict_s3(s3.endpoint) as proxy:
            yield proxy

    def credentials(self, proxy: StrictS3) -> AwsCredentials:
        return AwsCredentials(
            servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=proxy.endpoint
        )

    def put(self, s3: S3, files: dict[str, bytes]) -> None:
        client = s3.client()
        for name, content in files.items():
            client.put_object(Bucket=s3.bucket, Key=f"t/_delta_log/{name}", Body=content)

    def test_one_request_if_nothing_is_new(self, s3: S3, proxy: StrictS3) -> None:
        self.put(s3, histories.written_log(TIMES))
        earlier = read_history(s3.uri("t"), self.credentials(proxy))
        assert len(earlier.commits) == 6
        assert len(proxy.requests) == 7
        proxy.requests.clear()
        assert read_history(s3.uri("t"), self.credentials(proxy), earlier=earlier) is earlier
        assert len(proxy.requests) == 1
        self.put(s3, {histories.name(6): histories.commit(START, [histories.appended(6, 7, 0)])})
        proxy.requests.clear()
        assert read_history(s3.uri("t"), self.credentials(proxy), earlier=earlier).version == 6
        assert [request.key for request in proxy.requests] == ["", f"t/_delta_log/{histories.name(6)}"]

    @pytest.mark.parametrize("page", [2, 7])
    def test_the_end_of_a_long_log(
        self, s3: S3, proxy: StrictS3, monkeypatch: pytest.MonkeyPatch, page: int
    ) -> None:
        """With small pages, as if the log had many more commits; checkpoints and checksums are among them."""
        monkeypatch.setattr(commit_files, "_PAGE", page)
        files = histories.written_log([START + timedelta(days=day) for day in range(29)])
        kept = {name: content for name, content in files.items() if name >= histories.name(3)}
        kept |= {
            f"{number:020}.crc" if number % 2 else f"{number:020}.checkpoint.parquet": b"x"
            for number in range(3, 30)
        }
        kept |= {f"{10:020}.checkpoint.{part:010}.{9:010}.parquet": b"x" for part in range(1, 10)}
        kept |= {"_last_checkpoint": b"{}", ".tmp": b"x"}
        self.put(s3, kept)
        found = latest_commit_files(s3.uri("t"), self.credentials(proxy), 4)
        assert [file.version for file in found.files] == [26, 27, 28, 29]
        assert found.has_older
        found = latest_commit_files(s3.uri("t"), self.credentials(proxy), 100)
        assert [file.version for file in found.files] == list(range(3, 30))


def test_a_history_is_json(tmp_path: Path) -> None:
    import msgspec

    history = read_history(histories.put(tmp_path, histories.written_log(TIMES)))
    assert msgspec.json.decode(msgspec.json.encode(history), type=CommitHistory) == history
