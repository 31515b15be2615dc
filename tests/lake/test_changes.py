"""Which times of real Delta tables have changed, by every operation there is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.changes import Changes, LogPosition, changes_since
from aporia_provider.lake.log.table import DeltaLog
from tests import servers
from tests.conftest import S3
from tests.lake import logs
from tests.lake.changing import append, at, days_of, opened, position, rows, since


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Three files: the first and second of January, the fifth, and the seventh with a row without a time."""
    for days in ((1.25, 2.25), (5.5,), (7.5, None)):
        append(tmp_path, *days)
    return tmp_path


class TestNothing:
    def test_a_table_never_seen_is_all_new(self, table: Path) -> None:
        assert since(table, None) == Changes("first sync", entire_table=True)

    def test_no_commit(self, table: Path) -> None:
        changes = since(table, position(table))
        assert changes == Changes("no commit changed the data")
        assert not changes.has_changes

    @pytest.mark.parametrize("column", ["at", None])
    def test_compaction_z_order_and_vacuum(self, table: Path, column: str | None) -> None:
        seen = position(table)
        DeltaTable(table).optimize.compact()
        DeltaTable(table).optimize.z_order(["id"])
        removed = DeltaTable(table).vacuum(0, enforce_retention_duration=False, dry_run=False)
        assert removed, "the files that were compacted are gone"
        assert opened(table).version > seen.version + 2
        assert not since(table, seen, column).has_changes

    def test_commits_of_nothing(self, table: Path) -> None:
        seen = position(table)
        write_deltalake(table, rows(), mode="append")
        DeltaTable(table).alter.set_table_properties({"delta.appendOnly": "false"})
        logs.commit(table, opened(table).version + 1, [])
        assert opened(table).version == seen.version + 3
        assert not since(table, seen).has_changes

    def test_a_file_of_no_rows(self, table: Path) -> None:
        seen = position(table)
        empty = {"numRecords": 0, "nullCount": {"id": 0, "at": 0}, "minValues": {}, "maxValues": {}}
        logs.commit(table, seen.version + 1, [logs.add("empty.parquet", empty)])
        assert not since(table, seen).has_changes

    def test_a_transaction_of_an_application(self, table: Path) -> None:
        seen = position(table)
        mark = CommitProperties(app_transactions=[Transaction("loader", 7)])
        write_deltalake(table, rows(), mode="append", commit_properties=mark)
        assert not since(table, seen).has_changes


