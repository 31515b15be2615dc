"""Monitors of the freshness of tables: an alert is opened if no data comes, without any sync."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from aporia_provider.backend.store.monitor_tables import TableHistoryRow
from aporia_provider.cli.main import main
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import AuthenticationError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.monitor_definitions import MonitorDefinition
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import MonitoredModel, on
from tests.lake import histories

HOUR = timedelta(hours=1)
DAYS = 30
DAILY = [on(day) + 2 * HOUR for day in range(DAYS)]
LAST = DAILY[-1]
LEARNED = MonitorDefinition(name="Fresh", type="table_freshness", severity="HIGH")
GAP = MonitorDefinition(name="Gap", type="table_freshness", max_gap="26h")


@pytest.fixture
def fresh(tmp_path: Path, migrated: Path) -> Iterator[MonitoredModel]:
    """A model whose serving table was written each day at 2 o'clock."""
    lake = tmp_path / "lake"
    histories.put(lake / "serving", histories.written_log(DAILY))
    with MonitoredModel(copied(migrated, tmp_path), "e", lake=str(lake)) as model:
        yield model


def append(model: MonitoredModel, time: datetime, name: str = "serving") -> None:
    log = Path(model.lake, name, "_delta_log")
    version = len(list(log.iterdir()))
    (log / histories.name(version)).write_bytes(
        histories.commit(time, [histories.appended(version, 1000, 10)])
    )


def checked(model: MonitoredModel, now: datetime, **options: Any) -> dict[str, Any]:
    """Read the logs and evaluate the monitors at a time."""
    assert model.registry.read_table_histories("m", now=now)["problems"] == []
    return model.registry.evaluate_monitors("m", now=now, **options)


def apply(model: MonitoredModel, *monitors: MonitorDefinition) -> None:
    model.registry.apply_monitors("m", [each.to_monitor("m") for each in monitors])


def statuses(model: MonitoredModel) -> list[tuple[str, int]]:
    return [(alert.status, alert.occurrences) for alert in model.registry.get_alerts("m")]


def test_no_data_opens_an_alert_and_new_data_resolves_it(fresh: MonitoredModel) -> None:
    apply(fresh, LEARNED)
    assert checked(fresh, LAST + 12 * HOUR)["verdicts"] == {"pass": 1, "fail": 0, "insufficient": 0}
    # The next write is expected a day after the last one; two days later it is certainly late.
    report = checked(fresh, LAST + 48 * HOUR)
    assert report["windows"] == 36
    (alert,) = fresh.registry.get_alerts("m")
    assert (alert.status, alert.severity, alert.model_version) == ("open", "HIGH", "v1")
    assert [verdict.field for verdict in alert.failed] == ["datasets.serving"]
    first = datetime.fromisoformat(alert.start)
    assert LAST + 24 * HOUR < first < LAST + 36 * HOUR
    assert alert.occurrences == (datetime.fromisoformat(alert.end) - first) / HOUR
    (verdict,) = alert.failed
    assert verdict.reason is not None
    assert "the last write was at 2024-01-30T02:00:00+00:00, 2 d ago" in verdict.reason
    append(fresh, LAST + 49 * HOUR)
    checked(fresh, LAST + 51 * HOUR)
    assert statuses(fresh) == [("resolved", alert.occurrences)]


def test_a_limit_is_exact(fresh: MonitoredModel) -> None:
    apply(fresh, GAP)
    report = checked(fresh, LAST + 29 * HOUR, start=LAST - HOUR)
    # The windows end at each hour: 27, 28 and 29 hours after the last write are late.
    assert report["verdicts"] == {"pass": 27, "fail": 3, "insufficient": 0}
    assert statuses(fresh) == [("open", 3)]


def test_a_table_without_rows_is_late_when_its_creation_is(tmp_path: Path, migrated: Path) -> None:
    """The table was created on day 0 at 2 o'clock, and gets its first rows 32 hours later."""
    lake = tmp_path / "lake"
    created = histories.written_log(DAILY[:1])
    del created[histories.name(1)]
    histories.put(lake / "serving", created)
    with MonitoredModel(copied(migrated, tmp_path), "e", lake=str(lake)) as model:
        apply(model, GAP)
        report = checked(model, DAILY[0] + 25 * HOUR, start=DAILY[0] - 2 * HOUR)
        # The windows end at each hour; at the first, the table did not exist.
        assert report["verdicts"] == {"pass": 26, "fail": 0, "insufficient": 1}
        # The commit that created the table is not read again.
        assert checked(model, DAILY[0] + 28 * HOUR)["verdicts"] == {"pass": 1, "fail": 2, "insufficient": 0}
        append(model, DAILY[0] + 32 * HOUR)
        assert checked(model, DAILY[0] + 33 * HOUR)["verdicts"]["pass"] == 2
        assert statuses(model) == [("resolved", 5)]


