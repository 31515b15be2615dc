"""A table is synced commit by commit: what is read, and what is stored in the end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from aporia_provider.errors import TransientError
from tests.backend.syncing import (
    NOWHERE,
    UNREACHABLE,
    SyncedVersion,
    assert_equal_rows,
    assert_synced,
    served,
    spread,
    work,
)
from tests.lake import logs

pytestmark = pytest.mark.process


@pytest.fixture
def serving(monitored: SyncedVersion) -> SyncedVersion:
    """Ten predictions on each of five days, a file for each day, synced."""
    monitored.connect("serving")
    for day in range(1, 6):
        monitored.write("serving", spread(day, day, 10))
    monitored.sync()
    return monitored


class TestCommits:
    def test_the_first_sync(self, serving: SyncedVersion) -> None:
        status = serving.status()
        assert (status["status"], status["reason"], status["lag"]) == ("synced", "first sync", 0)
        assert (status["table_version"], status["latest_version"]) == (4, 4)
        assert (status["rows"], status["buckets"]) == (50, 5)
        assert (status["rows_read"], status["buckets_recomputed"], status["files_read"]) == (50, 5, 5)
        sizes = pa.table(serving.delta("serving").get_add_actions())["size_bytes"].to_pylist()
        assert status["bytes_read"] == sum(sizes)
        assert_synced(serving)

    def test_appends_and_late_rows(self, serving: SyncedVersion) -> None:
        before = serving.stored()
        serving.write("serving", spread(6, 7, 10))
        status = serving.sync()
        assert work(status) == (True, 2, 20, 1)
        assert status["reason"] == "1 commit changed the data"
        assert {place: state for place, state in serving.stored().items() if place in before} == before
        assert_synced(serving)
        serving.write("serving", spread(2, 2, 3, seed=9))
        serving.write("serving", spread(6, 6, 1, seed=9))
        status = serving.sync()
        assert work(status) == (True, 2, 13 + 11, 4)
        assert status["reason"] == "2 commits changed the data"
        assert_synced(serving)

    def test_overwrites(self, serving: SyncedVersion) -> None:
        third = "at >= '2024-01-03' AND at < '2024-01-04'"
        serving.write("serving", spread(3, 3, 4, seed=2), mode="overwrite", predicate=third)
        assert work(serving.sync()) == (True, 1, 4, 1)
        assert_synced(serving)
        serving.write("serving", spread(8, 8, 3), mode="overwrite")
        status = serving.sync()
        assert work(status) == (True, 1, 3, 1)
        assert (status["rows"], status["buckets"]) == (3, 1)
        assert_synced(serving)

    def test_merge_update_and_delete(self, serving: SyncedVersion) -> None:
        given = pa.concat_tables([spread(4, 4, 10), spread(9, 9, 2)])
        given = given.set_column(2, "age", pa.array([1.5] * 12))
        held = serving.delta("serving")
        merging = held.merge(given, "new.id = old.id", source_alias="new", target_alias="old")
        merging.when_matched_update_all().when_not_matched_insert_all().execute()
        status = serving.sync()
        assert status["buckets_recomputed"] < 5 + 1
        assert_synced(serving)
        serving.delta("serving").update(predicate="city = 'Rome'", new_values={"city": "Roma"})
        serving.sync()
        assert_synced(serving)
        serving.delta("serving").delete("at < '2024-01-03'")
        assert serving.sync()["buckets"] == 4
        assert_synced(serving)
        serving.delta("serving").delete()
        serving.sync()
        assert serving.stored() == {}

    def test_what_changes_no_row_costs_nothing(self, serving: SyncedVersion) -> None:
        before, first = serving.stored(), serving.status()
        serving.delta("serving").optimize.compact()
        serving.delta("serving").optimize.z_order(["city"])
        serving.delta("serving").vacuum(0, enforce_retention_duration=False, dry_run=False)
        serving.write("serving", served())
        status = serving.sync(engine=NOWHERE)
        assert (status["changed"], status["lag"]) == (False, 0)
        assert status["table_version"] == serving.delta("serving").version() > 8
        assert status["reason"] == "first sync", "it tells of the last sync that changed something"
        assert status["last_sync_at"] > first["last_sync_at"]
        assert serving.stored() == before
        # Of files that were made by the compaction, too, the log knows the times.
        serving.delta("serving").delete("at >= '2024-01-05'")
        assert serving.sync()["reason"] == "1 commit changed the data"
        assert_synced(serving)

    def test_nothing_is_synced_without_an_engine(self, serving: SyncedVersion) -> None:
        before = serving.stored()
        serving.write("serving", spread(6, 6, 1))
        with pytest.raises(TransientError, match=r"sc://127\.0\.0\.1:1 does not respond"):
            serving.sync(engine=UNREACHABLE)
        assert serving.stored() == before

    def test_everything_again_on_demand(self, serving: SyncedVersion) -> None:
        status = serving.sync(full=True)
        assert work(status) == (False, 5, 50, 5), "and nothing else came out"
        assert_synced(serving)

    def test_an_older_version_restored(self, serving: SyncedVersion) -> None:
        serving.delta("serving").restore(1)
        status = serving.sync()
        assert (status["rows"], status["buckets"]) == (20, 2)
        assert_synced(serving)


class TestTables:
    def test_an_empty_table_then_rows(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        DeltaTable.create(monitored.path("serving"), served().schema)
        status = monitored.sync()
        assert (status["status"], status["rows"], status["buckets"]) == ("synced", 0, 0)
        assert not monitored.sync(engine=NOWHERE)["changed"]
        monitored.write("serving", spread(1, 2, 5))
        assert work(monitored.sync())[:3] == (True, 2, 10)
        assert_synced(monitored)
        monitored.write("serving", spread(3, 3, 5))
        assert work(monitored.sync()) == (True, 1, 5, 1)
        assert_synced(monitored)

    def test_a_table_made_anew(self, serving: SyncedVersion) -> None:
        shutil.rmtree(serving.path("serving"))
        serving.write("serving", spread(2, 3, 4, seed=5))
        status = serving.sync()
        assert (status["reason"], status["table_version"]) == ("the table was dropped and created again", 0)
        assert (status["rows"], status["buckets"]) == (8, 2)
        assert_synced(serving)

    def test_a_log_that_was_cleaned_up(self, serving: SyncedVersion) -> None:
        serving.write("serving", spread(6, 6, 2))
        serving.write("serving", spread(7, 7, 2))
        serving.delta("serving").create_checkpoint()
        for commit in Path(serving.path("serving"), "_delta_log").glob("*.json"):
            commit.unlink()
        status = serving.sync()
        assert status["reason"] == "the log since the last sync was cleaned up"
        assert work(status) == (True, 7, 54, 7)
        assert_synced(serving)

    def test_columns_added_and_widened(self, serving: SyncedVersion) -> None:
        more = spread(6, 6, 4).append_column("extra", pa.array(["x"] * 4))
        serving.write("serving", more, schema_mode="merge")
        assert work(serving.sync()) == (True, 1, 4, 1)
        assert_synced(serving)
        ages = pa.array([30, 40, 50, None], pa.int32())
        whole = spread(1, 1, 4).set_column(2, "age", ages)
        serving.write("serving", whole, mode="overwrite", schema_mode="overwrite")
        serving.sync()
        assert_synced(serving)
        wide = spread(2, 2, 4).set_column(2, "age", pa.array([2**40, 1, 2, 3], pa.int64()))
        serving.write(
            "serving",
            pa.concat_tables([whole, wide], promote_options="permissive"),
            "overwrite",
            schema_mode="overwrite",
        )
        serving.sync()
        assert_synced(serving)

    @pytest.mark.very_slow
    def test_more_spans_than_an_engine_can_look_for(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        # A file for each of 70 days, with ever wider gaps between most of them.
        days = [1 + place * 2 + place // 40 for place in range(70)]
        rows = served(*(day + 0.25 for day in days), seed=1)
        parts = rows.append_column("part", pa.array(range(70)))
        monitored.write("serving", parts, partition_by=["part"])
        monitored.sync()
        # One row fewer: twice as many would be enough to make the bins anew from all of them.
        more = served(*(day + 0.75 for day in days[:-1]), seed=2).append_column("part", pa.array(range(69)))
        monitored.write("serving", more, partition_by=["part"])
        status = monitored.sync()
        assert (status["reason"], status["rows_read"]) == ("1 commit changed the data", 138)
        assert_synced(monitored)

    def test_a_deletion_vector(self, serving: SyncedVersion) -> None:
        serving.check()
        expected = serving.rows("serving").to_pylist()
        mark_deleted(serving, position=3)
        status = serving.sync()
        assert work(status) == (True, 1, 9, 1)
        (gone,) = [row for row in expected if row["id"].startswith("0/1.") and row["id"].endswith("/3")]
        kept = [row for row in expected if row is not gone]
        assert_equal_rows(serving, pa.Table.from_pylist(kept, served().schema))
        serving.check()


def mark_deleted(monitored: SyncedVersion, position: int) -> None:
    """Delete one row of the first file by a deletion vector, as delta-rs cannot."""
    folder = Path(monitored.path("serving"))
    first = DeltaTable(folder, version=0)
    actions = pa.table(first.get_add_actions()).to_pylist()
    path, size = actions[0]["path"], actions[0]["size_bytes"]
    bounds = {
        "minValues": {"at": "2024-01-01T00:00:00.000Z"},
        "maxValues": {"at": "2024-01-01T23:59:59.999Z"},
    }
    stats = {"numRecords": 10, "nullCount": {"at": 0}, **bounds}
    removed = {"remove": {"path": path, "dataChange": True, "deletionTimestamp": 1}}
    marked = logs.add(path, stats, size=size, deletionVector=logs.deletion_vector([position]))
    version = monitored.delta("serving").version() + 1
    logs.commit(folder, version, [logs.protocol("deletionVectors"), removed, marked], "DELETE")