class TestAdded:
    def test_an_append(self, table: Path) -> None:
        seen = position(table)
        append(table, 9.1, 10.9)
        changes = since(table, seen)
        assert changes.reason == "1 commit changed the data"
        assert days_of(changes) == [9, 10]
        assert (changes.null_timestamps, changes.removed) == (False, False)

    def test_several_appends_with_a_late_row(self, table: Path) -> None:
        seen = position(table)
        for day in (9.5, 2.75, 12.0):
            append(table, day)
        changes = since(table, seen)
        assert changes.reason == "3 commits changed the data"
        assert days_of(changes) == [2, 9, 12]

    def test_an_append_among_compactions(self, table: Path) -> None:
        seen = position(table)
        DeltaTable(table).optimize.compact()
        append(table, 9.5)
        DeltaTable(table).optimize.compact()
        changes = since(table, seen)
        assert (days_of(changes), changes.reason) == ([9], "1 commit changed the data")
        assert not changes.removed

    def test_only_what_came_after(self, table: Path) -> None:
        append(table, 9.5)
        seen = position(table)
        append(table, 11.5)
        assert days_of(since(table, seen)) == [11]

    def test_rows_without_a_time(self, table: Path) -> None:
        seen = position(table)
        append(table, None, None)
        changes = since(table, seen)
        assert (changes.has_changes, changes.null_timestamps, changes.intervals) == (True, True, ())
        append(table, None, 3.5)
        changes = since(table, seen)
        assert (changes.null_timestamps, days_of(changes)) == (True, [3])

    def test_rows_of_a_table_that_was_empty(self, tmp_path: Path) -> None:
        DeltaTable.create(tmp_path, rows().schema)
        seen = position(tmp_path)
        assert since(tmp_path, None).entire_table
        append(tmp_path, 4.5)
        assert days_of(since(tmp_path, seen)) == [4]

    def test_the_last_microsecond_of_a_day(self, table: Path) -> None:
        seen = position(table)
        last = at(10) - timedelta(microseconds=1)
        write_deltalake(
            table, pa.table({"id": ["z"], "at": pa.array([last], pa.timestamp("us", "UTC"))}), mode="append"
        )
        changes = since(table, seen)
        assert days_of(changes) == [9], "the log cuts the time to milliseconds"
        assert changes.intervals[0][1] > int(last.timestamp()) * 1_000_000 + 999_999

    def test_on_s3(self, s3: S3) -> None:
        uri, options = s3.uri("t"), s3.delta_options
        known = AwsCredentials(
            servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=s3.endpoint
        )
        write_deltalake(uri, rows(1.5, 2.5), storage_options=options)
        write_deltalake(uri, rows(4.5), storage_options=options, mode="append")
        seen = LogPosition.of(DeltaLog(uri, known).metadata)
        DeltaTable(uri, storage_options=options).delete("id = '2.5'")
        write_deltalake(uri, rows(6.5), storage_options=options, mode="append")
        changes = changes_since(DeltaLog(uri, known), seen, "at")
        assert (days_of(changes), changes.removed) == ([1, 2, 6], True)


Operation = Callable[[Path], Any]


def delete_rows(folder: Path) -> None:
    DeltaTable(folder).delete("id = '2.25'")


def delete_file(folder: Path) -> None:
    DeltaTable(folder).delete("id = '5.5'")


def delete_untimed(folder: Path) -> None:
    DeltaTable(folder).delete("at IS NULL")


def delete_all(folder: Path) -> None:
    DeltaTable(folder).delete()


def overwrite(folder: Path) -> None:
    write_deltalake(folder, rows(20.5), mode="overwrite")


def overwrite_some(folder: Path) -> None:
    write_deltalake(
        folder, rows(5.75), mode="overwrite", predicate="at >= '2024-01-05' AND at < '2024-01-06'"
    )


def update_ids(folder: Path) -> None:
    DeltaTable(folder).update(predicate="id = '5.5'", new_values={"id": "'changed'"})


def update_times(folder: Path) -> None:
    DeltaTable(folder).update(predicate="id = '5.5'", new_values={"at": at(8.5)})


def merge(folder: Path) -> None:
    target = DeltaTable(folder).merge(
        rows(5.5, 6.5), "given.id = held.id", source_alias="given", target_alias="held"
    )
    target.when_matched_update_all().when_not_matched_insert_all().execute()


