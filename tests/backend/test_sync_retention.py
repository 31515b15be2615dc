"""Syncs of models with a retention: what is dropped, and what late rows and labels change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.metrics import MetricsQuery
from aporia_provider.report import sync_lines
from tests.backend.conftest import copied
from tests.backend.syncing import MODEL, NOWHERE, SyncedVersion, labelled, spread

pytestmark = pytest.mark.process

START = datetime(2024, 1, 1, tzinfo=UTC)
RETENTION = {
    "hourly": "hourly for 3 days, daily for 20 days, monthly for 50 days",
    "daily": "daily for 20 days, monthly for 50 days",
}


def day_of(moment: datetime) -> int:
    """The number of a day, of which 1 is the first of January 2024."""
    return (moment - START).days + 1


def month_of(moment: datetime) -> datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


class Kept:
    """What the retention keeps at the start of a test, by hand."""

    def __init__(self) -> None:
        now = datetime.now(UTC)
        self.today = day_of(now)
        self.hours = self.today - 3
        self.days = day_of(month_of(now - timedelta(days=20)))
        self.months = day_of(month_of(now - timedelta(days=50)))
        self.first = self.months - 9


@pytest.fixture(params=RETENTION)
def period(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def version(tmp_path: Path, engine: str, migrated: Path, period: Any, kept: Kept) -> Iterator[SyncedVersion]:
    """A version with four predictions and labels each day, from before what is kept until yesterday."""
    with EmbeddedRegistry(copied(migrated, tmp_path), "prod") as registry:
        made = SyncedVersion(tmp_path, registry, engine).register(period=period, retention=RETENTION[period])
        made.write("serving", spread(kept.first, kept.today - 1, 4))
        ids = made.rows("serving")["id"].to_pylist()
        made.write("actuals", labelled(kept.today - 1, {id_: n % 3 == 0 for n, id_ in enumerate(ids)}))
        made.connect("serving")
        made.connect("actuals")
        made.sync("serving")
        made.sync("actuals")
        yield made


def answers(version: SyncedVersion, period: str, start: int, end: int, *metrics: str) -> dict[int, list[Any]]:
    """Results by the day on which their range starts; both days are included."""
    begin, stop = (START + timedelta(days=day - 1) for day in (start, end + 1))
    within = {"start": begin.isoformat(), "end": stop.isoformat()}
    questions = [
        {
            "id": metric,
            "metric": metric,
            "parameters": {"column": {"actuals_count": "score"}.get(metric, "age")},
            "datasets": {"data": {"dataset_type": "serving", "time_range": within}},
        }
        for metric in metrics
    ]
    query = {"model_id": MODEL, "metrics": questions, "aggregation_period": period}
    return {
        day_of(datetime.fromisoformat(item.time_range.start)): item.metrics
        for item in version.registry.query_metrics(MetricsQuery.from_wire(query))
        if item.time_range is not None
    }


def hourly_counts(version: SyncedVersion, day: int) -> list[int | None]:
    begin = START + timedelta(days=day - 1)
    within = {"start": begin.isoformat(), "end": (begin + timedelta(days=1)).isoformat()}
    data = {"dataset_type": "serving", "time_range": within}
    question = {"id": "q", "metric": "count", "parameters": {"column": "age"}, "datasets": {"data": data}}
    query = {"model_id": MODEL, "metrics": [question], "aggregation_period": "hourly"}
    return [item.metrics[0].value for item in version.registry.query_metrics(MetricsQuery.from_wire(query))]


def check_days(version: SyncedVersion, kept: Kept) -> None:
    """All that is answered by day is what the rows come to, by hand."""
    rows = version.rows("serving").to_pylist()
    labels = set(version.rows("actuals")["id"].to_pylist())
    found = answers(version, "daily", kept.days, kept.today - 1, "count", "mean", "actuals_count")
    assert len(found) == kept.today - kept.days
    for day, (count, mean, labelled_rows) in found.items():
        of_day = [row for row in rows if day_of(row["at"]) == day]
        assert count.status == "ok"
        assert count.value == len(of_day)
        assert mean.value == pytest.approx(np.mean([row["age"] for row in of_day]), rel=1e-12)
        assert labelled_rows.value == sum(row["id"] in labels for row in of_day)


def test_sums_by_day_are_those_of_the_rows(version: SyncedVersion, kept: Kept, period: str) -> None:
    check_days(version, kept)
    lost = answers(version, "daily", kept.first, kept.days - 1, "count", "actuals_count")
    assert {answer.status for day in lost.values() for answer in day} == {"insufficient_data"}
    assert all(RETENTION[period] in (answer.reason or "") for day in lost.values() for answer in day)
    if period == "hourly":
        hours = hourly_counts(version, kept.hours - 1)
        # Before the first row of the day and after the last one, there was none.
        assert [hour for hour, count in enumerate(hours) if count is None] == [*range(3, 22)]
        assert hourly_counts(version, kept.hours) == [int(hour in (3, 9, 15, 21)) for hour in range(24)]
    whole = answers(version, "monthly", kept.months, kept.today - 1, "count")
    assert sum(month[0].value for month in whole.values()) == 4 * (kept.today - kept.months)
    assert version.status()["rows"] == 4 * (kept.today - kept.months)


def test_a_sync_after_dropping_does_nothing(version: SyncedVersion) -> None:
    assert {dataset["due"] for dataset in version.registry.explain_due_datasets()} == {False}
    for role in ("serving", "actuals"):
        assert not version.sync(role, engine=NOWHERE)["changed"]
    assert version.status()["late_buckets"] == 0


@pytest.mark.very_slow
def test_late_rows_change_the_sums_that_are_kept(version: SyncedVersion, kept: Kept) -> None:
    for day in (kept.days + 1, kept.days - 2):
        version.write("serving", spread(day, day, 3, seed=7))
    before = answers(version, "monthly", kept.months, kept.today - 1, "count")
    assert version.sync()["changed"]
    check_days(version, kept)
    after = answers(version, "monthly", kept.months, kept.today - 1, "count")
    assert sum(month[0].value for month in after.values()) == 6 + sum(
        month[0].value for month in before.values()
    )
    removed = [
        next(row["id"] for row in version.rows("serving").to_pylist() if day_of(row["at"]) == day)
        for day in (kept.days - 2, kept.days + 1)
    ]
    version.delta("serving").delete(f"id in ('{removed[0]}', '{removed[1]}')")
    assert version.sync()["late_buckets"] == 0
    check_days(version, kept)
    assert {dataset["due"] for dataset in version.registry.explain_due_datasets()} == {False}
    # What a full recomputation comes to is the same.
    monthly = answers(version, "monthly", kept.months, kept.today - 1, "count", "mean")
    version.sync(full=True)
    assert answers(version, "monthly", kept.months, kept.today - 1, "count", "mean") == monthly
    check_days(version, kept)


def test_a_shorter_retention_is_applied_by_the_next_sync(
    tmp_path: Path, engine: str, migrated: Path, kept: Kept
) -> None:
    with EmbeddedRegistry(copied(migrated, tmp_path), "prod") as registry:
        version = SyncedVersion(tmp_path, registry, engine).register(period="daily")
        version.write("serving", spread(kept.first, kept.today - 1, 4))
        version.connect("serving")
        version.sync("serving")
        registry.update_model(MODEL, retention=RETENTION["daily"])
        before = answers(version, "daily", kept.first, kept.first, "count")
        assert [day[0].value for day in before.values()] == [4]
        # Nothing has changed in the table.
        version.sync("serving", engine=NOWHERE)
        after = answers(version, "daily", kept.first, kept.days - 1, "count")
        assert {day[0].status for day in after.values()} == {"insufficient_data"}
        days = answers(version, "daily", kept.days, kept.today - 1, "count")
        assert [day[0].value for day in days.values()] == [4] * (kept.today - kept.days)
        months = answers(version, "monthly", kept.months, kept.today - 1, "count")
        assert sum(month[0].value for month in months.values()) == 4 * (kept.today - kept.months)


@pytest.mark.parametrize("wider", [None, "for 2 years"])
def test_a_longer_retention_restores_nothing_and_late_rows_are_still_added(
    version: SyncedVersion, kept: Kept, period: str, wider: str | None
) -> None:
    """The sums that are left of what was dropped are recomputed as a whole, as before."""
    retention = None if wider is None else f"{period} {wider}"
    (gone,) = [
        note for note in version.registry.update_model(MODEL, retention=retention)["notes"] if "gone" in note
    ]
    assert f"{period} ones before " in gone
    for day in (kept.days + 1, kept.days - 2, kept.first):
        version.write("serving", spread(day, day, 3, seed=7))
    assert version.sync()["late_buckets"] >= 1
    for full in (False, True):
        version.sync(full=full)
        check_days(version, kept)
        lost = answers(version, "daily", kept.first, kept.days - 1, "count")
        assert {day[0].status for day in lost.values()} == {"insufficient_data"}
        months = answers(version, "monthly", kept.months, kept.today - 1, "count")
        assert sum(month[0].value for month in months.values()) == 4 * (kept.today - kept.months) + 6
    if period == "hourly":
        four = [int(hour in (3, 9, 15, 21)) for hour in range(24)]
        assert hourly_counts(version, kept.hours - 1) != four
        assert hourly_counts(version, kept.hours + 1) == four


def test_what_is_too_late_is_counted_and_told(version: SyncedVersion, kept: Kept, period: str) -> None:
    old = kept.months - 5
    ids = [row["id"] for row in version.rows("serving").to_pylist() if day_of(row["at"]) == old]
    before = answers(version, "daily", kept.days, kept.today - 1, "count", "actuals_count")
    version.write("actuals", labelled(kept.today - 0.5, dict.fromkeys(ids, True)))
    version.sync("actuals")
    late = {"hourly": len(ids), "daily": 1}[period]
    assert version.status()["performance"]["late_buckets"] == late
    version.write("serving", spread(old, old, 1, seed=3))
    status = version.sync("serving")
    assert not status["changed"]
    assert status["late_buckets"] >= 1
    lines = "\n".join(sync_lines({**status, "previous_table_version": 0}))
    assert f"retention keeps nothing of them: {status['late_buckets']}" in lines
    # The comparison with labels lacks the late prediction as well.
    told = f"Late buckets of performance, not computed since retention keeps nothing of them: {late + 1}"
    assert told in lines
    assert answers(version, "daily", kept.days, kept.today - 1, "count", "actuals_count") == before
    assert {dataset["due"] for dataset in version.registry.explain_due_datasets()} == {False}
    # They are counted once.
    version.sync("serving")
    assert version.status()["late_buckets"] == status["late_buckets"]
    assert version.status()["performance"]["late_buckets"] == late + 1


def test_files_without_a_log_are_not_changed_by_dropping(
    tmp_path: Path, engine: str, migrated: Path, period: Any, kept: Kept
) -> None:
    with EmbeddedRegistry(copied(migrated, tmp_path), "prod") as registry:
        version = SyncedVersion(tmp_path, registry, engine).register(
            period=period, retention=RETENTION[period]
        )
        (tmp_path / "serving").mkdir()
        rows = spread(kept.first, kept.today - 1, 1)
        parquet.write_table(rows, tmp_path / "serving" / "rows.parquet")
        version.connect("serving", format="parquet")
        assert version.sync()["changed"]
        assert not version.sync()["changed"]
