"""The times of changes, whatever their type is and however a log tells them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from aporia_provider.lake.log.changes import LogPosition
from tests.lake import logs
from tests.lake.changing import DAY, append, at, days_of, opened, position, rows, since


class TestTimes:
    """Times of every type, as a log writes them, and as partitions."""

    def test_dates(self, tmp_path: Path) -> None:
        def write(*dates: date | None) -> None:
            write_deltalake(tmp_path, pa.table({"at": pa.array(dates, pa.date32())}), mode="append")

        write(date(2024, 1, 1), date(2024, 1, 2))
        seen = position(tmp_path)
        write(date(2024, 1, 4), None)
        DeltaTable(tmp_path).delete("at = '2024-01-02'")
        changes = since(tmp_path, seen)
        assert (days_of(changes), changes.null_timestamps) == ([1, 2, 4], True)

    def test_naive_times(self, tmp_path: Path) -> None:
        def write(time: datetime) -> None:
            naive = pa.array([time], pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
            write_deltalake(tmp_path, pa.table({"at": naive}), mode="append")

        write(at(2) - timedelta(microseconds=1))
        seen = position(tmp_path)
        write(at(4))
        DeltaTable(tmp_path).delete("at < '2024-01-02'")
        assert days_of(since(tmp_path, seen)) == [1, 4]

    def test_times_in_another_zone(self, tmp_path: Path) -> None:
        zone = pa.timestamp("us", "America/New_York")
        write_deltalake(tmp_path, pa.table({"at": pa.array([at(1.0)], zone)}))
        seen = position(tmp_path)
        write_deltalake(tmp_path, pa.table({"at": pa.array([at(3.0)], zone)}), mode="append")
        assert days_of(since(tmp_path, seen)) == [3]

    @pytest.mark.parametrize("microseconds", [-1, -999, -1000, -1001, -DAY, -DAY - 1, -40 * 365 * DAY - 1])
    def test_before_1970(self, tmp_path: Path, microseconds: int) -> None:
        early = pa.table({"at": pa.array([microseconds], pa.timestamp("us", "UTC"))})
        write_deltalake(tmp_path, early.slice(0, 0))
        seen = position(tmp_path)
        write_deltalake(tmp_path, early, mode="append")
        ((start, end),) = since(tmp_path, seen).intervals
        assert start <= microseconds < end
        assert end - start < 3_000
        assert (start // DAY, (end - 1) // DAY) == (microseconds // DAY, microseconds // DAY)

    @pytest.mark.parametrize(
        ("low", "high"),
        [
            ("2024-01-03T00:00:00.000Z", "2024-01-03T23:59:59.999Z"),
            ("2024-01-02T19:00:00.000-05:00", "2024-01-03T18:59:59.999-05:00"),
            ("2024-01-03 00:00:00", "2024-01-03 23:59:59.999"),
            ("2024-01-03", "2024-01-03"),
        ],
    )
    def test_as_other_writers_put_them(self, tmp_path: Path, low: str, high: str) -> None:
        seen = by_hand(tmp_path)
        stats = {
            "numRecords": 2,
            "nullCount": {"at": 0},
            "minValues": {"at": low},
            "maxValues": {"at": high},
        }
        logs.commit(tmp_path, 1, [logs.add("b.parquet", stats)])
        changes = since(tmp_path, seen)
        assert (days_of(changes), changes.null_timestamps) == ([3], False)

    @pytest.mark.parametrize(
        "stats",
        [
            None,
            {"numRecords": 2},
            {"numRecords": 2, "nullCount": {"at": 0}, "minValues": {"at": "2024-01-03T00:00:00Z"}},
            {"numRecords": 2, "nullCount": {"at": 0}, "minValues": {"at": "soon"}, "maxValues": {"at": "x"}},
            {"numRecords": 2, "nullCount": {"at": 0}, "minValues": {"at": 1}, "maxValues": {"at": 2}},
            {
                "numRecords": 1,
                "nullCount": {"at": 0},
                "minValues": {"at": "-0029-05-01T00:00:00Z"},
                "maxValues": {"at": "+12024-05-01T00:00:00Z"},
            },
        ],
    )
    def test_no_times_to_go_by(self, tmp_path: Path, stats: dict[str, Any] | None) -> None:
        seen = by_hand(tmp_path)
        logs.commit(tmp_path, 1, [logs.add("b.parquet", stats)])
        changes = since(tmp_path, seen)
        assert changes.entire_table
        assert "statistics" in changes.reason

    def test_nulls_that_are_not_counted_may_be_there(self, tmp_path: Path) -> None:
        seen = by_hand(tmp_path)
        bounds = {"minValues": {"at": "2024-01-03"}, "maxValues": {"at": "2024-01-03"}}
        logs.commit(tmp_path, 1, [logs.add("b.parquet", {"numRecords": 2, **bounds})])
        changes = since(tmp_path, seen)
        assert (days_of(changes), changes.null_timestamps) == ([3], True)

    def test_a_removed_file_whose_times_were_never_told(self, tmp_path: Path) -> None:
        seen = by_hand(tmp_path, logs.add("silent.parquet"))
        removed = {"remove": {"path": "silent.parquet", "dataChange": True, "deletionTimestamp": 1}}
        logs.commit(tmp_path, 1, [removed])
        changes = since(tmp_path, seen)
        assert changes.entire_table
        assert changes.reason == "the log has no statistics of 'at' for the file silent.parquet"

    def test_removed_files_whose_paths_are_encoded(self, tmp_path: Path) -> None:
        places = pa.array(["a b", "50%: c/d", "ü"])
        three = rows(1.5, 3.5, 5.5).append_column("place", places)
        write_deltalake(tmp_path, three, partition_by=["place"])
        seen = position(tmp_path)
        DeltaTable(tmp_path).delete("place = 'a b'")
        DeltaTable(tmp_path).delete("place = '50%: c/d'")
        DeltaTable(tmp_path).delete("place = 'ü'")
        assert days_of(since(tmp_path, seen)) == [1, 3, 5]


def by_hand(folder: Path, *more: dict[str, Any]) -> LogPosition:
    """A table written by hand, and where it is."""
    begin = [logs.protocol(), *logs.metadata([logs.field("at", "timestamp")])]
    logs.commit(folder, 0, [*begin, *more])
    return position(folder)


class TestPartitions:
    """Tables that are partitioned by the column of times itself."""

    def test_by_a_time(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, rows(1.25, 2.25, None), partition_by=["at"])
        seen = position(tmp_path)
        append(tmp_path, 4.123456789)
        assert days_of(since(tmp_path, seen)) == [4]
        DeltaTable(tmp_path).delete("id = '2.25'")
        changes = since(tmp_path, seen)
        assert (days_of(changes), changes.null_timestamps) == ([2, 4], False)
        DeltaTable(tmp_path).delete("at IS NULL")
        changes = since(tmp_path, seen)
        assert (days_of(changes), changes.null_timestamps) == ([2, 4], True)

    def test_by_a_date(self, tmp_path: Path) -> None:
        dates = pa.array([date(2024, 1, 1), date(2024, 1, 2), None], pa.date32())
        write_deltalake(tmp_path, pa.table({"id": ["a", "b", "c"], "at": dates}), partition_by=["at"])
        seen = position(tmp_path)
        write_deltalake(
            tmp_path,
            pa.table({"id": ["d"], "at": dates.slice(0, 1)}),
            mode="overwrite",
            predicate="at = '2024-01-01'",
        )
        changes = since(tmp_path, seen)
        assert (days_of(changes), changes.null_timestamps, changes.removed) == ([1], False, True)

    @pytest.mark.parametrize(
        ("value", "days", "untimed"),
        [
            ("2024-01-03 05:06:07", [3], False),
            ("2024-01-03T05:06:07.123456Z", [3], False),
            ("", [], True),
            (None, [], True),
        ],
    )
    def test_as_other_writers_put_them(
        self, tmp_path: Path, value: str | None, days: list[int], untimed: bool
    ) -> None:
        begin = [
            logs.protocol(),
            *logs.metadata([logs.field("id", "string"), logs.field("at", "timestamp")], ["at"]),
        ]
        added = logs.add("at=x/a.parquet", {"numRecords": 1}, partitionValues={"at": value})
        logs.commit(tmp_path, 0, begin)
        seen = position(tmp_path)
        logs.commit(tmp_path, 1, [added])
        changes = since(tmp_path, seen)
        assert (days_of(changes), changes.null_timestamps) == (days, untimed)

    def test_a_removed_file_that_does_not_tell_its_partition(self, tmp_path: Path) -> None:
        write_deltalake(tmp_path, rows(1.25, 2.25), partition_by=["at"])
        seen = position(tmp_path)
        path = opened(tmp_path).files(["at"]).table.sort_by("min.at")["path"][1].as_py()
        removed = {"remove": {"path": path, "dataChange": True, "deletionTimestamp": 1}}
        logs.commit(tmp_path, 1, [removed], "DELETE")
        changes = since(tmp_path, seen)
        assert (days_of(changes), changes.null_timestamps) == ([2], False)