class TestRemoved:
    @pytest.mark.parametrize(
        ("operation", "days", "untimed"),
        [
            (delete_rows, [1, 2], False),
            (delete_file, [5], False),
            (delete_untimed, [7], True),
            (delete_all, [1, 2, 5, 7], True),
            (overwrite, [1, 2, 5, 7, 20], True),
            (overwrite_some, [5], False),
            (update_ids, [5], False),
            (update_times, [5, 8], False),
            (merge, [5, 6], False),
        ],
    )
    def test_by_an_operation(self, table: Path, operation: Operation, days: list[int], untimed: bool) -> None:
        seen = position(table)
        operation(table)
        changes = since(table, seen)
        assert (days_of(changes), changes.null_timestamps, changes.removed) == (days, untimed, True)

    @pytest.mark.slow
    def test_what_came_since_and_was_compacted(self, table: Path) -> None:
        seen = position(table)
        append(table, 9.5)
        append(table, 11.5)
        DeltaTable(table).optimize.compact()
        DeltaTable(table).delete("id = '9.5'")
        changes = since(table, seen)
        assert days_of(changes) == list(range(1, 12)), "the log has the times of the file that was compacted"
        assert changes.reason == "3 commits changed the data"

    def test_after_a_vacuum(self, table: Path) -> None:
        seen = position(table)
        delete_file(table)
        assert DeltaTable(table).vacuum(0, enforce_retention_duration=False, dry_run=False)
        assert days_of(since(table, seen)) == [5]

    def test_an_older_version_restored(self, table: Path) -> None:
        append(table, 9.5)
        seen = position(table)
        DeltaTable(table).restore(0)
        changes = since(table, seen)
        assert (days_of(changes), changes.null_timestamps, changes.removed) == ([5, 7, 9], True, True)

    def test_by_a_deletion_vector(self, tmp_path: Path) -> None:
        stats = {
            "numRecords": 9,
            "nullCount": {"at": 0},
            "minValues": {"at": "2024-01-03T01:00:00.000Z"},
            "maxValues": {"at": "2024-01-03T23:59:59.999Z"},
        }
        begin = [logs.protocol("deletionVectors"), *logs.metadata([logs.field("at", "timestamp")])]
        logs.commit(tmp_path, 0, [*begin, logs.add("a.parquet", stats)])
        seen = position(tmp_path)
        removed = {"remove": {"path": "a.parquet", "dataChange": True, "deletionTimestamp": 1}}
        marked = logs.add("a.parquet", stats, deletionVector=logs.deletion_vector([2]))
        logs.commit(tmp_path, 1, [removed, marked], "DELETE")
        changes = since(tmp_path, seen)
        assert (days_of(changes), changes.removed, changes.null_timestamps) == ([3], True, False)
        seen = position(tmp_path)
        removed["remove"]["deletionVector"] = logs.deletion_vector([2])
        logs.commit(tmp_path, 2, [removed], "DELETE")
        assert days_of(since(tmp_path, seen)) == [3]


