"""Versions that retire: which, when, how often, and what stays of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.profiles import replace_profile
from aporia_provider.backend.store.sync_tables import SyncRow
from aporia_provider.backend.store.tables import DatasetRow, VersionRow
from aporia_provider.cli.main import main
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.metrics import MetricsQuery
from aporia_provider.models import Model
from aporia_provider.monitoring.states.row_state import RowState
from tests.backend.syncing import DAY, MODEL, SCHEMA, SyncedVersion, spread
from tests.sizes import sized

NOW = datetime.now(UTC)


@pytest.fixture
def registry(ready_url: str) -> Iterator[EmbeddedRegistry]:
    with EmbeddedRegistry(ready_url, "prod") as opened:
        opened.create_model(Model(id=MODEL, name="Churn"))
        yield opened


def add(registry: EmbeddedRegistry, name: str, until: datetime | None = None, **more: Any) -> None:
    """
    Register a version with a serving dataset.

    :param until: The day of its last serving data; None for a version without any.
    """
    registry.create_model_version(MODEL, name, SCHEMA)
    source = S3DataSource(object_path=f"bucket/{name}", object_format="delta")
    columns = {"id_column": "id", "timestamp_column": "at"}
    registry.connect_dataset(MODEL, name, DatasetConnection(role="serving", data_source=source, **columns))
    if until is not None:
        plant(registry, name, until, **more)


def plant(
    registry: EmbeddedRegistry, name: str, *days: datetime, synced: datetime = NOW, error: str | None = None
) -> None:
    """Store what a sync would have stored of the rows of some days."""
    with registry.database.write_transaction() as session:
        dataset = select(DatasetRow.key).join(VersionRow, DatasetRow.version_key == VersionRow.key)
        key = session.scalars(dataset.where(VersionRow.name == name)).one()
        starts = [int(day.timestamp()) // DAY * DAY for day in days]
        states = {(start, "rows"): RowState(rows=1) for start in starts}
        replace_profile(session, key, "fields", states, [(start, start + DAY) for start in starts], False)
        session.execute(delete(SyncRow).where(SyncRow.dataset_key == key))
        sync = {"part": "fields", "started_at": synced, "synced_at": synced, "error": error}
        session.execute(insert(SyncRow), [{"dataset_key": key, **sync}])


def retired(result: Any) -> list[str]:
    return [version["model_version"] for version in result["retired"]]


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


class TestKeep:
    @pytest.mark.slow
    def test_the_newest_are_those_whose_serving_data_reaches_furthest(
        self, registry: EmbeddedRegistry
    ) -> None:
        """A backfill registers them in another order."""
        for name, days in (("new", 1), ("oldest", 30), ("old", 20), ("newest", 0)):
            add(registry, name, days_ago(days))
        result = registry.retire_versions(MODEL, keep=2)
        assert retired(result) == ["old", "oldest"]
        assert (result["kept"], result["already_disabled"]) == (["newest", "new"], [])
        assert result["retired"][0]["reason"] == "2 newer versions are kept"
        midnight = datetime.fromtimestamp((int(days_ago(20).timestamp()) // DAY + 1) * DAY, UTC)
        assert result["retired"][0]["data_until"] == midnight.isoformat()
        enabled = {
            name: registry.get_dataset_sync_status(MODEL, name, "serving")["enabled"]
            for name in ("new", "old")
        }
        assert enabled == {"new": True, "old": False}

        again = registry.retire_versions(MODEL, keep=2)
        assert (retired(again), again["already_disabled"]) == ([], ["old", "oldest"]), "it can be repeated"
        assert retired(registry.retire_versions(MODEL, keep=1)) == ["new"]

    @pytest.mark.slow
    def test_versions_that_are_off_do_not_count(self, registry: EmbeddedRegistry) -> None:
        """After a rollback, the versions before it are the newest that go on."""
        for name, days in (("v1", 4), ("v2", 3), ("v3", 2), ("v4", 1)):
            add(registry, name, days_ago(days))
        for name in ("v3", "v4"):
            registry.set_sync_enabled(MODEL, name, False)
        result = registry.retire_versions(MODEL, keep=1)
        assert (retired(result), result["kept"], result["already_disabled"]) == (["v1"], ["v2"], ["v4", "v3"])

    @pytest.mark.slow
    def test_a_version_that_waits_for_its_first_predictions_stays(self, registry: EmbeddedRegistry) -> None:
        add(registry, "never used")
        add(registry, "v1", days_ago(9))
        add(registry, "v2", days_ago(1))
        add(registry, "v3")
        result = registry.retire_versions(MODEL, keep=1)
        assert (retired(result), result["kept"]) == (["v1", "never used"], ["v2", "v3"])
        assert result["retired"][1]["data_until"] is None

    def test_without_any_serving_data_the_last_registered_is_the_newest(
        self, registry: EmbeddedRegistry
    ) -> None:
        for name in ("v1", "v2", "v3"):
            add(registry, name)
        assert retired(registry.retire_versions(MODEL, keep=2)) == ["v1"]

    @pytest.mark.slow
    def test_a_wrong_timestamp_in_the_future_makes_no_version_the_newest(
        self, registry: EmbeddedRegistry
    ) -> None:
        add(registry, "v1", days_ago(9))
        plant(registry, "v1", NOW + timedelta(days=400))
        add(registry, "v2", days_ago(1))
        assert retired(registry.retire_versions(MODEL, keep=1)) == ["v1"]

    def test_a_version_without_datasets_is_left_alone(self, registry: EmbeddedRegistry) -> None:
        add(registry, "v1", days_ago(1))
        registry.create_model_version(MODEL, "bare", SCHEMA)
        result = registry.retire_versions(MODEL, keep=1)
        assert result == {
            "model_id": MODEL,
            "retired": [],
            "already_disabled": [],
            "kept": ["v1"],
            "without_datasets": ["bare"],
        }

    @pytest.mark.slow
    def test_a_dry_run_changes_nothing(self, registry: EmbeddedRegistry) -> None:
        for name, days in (("v1", 2), ("v2", 1)):
            add(registry, name, days_ago(days))
        dry = registry.retire_versions(MODEL, keep=1, dry_run=True)
        assert registry.get_dataset_sync_status(MODEL, "v1", "serving")["enabled"] is True
        assert registry.retire_versions(MODEL, keep=1) == dry

    @pytest.mark.slow
    def test_only_the_versions_of_this_model_and_environment(self, registry: EmbeddedRegistry) -> None:
        for name, days in (("v1", 2), ("v2", 1)):
            add(registry, name, days_ago(days))
        with pytest.raises(NotFoundError, match="'churns'"):
            registry.retire_versions("churns", keep=1)
        registry.create_model(Model(id="other", name="Other"))
        assert registry.retire_versions("other", keep=1)["kept"] == []
        assert registry.retire_versions(MODEL, keep=1)["kept"] == ["v2"]


class TestEnded:
    @pytest.mark.slow
    def test_so_long_after_the_last_bucket(self, registry: EmbeddedRegistry) -> None:
        for name, days in (("v1", 40), ("v2", 20), ("v3", 0)):
            add(registry, name, days_ago(days))
        add(registry, "v4")
        result = registry.retire_versions(MODEL, ended_for=timedelta(days=30))
        assert (retired(result), result["kept"]) == (["v1"], ["v3", "v2", "v4"])
        assert result["retired"][0]["reason"] == "its serving data ended more than 30 days, 0:00:00 ago"

    @pytest.mark.slow
    def test_only_if_somebody_has_looked_since(self, registry: EmbeddedRegistry) -> None:
        add(registry, "failing", days_ago(40), error="planted")
        add(registry, "not looked at", days_ago(40), synced=days_ago(39))
        add(registry, "looked at", days_ago(40), synced=days_ago(1))
        assert retired(registry.retire_versions(MODEL, ended_for=timedelta(days=30))) == ["looked at"]

    @pytest.mark.slow
    def test_with_keep_both_have_to_be_true(self, registry: EmbeddedRegistry) -> None:
        for name, days in (("v1", 50), ("v2", 40), ("v3", 3), ("v4", 2), ("v5", 1)):
            add(registry, name, days_ago(days))
        result = registry.retire_versions(MODEL, keep=2, ended_for=timedelta(days=30))
        assert retired(result) == ["v2", "v1"], "v3 still has data"
        assert " kept, and its serving data " in result["retired"][0]["reason"]
        assert retired(registry.retire_versions(MODEL, keep=4, ended_for=timedelta(days=1))) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Give keep, ended_for or both"),
        ({"keep": 0}, "keep is 0: give a whole number"),
        ({"keep": True}, "keep is True"),
        ({"keep": "3"}, "keep is '3'"),
        ({"ended_for": timedelta(days=-1)}, "not negative"),
        ({"ended_for": 30, "keep": -1}, r"(?s)keep is -1.*ended_for is 30"),
    ],
)
def test_what_is_no_policy(registry: EmbeddedRegistry, given: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        registry.retire_versions(MODEL, **given)


@pytest.mark.slow
def test_of_any_versions_the_newest_stay(migrated: Path, tmp_path: Path) -> None:
    """No version that is kept reaches less far than one that was retired for want of newness."""

    @settings(max_examples=sized(12, 30), suppress_health_check=list(HealthCheck), database=None)
    @given(st.lists(st.none() | st.integers(0, 20), min_size=1, max_size=8), st.integers(1, 8))
    def run(ages: list[int | None], keep: int) -> None:
        path = tmp_path / "copy.db"
        path.write_bytes(migrated.read_bytes())
        with EmbeddedRegistry(f"sqlite:///{path}", "prod") as registry:
            registry.create_model(Model(id=MODEL, name="Churn"))
            for place, age in enumerate(ages):
                add(registry, f"v{place}", None if age is None else days_ago(age))
            result = registry.retire_versions(MODEL, keep=keep)
            gone, kept = retired(result), result["kept"]
            assert sorted([*gone, *kept]) == sorted(f"v{place}" for place in range(len(ages)))
            known = {f"v{place}": age for place, age in enumerate(ages)}
            with_data = sorted(
                (name for name, age in known.items() if age is not None),
                key=lambda name: (known[name], -int(name[1:])),
            )
            assert [name for name in with_data if name in kept] == with_data[:keep]
            assert len(kept) >= min(keep, len(ages))
            waiting = [name for name in kept if known[name] is None]
            assert all(
                int(name[1:]) < int(min(waiting, default="v9")[1:]) for name in gone if known[name] is None
            )
            assert retired(registry.retire_versions(MODEL, keep=keep)) == []

    run()


def test_what_is_stored_of_a_retired_version_stays_a_baseline(monitored: SyncedVersion) -> None:
    monitored.connect("serving")
    monitored.write("serving", spread(1, 2, 40))
    monitored.sync()
    monitored.registry.create_model_version(MODEL, "v2", SCHEMA)
    monitored.write("second", spread(5, 6, 40, seed=1))
    source = S3DataSource(object_path=monitored.path("second"), object_format="delta")
    columns = {"id_column": "id", "timestamp_column": "at"}
    monitored.registry.connect_dataset(
        MODEL, "v2", DatasetConnection(role="serving", data_source=source, **columns)
    )
    monitored.registry.sync_dataset(MODEL, "v2", "serving", engine=monitored.engine)

    def drift() -> Any:
        metric = {
            "metric": "drift_score",
            "parameters": {"column": "age"},
            "datasets": {
                "data": {"dataset_type": "serving", "model_version": "v2"},
                "baseline": {"dataset_type": "serving", "model_version": "v1"},
            },
        }
        (answer,) = monitored.registry.query_metrics(MetricsQuery(model_id=MODEL, metrics=[metric]))
        assert answer.metrics[0].error is None
        return answer

    answer = drift()
    assert retired(monitored.registry.retire_versions(MODEL, keep=1)) == ["v1"]
    assert monitored.registry.get_due_datasets() == []
    assert drift() == answer

    # New data of it is noticed only once its syncs are turned on.
    monitored.write("serving", spread(20, 20, 40))
    assert monitored.registry.get_due_datasets() == []
    monitored.registry.set_sync_enabled(MODEL, "v1", True)
    assert [one["model_version"] for one in monitored.registry.get_due_datasets()] == ["v1"]
    monitored.sync()
    assert retired(monitored.registry.retire_versions(MODEL, keep=1)) == ["v2"]


@pytest.mark.slow
def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path}/aporia.db"
    with EmbeddedRegistry(url, "prod") as registry:
        registry.create_model(Model(id=MODEL, name="Churn"))
        for name, days in (("v1", 50), ("v2", 40), ("v3", 1)):
            add(registry, name, days_ago(days))
        registry.create_model_version(MODEL, "bare", SCHEMA)
    command = ["retire", MODEL, "--environment", "prod", "--database-url", url]
    assert main([*command, "--keep", "1", "--ended-for", "6w", "--dry-run"]) == 0
    told = capsys.readouterr()
    assert [line.split("\t")[0] for line in told.out.splitlines()] == ["v1"]
    assert told.err.endswith("1 would be retired, 2 kept, 0 already disabled, 1 without datasets.\n")
    assert main([*command, "--keep", "1", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (retired(answer), answer["kept"]) == (["v2", "v1"], ["v3"])
    assert main(command) == 2
    assert "Give keep, ended_for or both" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--ended-for", "soon"])
    assert "'soon' is not a period" in capsys.readouterr().err
