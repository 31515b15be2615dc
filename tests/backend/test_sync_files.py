"""Which files of a table may hold some rows, from the log of a real one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from aporia_provider.backend.sync.reading.file_selection import TableFiles, count_and_size
from aporia_provider.engine.dataframes.labels import IdRange
from aporia_provider.lake.log.table import DeltaLog

DAY = 86_400
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
START = int(FIRST.timestamp())


def write(folder: Path, day: int, ids: list[Any], hours: list[float]) -> None:
    """Append a file of rows at some hours of a day."""
    times = pa.array([FIRST + timedelta(days=day, hours=hour) for hour in hours], pa.timestamp("us", "UTC"))
    write_deltalake(folder, pa.table({"id": ids, "at": times}), mode="append")


@pytest.fixture
def two_days(tmp_path: Path) -> Path:
    write(tmp_path, 0, [7, 3, 9], [0, 12, 23.9])
    write(tmp_path, 1, [12, 10], [1, 2])
    return tmp_path


def files(folder: Path, time: str | None = "at", id_: str | None = "id") -> TableFiles:
    return TableFiles(DeltaLog(folder.as_uri(), None), time, id_)


def day(number: int) -> tuple[int, int]:
    return START + number * DAY, START + (number + 1) * DAY


@pytest.mark.parametrize(
    ("intervals", "count"),
    [(None, 2), ([], 0), ([day(0)], 1), ([day(0), day(1)], 2), ([day(2)], 0), ([(START, START + 1)], 1)],
)
def test_files_of_some_times(two_days: Path, intervals: Any, count: int) -> None:
    assert count_and_size(files(two_days).in_intervals(intervals))[0] == count
    # Where times are computed, any file may have any.
    assert count_and_size(files(two_days, time=None).in_intervals(intervals))[0] == 2


@pytest.mark.parametrize(
    ("ids", "count"),
    [
        (None, 2),
        (IdRange("integral", 9, 10), 2),
        (IdRange("integral", 10, 11), 1),
        (IdRange("integral", 4, 5), 1),
        (IdRange("integral", None, None), 0),
        (IdRange("integral", 13, 20), 0),
        (IdRange("string", "4", "5"), 2),
    ],
)
def test_files_with_some_ids(two_days: Path, ids: IdRange | None, count: int) -> None:
    assert count_and_size(files(two_days).with_ids(ids))[0] == count


class TestIds:
    def test_those_of_whole_files(self, two_days: Path) -> None:
        found = files(two_days)
        assert found.ids_in_intervals([day(0)]) == IdRange("integral", 3, 9)
        assert found.ids_in_intervals([day(0), day(1)]) == IdRange("integral", 3, 12)
        assert found.ids_in_intervals([(START, START + 2 * DAY)]) == IdRange("integral", 3, 12)

    def test_a_file_with_rows_of_other_times_does_not_tell(self, two_days: Path) -> None:
        assert files(two_days).ids_in_intervals([(START, START + DAY // 2)]) is None
        DeltaTable(two_days).optimize.compact()
        assert files(two_days).ids_in_intervals([day(0)]) is None
        assert files(two_days).ids_in_intervals([(START, START + 2 * DAY)]) == IdRange("integral", 3, 12)

    def test_there_are_none_without_rows_or_times(self, two_days: Path) -> None:
        assert files(two_days).ids_in_intervals(None) is None
        assert files(two_days).ids_in_intervals([day(5)]) is None
        assert files(two_days, time=None).ids_in_intervals([day(0)]) is None
        assert files(two_days, id_=None).ids_in_intervals([day(0)]) is None

    def test_texts_in_the_log_are_cut(self, tmp_path: Path) -> None:
        write(tmp_path, 0, ["a" * 100, "b"], [0, 1])
        assert files(tmp_path).ids_in_intervals([day(0)]) is None