class TestWhole:
    def test_computed_times(self, table: Path) -> None:
        seen = position(table)
        append(table, 9.5)
        changes = since(table, seen, None)
        assert (changes.entire_table, changes.reason) == (
            True,
            "the times are computed by select_expr and cannot be traced in the log",
        )

    def test_another_table_in_its_place(self, table: Path) -> None:
        seen = position(table)
        shutil.rmtree(table)
        for day in (1.0, 2.0, 3.0, 4.0, 5.0):
            append(table, day)
        changes = since(table, seen)
        assert (changes.entire_table, changes.reason) == (True, "the table was dropped and created again")

    def test_a_log_that_went_back(self, table: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        backup = tmp_path_factory.mktemp("backup") / "t"
        shutil.copytree(table, backup)
        append(table, 9.5)
        seen = position(table)
        shutil.rmtree(table)
        shutil.copytree(backup, table)
        changes = since(table, seen)
        assert (changes.entire_table, changes.reason) == (True, "the table was reset from version 3 to 2")

    def test_commits_that_were_cleaned_up(self, table: Path) -> None:
        seen = position(table)
        append(table, 9.5)
        append(table, 10.5)
        DeltaTable(table).create_checkpoint()
        (table / "_delta_log" / f"{seen.version + 1:020}.json").unlink()
        changes = since(table, seen)
        assert (changes.entire_table, changes.reason) == (True, "the log since the last sync was cleaned up")

    def test_only_the_checkpoint_is_left(self, table: Path) -> None:
        seen = position(table)
        append(table, 9.5)
        latest = position(table)
        DeltaTable(table).create_checkpoint()
        for commit in (table / "_delta_log").glob("*.json"):
            commit.unlink()
        assert since(table, seen).entire_table
        assert since(table, latest) == Changes("no commit changed the data")

    def test_files_removed_from_a_version_that_cannot_be_opened(self, table: Path) -> None:
        seen = position(table)
        delete_file(table)
        DeltaTable(table).create_checkpoint()
        for version in range(seen.version + 1):
            (table / "_delta_log" / f"{version:020}.json").unlink()
        changes = since(table, seen)
        assert changes.entire_table
        assert changes.reason == "version 2 can no longer be opened, so removed files are unknown"

    def test_a_broken_commit(self, table: Path) -> None:
        seen = position(table)
        append(table, 9.5)
        log = opened(table)
        path = table / "_delta_log" / f"{log.version:020}.json"
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(ValidationError, match=r"Version 3 of .* is invalid"):
            changes_since(log, seen, "at")


def mapped(name: str, physical: str, type_: str, number: int) -> dict[str, Any]:
    names = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": physical}
    return logs.field(name, type_, **names)


class TestSchema:
    def test_an_added_column(self, table: Path) -> None:
        seen = position(table)
        write_deltalake(table, rows(9.5, x=[1]), mode="append", schema_mode="merge")
        assert days_of(since(table, seen)) == [9]

    def test_a_table_overwritten_with_another_schema(self, table: Path) -> None:
        seen = position(table)
        write_deltalake(table, rows(9.5, x=[1]), mode="overwrite", schema_mode="overwrite")
        assert days_of(since(table, seen)) == [1, 2, 5, 7, 9]

    def test_a_column_renamed_or_replaced(self, tmp_path: Path) -> None:
        def fields(*columns: tuple[str, str]) -> list[dict[str, Any]]:
            made = [mapped(name, physical, "double", 2 + n) for n, (name, physical) in enumerate(columns)]
            return [mapped("at", "col-at", "timestamp", 1), *made]

        def metadata(*columns: tuple[str, str]) -> list[dict[str, Any]]:
            made = logs.metadata(fields(*columns), delta_columnMapping_mode="name")
            made[0]["metaData"]["id"] = "the same table"
            return made

        stats = {
            "numRecords": 1,
            "nullCount": {"col-at": 0},
            "minValues": {"col-at": "2024-01-03T01:00:00.000Z"},
            "maxValues": {"col-at": "2024-01-03T01:00:00.000Z"},
        }
        begin = [logs.protocol("columnMapping"), *metadata(("x", "col-x"), ("y", "col-y"))]
        logs.commit(tmp_path, 0, [*begin, logs.add("a.parquet", stats)])
        seen = LogPosition.of(opened(tmp_path).metadata, ["at", "y", "nowhere"])
        assert set(seen.columns) == {"at", "y"}
        logs.commit(tmp_path, 1, [*metadata(("age", "col-x"), ("y", "col-y")), logs.add("b.parquet", stats)])
        assert days_of(since(tmp_path, seen)) == [3], "nobody reads what was renamed"
        logs.commit(tmp_path, 2, metadata(("age", "col-x"), ("y", "col-new")), "DROP AND ADD")
        changes = since(tmp_path, seen)
        told = "columns that are read were replaced, or their type changed: 'y'"
        assert (changes.entire_table, changes.reason) == (True, told)
        logs.commit(tmp_path, 3, metadata(("age", "col-x"), ("z", "col-y")), "RENAME COLUMN")
        changes = since(tmp_path, seen)
        told = "columns that are read were dropped or renamed: 'y'"
        assert (changes.entire_table, changes.reason) == (True, told)

    def test_the_column_of_times_was_renamed(self, tmp_path: Path) -> None:
        stats = {"numRecords": 1, "nullCount": {"col-at": 0}}
        bounds = {name: {"col-at": "2024-01-03T01:00:00.000Z"} for name in ("minValues", "maxValues")}
        for version, name in enumerate(("then", "at")):
            made = logs.metadata(
                [mapped(name, "col-at", "timestamp", 1)], (), delta_columnMapping_mode="name"
            )
            made[0]["metaData"]["id"] = "the same table"
            actions = [logs.protocol("columnMapping"), *made]
            logs.commit(tmp_path, version, [*actions, logs.add(f"{version}.parquet", {**stats, **bounds})])
            if not version:
                seen = LogPosition.of(opened(tmp_path).metadata, ())
        assert days_of(since(tmp_path, seen)) == [3]
