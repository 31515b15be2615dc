"""Conditions on tables, answered from their logs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.lake.log.completeness import recent_write
from aporia_provider.lake.log.conditions import TableCheck, TableCondition, check_table

pytestmark = pytest.mark.fast

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "t"


def write(table: Path, hours: list[int], day: str | None = "a", *, type_: Any = None, **more: Any) -> None:
    """Append rows of some hours after noon to a partition."""
    times = pa.array([NOON + timedelta(hours=hour) for hour in hours], pa.timestamp("us", "UTC"))
    columns = {
        "at": times.cast(type_) if type_ is not None else times,
        "day": pa.array([day] * len(hours), pa.string()),
    }
    write_deltalake(table, pa.table(columns), mode="append", partition_by=["day"], **more)


def check(table: Path, earlier: TableCheck | None = None, **condition: Any) -> TableCheck:
    given = TableCondition(**condition)
    stored = TableCondition.from_json(json.loads(json.dumps(given.to_json())))
    assert stored == given
    return check_table(f"file://{table}", stored, earlier)


def until(hours: float) -> dict[str, Any]:
    return {"timestamp_column": "at", "data_until": NOON + timedelta(hours=hours)}


def test_a_commit_after_a_version(table: Path) -> None:
    write(table, [0])
    write(table, [0])
    assert check(table, after_version=0).unmet == ()
    assert check(table, after_version=1).unmet == ("the table is at version 1, not after 1",)
    DeltaTable(table).optimize.compact()
    assert check(table, after_version=1).unmet == ("no commit from version 2 to 2 changes rows",)
    assert check(table, after_version=1, data_changes_only=False).unmet == ()


def test_rows_up_to_a_time(table: Path) -> None:
    write(table, [0, 1])
    met = check(table, **until(1))
    assert (met.unmet, met.latest, met.rows) == ((), NOON + timedelta(hours=1), 2)
    unmet = check(table, **until(2))
    assert unmet.unmet == ("the latest at is 2026-01-01T13:00:00+00:00, before 2026-01-01T14:00:00+00:00",)
    assert check(table, unmet, **until(2)) is unmet
    write(table, [3])
    assert check(table, unmet, **until(2)).unmet == ()


def test_rows_that_may_arrive_late(table: Path) -> None:
    late = {**until(1), "allowed_lateness": timedelta(hours=2)}
    write(table, [0, 2])
    unmet = check(table, **late)
    assert unmet.unmet == (
        "the latest at is 2026-01-01T14:00:00+00:00, before 2026-01-01T13:00:00+00:00 and the allowed "
        "lateness of 2:00:00",
    )
    assert check(table, **until(1)).unmet == ()
    write(table, [3])
    assert check(table, unmet, **late).unmet == ()


def written_ago(table: Path, **ages: timedelta) -> None:
    """Change when the files of partitions were written, as if their writer had another clock."""
    for commit in (table / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        for action in actions:
            if (added := action.get("add")) and added["partitionValues"]["day"] in ages:
                written = datetime.now(UTC) - ages[added["partitionValues"]["day"]]
                added["modificationTime"] = int(written.timestamp() * 1000)
        commit.write_text("".join(json.dumps(action) + "\n" for action in actions))


@pytest.mark.parametrize("type_", [None, pa.timestamp("us"), pa.date32()])
def test_rows_before_a_time_were_not_written_for_a_period(table: Path, type_: Any) -> None:
    write(table, [0, 1], "a", type_=type_)
    write(table, [36], "b", type_=type_)
    written_ago(table, a=timedelta(hours=1), b=timedelta(0))
    # The file that was written just now has later rows only.
    given = until(6)
    assert check(table, **given, quiet_period=timedelta(minutes=59)).unmet == ()
    recent = check(table, **given, quiet_period=timedelta(minutes=61))
    assert len(recent.unmet) == 1
    assert recent.unmet[0].startswith("rows before 2026-01-01T18:00:00+00:00 were written at ")
    assert recent.unmet[0].endswith(", less than 1:01:00 ago")
    # Without a new commit, the same check is met when the period has passed.
    later = replace(recent, last_write=datetime.now(UTC) - timedelta(minutes=62))
    assert later.last_write is not None
    reason = recent_write(given["data_until"], later.last_write, timedelta(minutes=61))
    assert reason != recent.unmet[0]
    passed = check(table, replace(later, unmet=(reason,)), **given, quiet_period=timedelta(minutes=61))
    assert passed.unmet == ()
    write(table, [2], "a", type_=type_)
    assert check(table, recent, **given, quiet_period=timedelta(minutes=59)).unmet != ()


@pytest.mark.parametrize(
    ("type_", "latest"),
    [(pa.timestamp("us"), NOON + timedelta(hours=13)), (pa.date32(), datetime(2026, 1, 2, tzinfo=UTC))],
)
def test_a_time_without_a_zone_is_in_utc_and_a_date_is_its_start(
    table: Path, type_: Any, latest: datetime
) -> None:
    write(table, [0, 13], type_=type_)
    assert check(table, **until(12)).latest == latest
    assert check(table, **until(12)).unmet == ()
    assert check(table, **until(14)).unmet != ()


def test_a_partition_has_rows_of_its_own(table: Path) -> None:
    write(table, [0, 5], "a")
    write(table, [1], "b")
    write(table, [2], None)
    assert check(table, partition={"day": "b"}).rows == 1
    assert check(table, partition={"day": None}).rows == 1
    assert check(table, partition={"day": "b"}, **until(1)).unmet == ()
    assert check(table, partition={"day": "b"}, **until(2)).unmet != ()
    assert check(table, partition={"day": "a"}, min_rows=2).unmet == ()
    assert check(table, partition={"day": "b"}, min_rows=2).unmet == ("there are 1 rows of 2",)
    assert check(table, partition={"day": "c"}).unmet == ("there are no rows with day = c",)
    assert check(table, min_rows=4).unmet == ()
    DeltaTable(table).delete("day = 'b'")
    assert check(table, partition={"day": "b"}).unmet == ("there are no rows with day = b",)


def test_a_partition_of_dates(tmp_path: Path) -> None:
    data = pa.table({"day": pa.array([date(2026, 1, 2)]), "n": [1]})
    write_deltalake(tmp_path, data, partition_by=["day"])
    assert check(tmp_path, partition={"day": "2026-01-02"}).unmet == ()
    assert check(tmp_path, partition={"day": "2026-01-03"}).unmet != ()


@pytest.mark.parametrize(
    ("type_", "value", "others"),
    [
        (pa.bool_(), True, ["True", "true"]),
        (pa.int32(), 7, ["7", "07"]),
        (pa.timestamp("us", "UTC"), NOON, [str(NOON), NOON.isoformat()]),
    ],
)
def test_a_partition_is_compared_by_value(tmp_path: Path, type_: Any, value: Any, others: list[str]) -> None:
    data = pa.table({"part": pa.array([value], type_), "n": [1]})
    write_deltalake(tmp_path, data, partition_by=["part"])
    for text in others:
        assert check(tmp_path, partition={"part": text}).unmet == ()
    with pytest.raises(ValidationError, match="partition: 'x' is no value of 'part', which is of type"):
        check(tmp_path, partition={"part": "x"})


@pytest.mark.parametrize("zone", ["UTC", None])
def test_a_partition_of_times_is_in_utc_unless_it_has_a_zone(tmp_path: Path, zone: str | None) -> None:
    """The column is of the type timestamp, or timestamp_ntz, which has no time zone."""
    noon = NOON if zone else NOON.replace(tzinfo=None)
    data = pa.table({"at": pa.array([noon], pa.timestamp("us", zone)), "n": [1]})
    write_deltalake(tmp_path, data, partition_by=["at"])
    for text in ("2026-01-01 12:00:00", "2026-01-01T12:00:00Z", "2026-01-01T13:00:00+01:00"):
        assert check(tmp_path, partition={"at": text}).unmet == (), text
    for text in ("2026-01-01 13:00:00", "2026-01-01T12:00:00+01:00", "2026-01-01"):
        assert check(tmp_path, partition={"at": text}).unmet != (), text
    for moment in (NOON, NOON.replace(tzinfo=None), NOON.astimezone(timezone(timedelta(hours=-9)))):
        found = check(tmp_path, timestamp_column="at", data_until=moment)
        assert (found.unmet, found.latest) == ((), NOON)
        later = check(tmp_path, timestamp_column="at", data_until=moment + timedelta(seconds=1))
        assert later.unmet == (
            "the latest at is 2026-01-01T12:00:00+00:00, before 2026-01-01T12:00:01+00:00",
        )


def test_all_conditions_have_to_hold_and_all_that_do_not_are_told(table: Path) -> None:
    write(table, [0])
    told = check(table, partition={"day": "x"}, min_rows=5, **until(9)).unmet
    assert told == (
        "there are no rows with day = x",
        "there are 0 rows of 5",
        "the latest at is unknown, before 2026-01-01T21:00:00+00:00",
    )


def test_what_the_table_cannot_answer_is_an_error(table: Path) -> None:
    with pytest.raises(NotFoundError, match="There is no Delta table"):
        check(table, after_version=-1)
    write(table, [0])
    with pytest.raises(ValidationError) as failure:
        check(table, partition={"dai": "x"}, timestamp_column="att", data_until=NOON)
    assert failure.value.problems == [
        "it has no column 'att'; did you mean 'at'?",
        "it has no partition column 'dai'; did you mean 'day'?",
    ]
    with pytest.raises(ValidationError, match="is of type string, not a timestamp or a date"):
        check(table, timestamp_column="day", data_until=NOON)


def test_missing_statistics_are_an_error_unless_other_files_suffice(table: Path) -> None:
    write(table, [0])
    log = table / "_delta_log" / f"{0:020}.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "add" in line:
            line["add"]["stats"] = None
    log.write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(ValidationError, match="has no statistics of column 'at'"):
        check(table, **until(0))
    with pytest.raises(ValidationError, match="its log has none for 1 files"):
        check(table, min_rows=1)
    write(table, [1, 2])
    assert check(table, **until(1)).unmet == ()
    assert check(table, min_rows=2).unmet == ()


def test_a_column_of_nulls_has_no_latest_time(table: Path) -> None:
    times = pa.array([None], pa.timestamp("us", "UTC"))
    write_deltalake(table, pa.table({"at": times}))
    assert check(table, **until(0)).unmet == ("the latest at is unknown, before 2026-01-01T12:00:00+00:00",)


def test_a_check_names_what_it_found(table: Path) -> None:
    write(table, [0])
    found = check(table, **until(0))
    assert found.to_json("s3://b/t") == {
        "table_uri": "s3://b/t",
        "version": 0,
        "rows": 1,
        "latest": "2026-01-01T12:00:00+00:00",
    }
    assert replace(found, latest=None).to_json("s3://b/t")["latest"] is None