def test_without_a_newer_reading_a_table_may_have_been_written(fresh: MonitoredModel) -> None:
    apply(fresh, GAP)
    never = fresh.registry.evaluate_monitors("m", now=LAST + 40 * HOUR)
    assert never["verdicts"] == {"pass": 0, "fail": 0, "insufficient": 1}
    assert "the log of the table has not been read" in never["monitors"][0]["notes"][0]
    fresh.registry.read_table_histories("m", now=LAST + 20 * HOUR)
    late = fresh.registry.evaluate_monitors("m", now=LAST + 40 * HOUR)
    assert late["verdicts"]["insufficient"] == 1
    assert "was last read at 2024-01-30T22:00:00+00:00" in late["monitors"][0]["notes"][0]
    assert statuses(fresh) == []
    # The same window is judged again once the log was read.
    assert checked(fresh, LAST + 40 * HOUR)["verdicts"]["fail"] == 1
    assert statuses(fresh) == [("open", 1)]
    # Nothing has changed since.
    assert checked(fresh, LAST + 40 * HOUR)["windows"] == 0


def test_a_log_that_cannot_be_read_is_no_alert(fresh: MonitoredModel) -> None:
    apply(fresh, GAP)
    checked(fresh, LAST + HOUR)
    shutil.rmtree(Path(fresh.lake, "serving"))
    read = fresh.registry.read_table_histories("m", now=LAST + 40 * HOUR)
    assert read["tables"] == 0
    assert "There is no Delta table at" in read["problems"][0]
    report = fresh.registry.evaluate_monitors("m", now=LAST + 40 * HOUR)
    assert report["verdicts"]["fail"] == 0
    assert "There is no Delta table at" in report["monitors"][0]["notes"][0]


def test_credentials_are_found_only_for_monitored_tables_on_s3(
    tmp_path: Path, migrated: Path, fresh: MonitoredModel
) -> None:
    def no_credentials() -> AwsCredentials:
        raise AuthenticationError("no credentials")

    nothing = {"model_id": "m", "tables": 0, "problems": []}
    with MonitoredModel(copied(migrated, tmp_path / "s3"), "e") as model:
        assert model.registry.read_table_histories("m", find_credentials=no_credentials) == nothing
        apply(model, GAP)
        read = model.registry.read_table_histories("m", find_credentials=no_credentials)
        assert read["problems"] == ["s3://b/k/serving: no credentials"]
    apply(fresh, GAP)
    assert fresh.registry.read_table_histories("m", find_credentials=no_credentials)["tables"] == 1


def test_the_actuals_are_judged_too_and_new_commits_only_are_read(fresh: MonitoredModel) -> None:
    lake = Path(fresh.lake)
    histories.put(lake / "actuals", histories.written_log(DAILY[:10]))
    source = S3DataSource(object_path=str(lake / "actuals"), object_format="delta")
    actuals = DatasetConnection(
        role="actuals", data_source=source, id_column="i", timestamp_column="t", labels={"proba": "label"}
    )
    fresh.registry.connect_dataset("m", "v1", actuals)
    apply(fresh, GAP)
    checked(fresh, LAST + HOUR)
    (alert,) = fresh.registry.get_alerts("m")
    assert [verdict.field for verdict in alert.failed] == ["datasets.actuals"]
    # Earlier commits are not read again: they can be deleted.
    for name in range(5, 20):
        (lake / "serving" / "_delta_log" / histories.name(name)).write_text("not JSON")
    append(fresh, LAST + 24 * HOUR)
    checked(fresh, LAST + 25 * HOUR)
    with fresh.registry.database.read_transaction() as session:
        assert session.scalar(select(func.count()).select_from(TableHistoryRow)) == 2


def test_the_command_reads_the_logs(fresh: MonitoredModel, capsys: pytest.CaptureFixture[str]) -> None:
    apply(fresh, GAP)
    where = ["--database-url", fresh.registry.database.url.render_as_string(), "--environment", "e"]
    assert main(["monitors", "evaluate", "m", *where]) == 0
    # The last write was long ago.
    assert capsys.readouterr().out.startswith("Gap\t1 windows: 0 pass, 1 fail, 0 insufficient")
    shutil.rmtree(Path(fresh.lake, "serving"))
    assert main(["monitors", "evaluate", "m", *where]) == 0
    assert "There is no Delta table at" in capsys.readouterr().err


def test_a_replay_judges_the_stored_commits(fresh: MonitoredModel) -> None:
    apply(fresh, GAP)
    fresh.registry.read_table_histories("m", now=LAST + 48 * HOUR)
    found = fresh.registry.replay_monitor("m", "Gap", start=on(20), end=on(31) + 2 * HOUR, plant=True)
    (alert,) = found["alerts"]
    assert alert["start"] == (LAST + 26 * HOUR).isoformat()
    assert {each["reason"] for each in found["planted"]} == {"it does not depend on data"}


def test_what_is_not_valid(fresh: MonitoredModel) -> None:
    with pytest.raises(ValidationError, match="use only one of max_gap and false_alarms_a_year"):
        MonitorDefinition(name="n", type="table_freshness", max_gap="1d", false_alarms_a_year=2)
    with pytest.raises(ValidationError, match="max is no option of table_freshness: use max_gap, false"):
        MonitorDefinition(name="n", type="table_freshness", max=3)
    every = MonitorDefinition(name="n", type="table_freshness", version="all_versions")
    with pytest.raises(ValidationError, match="judges the tables of each version"):
        every.to_monitor("m")
    apply(fresh, GAP)
    fresh.registry.set_sync_enabled("m", "v1", enabled=False)
    report = fresh.registry.evaluate_monitors("m", now=LAST)
    assert report["monitors"][0]["problems"] == ["no version has a serving dataset whose syncs are enabled"]
