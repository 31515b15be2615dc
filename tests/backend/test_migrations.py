"""The schema of the database."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import aporia_provider.backend.store
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.store import schema_upgrades
from aporia_provider.backend.store.database import Database, make_engine, migrate
from aporia_provider.backend.store.database_urls import is_sqlite, read_url
from aporia_provider.backend.store.tables import VERSION_TABLE, Base
from aporia_provider.errors import AporiaError, TransientError, ValidationError
from aporia_provider.models import Model
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState
from tests.backend.stored_states import stored_states
from tests.processes import starts_process

START = 1_704_067_200


@pytest.fixture(params=["sqlite", "postgres"])
@starts_process(unless="sqlite")
def empty_url(request: pytest.FixtureRequest) -> str:
    name = "sqlite_url" if request.param == "sqlite" else "postgres_database_url"
    return str(request.getfixturevalue(name))


def execute(url: str, statement: str) -> None:
    engine = make_engine(read_url(url))
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
    finally:
        engine.dispose()


@pytest.mark.slow
def test_a_migrated_database_has_exactly_the_tables_of_the_code(empty_url: str) -> None:
    migrate(empty_url)
    with Database(empty_url) as database, database.engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
        assert set(sqlalchemy.inspect(connection).get_table_names()) == {*Base.metadata.tables, VERSION_TABLE}


@pytest.mark.slow
def test_migrating_again_keeps_what_is_there(empty_url: str) -> None:
    migrate(empty_url)
    with Database(empty_url) as database:
        Registry(database, "prod").create_model(Model(id="m", name="M", tags={"a": "b"}))
    migrate(empty_url)
    with Database(empty_url) as database:
        assert Registry(database, "prod").get_model_tags("m") == {"a": "b"}


def migrate_to(url: str, revision: str) -> None:
    """Bring the schema to an older revision, as the code of that time did."""
    if is_sqlite(read_url(url)):
        Path(str(read_url(url).database)).parent.mkdir()
    engine = make_engine(read_url(url))
    config = Config()
    config.set_main_option(
        "script_location", str(Path(aporia_provider.backend.store.__file__).with_name("migrations"))
    )
    try:
        with engine.execution_options(aporia_writes=True).begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()


OLD_ROWS = (
    "INSERT INTO aporia_model VALUES (1, '2024-01-01', 'prod', 'm', NULL, '{}')",
    "INSERT INTO aporia_version VALUES (1, '2024-01-01', 1, 'v-id', 'v1', '{}')",
    "INSERT INTO aporia_dataset VALUES (1, '2024-01-01', 1, 'd-id', 'training', {true}, '{}')",
    "INSERT INTO aporia_sync (key, created_at, dataset_key, part, fingerprint, started_at, grids) "
    "VALUES (1, '2024-01-01', 1, 'fields', 'abc', '2024-01-01', '{}')",
    "INSERT INTO aporia_profile VALUES (1, '2024-01-01', 1, 'fields', 'features.age', 0, '{}')",
    "INSERT INTO aporia_profile VALUES (2, '2024-01-01', 1, 'performance', 'performance.score', NULL, '{}')",
    "INSERT INTO aporia_grid VALUES (1, '2024-01-01', 1, 'training', '{\"features.age\": {}}')",
    "INSERT INTO aporia_lease VALUES (1, '2024-01-01', 1, 'somebody', 'a sync', '2024-01-01')",
)


@pytest.mark.slow
def test_states_of_the_older_format_are_deleted_and_all_else_is_kept(empty_url: str) -> None:
    migrate_to(empty_url, "0002")
    true = "true" if empty_url.startswith("postgresql") else "1"
    for statement in OLD_ROWS:
        execute(empty_url, statement.replace("{true}", true))
    migrate(empty_url)
    with Database(empty_url) as database, database.read_transaction() as session:
        counts = {
            table: session.scalar(sqlalchemy.text(f"SELECT count(*) FROM aporia_{table}"))
            for table in ("model", "version", "dataset", "lease", "sync", "state_block", "grid")
        }
    assert counts == {
        **dict.fromkeys(("model", "version", "dataset", "lease"), 1),
        **dict.fromkeys(("sync", "state_block", "grid"), 0),
    }


def test_the_code_knows_the_revisions_there_are() -> None:
    config = Config()
    folder = Path(aporia_provider.backend.store.__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder))
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(revisions)) == schema_upgrades.REVISIONS


def test_an_unmigrated_postgresql_says_what_to_run(postgres_database_url: str) -> None:
    url = sqlalchemy.make_url(postgres_database_url).set(password="planted-password")
    told = r"'aporia-provider migrate' once; .*AIRFLOW__APORIA__DATABASE_URL"
    with pytest.raises(AporiaError, match=told) as error:
        Database(url.render_as_string(hide_password=False))
    assert "planted-password" not in str(error.value)
    assert ":***@" in str(error.value)
    assert "--database-url" not in str(error.value)


def test_postgresql_is_taken_under_its_plain_name(postgres_database_url: str) -> None:
    plain = postgres_database_url.replace("postgresql+psycopg://", "postgresql://")
    assert plain.startswith("postgresql://")
    migrate(plain)
    with Database(plain) as database:
        assert Registry(database, "prod").create_model(Model(id="m", name="M"))["status"] == "created"


@pytest.mark.slow
def test_a_newer_database_is_left_alone(empty_url: str) -> None:
    migrate(empty_url)
    execute(empty_url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    for opened in (Database, migrate):
        with pytest.raises(AporiaError, match=r"9999, newer than the \d+ .* Upgrade"):
            opened(empty_url)


@pytest.mark.slow
def test_sqlite_is_made_for_many_processes_and_one_user(sqlite_url: str, tmp_path: Path) -> None:
    with Database(sqlite_url) as database, database.read_transaction() as session:
        connection = session.connection()
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "busy_timeout", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "busy_timeout": 30_000, "foreign_keys": 1}
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


@pytest.mark.slow
def test_a_writer_waits_for_another_one_from_the_start(sqlite_url: str, tmp_path: Path) -> None:
    with Database(sqlite_url) as database, database.write_transaction() as session:
        assert session.scalar(sqlalchemy.text("SELECT 1")) == 1
        other = sqlite3.connect(tmp_path / "home" / "aporia.db", timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u:planted@h/d", "nonsense", ""])
def test_other_databases_are_refused_without_showing_passwords(url: str) -> None:
    with pytest.raises(ValidationError) as error:
        Database(url)
    assert "planted" not in str(error.value)


@pytest.mark.parametrize("options", ["", "?password=planted-too"])
def test_an_unreachable_database_is_worth_a_retry_and_shows_no_password(options: str) -> None:
    with pytest.raises(TransientError) as error:
        Database(f"postgresql://u:planted@127.0.0.1:1/d{options}")
    assert "does not respond" in str(error.value)
    assert "planted" not in str(error.value)


def test_a_file_of_another_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database at all, " * 100)
    with pytest.raises(AporiaError, match=r"notes\.txt cannot be used: file is not a database"):
        Database(f"sqlite:///{tmp_path}/notes.txt")


@pytest.mark.slow
def test_opening_waits_for_whoever_prepares_the_file(sqlite_url: str, tmp_path: Path) -> None:
    opened = threading.Event()

    def open_database() -> None:
        with Database(sqlite_url):
            opened.set()

    (tmp_path / "home").mkdir()
    folder = os.open(tmp_path / "home", os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    opener = threading.Thread(target=open_database)
    opener.start()
    assert not opened.wait(1)
    os.close(folder)
    assert opened.wait(60)
    opener.join()


@pytest.mark.slow
def test_secrets_that_earlier_versions_stored_are_removed(empty_url: str, tmp_path: Path) -> None:
    migrate_to(empty_url, "0003")
    true = "true" if empty_url.startswith("postgresql") else "1"
    url = "jdbc:oracle:thin:scott/planted-1@h:1521:sid"
    source = {
        "type": "jdbc",
        "config": {"url": url, "query": "q", "read_options": {"Authorization": "planted-2"}},
    }
    registration = {
        "name": "training",
        "data_source": source,
        "sync": {"enabled": True, "environment": ""},
        "id_column": "id",
        "timestamp_column": "at",
    }
    rows = [statement.replace("{true}", true) for statement in OLD_ROWS[:3]]
    rows[2] = rows[2].replace("'{}'", f"'{json.dumps(registration)}'")
    failed = (
        "INSERT INTO aporia_sync (key, created_at, dataset_key, part, started_at, error) VALUES (1, "
        "'2024-01-01', 1, 'fields', '2024-01-01', 'cannot read http://u:planted-3@h/k?sig=planted-4')"
    )
    for statement in (*rows, failed):
        execute(empty_url, statement.replace("%", "%%"))
    migrate(empty_url)
    with Database(empty_url) as database:
        with database.read_transaction() as session:
            kept = session.scalar(sqlalchemy.text("SELECT registration FROM aporia_dataset"))
            error = session.scalar(sqlalchemy.text("SELECT error FROM aporia_sync"))
        assert error == "cannot read http://***"
        (dataset,) = Registry(database, "prod").get_datasets("m", "v1")
        assert "planted" not in f"{kept}{dataset!r}"
        assert "jdbc:oracle:thin:***" in str(kept)
    if is_sqlite(read_url(empty_url)):
        assert b"planted" not in b"".join(path.read_bytes() for path in (tmp_path / "home").iterdir())


def states_of_days(hours: int, seed: int) -> dict[tuple[int | None, str], State]:
    """States of numbers, categories and rows, with a gap of a month, and of rows without a timestamp."""
    rng = np.random.default_rng(seed)
    bins = NumericBins.of(rng.normal(size=500))
    buckets: list[int | None] = [None, *(START + hours * 3600 * n for n in (*range(60), *range(2000, 2020)))]
    return {
        (bucket, key): state.settled()
        for bucket in buckets
        for key, state in (
            ("features.age", NumericState.of(rng.normal(size=20), 1, bins)),
            ("features.city", ValueState.of({"Zürich": 2, "": int(rng.integers(1, 9))}, 12, 0, None)),
            ("rows", RowState.of(rng.integers(-(2**63), 2**63, 30), 2)),
        )
    }


def plant_states(url: str, dataset: int, period: str, states: Mapping[tuple[int | None, str], Any]) -> None:
    """Store states as the code of revision 0005 did."""
    true = "true" if url.startswith("postgresql") else "1"
    registration = json.dumps({"aggregation_period": period})
    for statement in OLD_ROWS[:3]:
        numbered = statement.replace("(1, '2024-01-01'", f"({dataset}, '2024-01-01'")
        numbered = numbered.replace("1, 'v-id'", f"{dataset}, 'v-{dataset}'").replace(
            "1, 'd-id'", f"{dataset}, 'd-{dataset}'"
        )
        numbered = numbered.replace("'m', NULL, '{}'", f"'m{dataset}', NULL, '{registration}'")
        execute(url, numbered.replace("{true}", true))
    execute(
        url,
        "INSERT INTO aporia_sync (key, created_at, dataset_key, part, fingerprint, started_at) "
        f"VALUES ({dataset}, '2024-01-01', {dataset}, 'fields', 'abc', '2024-01-01')",
    )
    columns = [sqlalchemy.column(name) for name in ("created_at", "dataset_key", "part", "field", "bucket")]
    table = sqlalchemy.table("aporia_profile", *columns, sqlalchemy.column("state", sqlalchemy.JSON()))
    table.c.created_at.type = sqlalchemy.DateTime(timezone=True)
    owner = {"created_at": datetime(2024, 1, 1, tzinfo=UTC), "dataset_key": dataset, "part": "fields"}
    rows = [
        {**owner, "field": field, "bucket": bucket, "state": state}
        for (bucket, field), state in states.items()
    ]
    engine = make_engine(read_url(url))
    with engine.begin() as connection:
        connection.execute(table.insert(), rows)
    engine.dispose()


@pytest.mark.slow
def test_states_are_compressed_and_stay_what_they_are(
    empty_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate_to(empty_url, "0005")
    planted = {1: ("hourly", states_of_days(1, 1)), 2: ("daily", states_of_days(24, 2))}
    for dataset, (period, states) in planted.items():
        plant_states(empty_url, dataset, period, {key: state.to_json() for key, state in states.items()})
    plant_states(empty_url, 3, "daily", {(0, "features.age"): {"kind": "numeric", "of": "an older format"}})
    monkeypatch.setattr(time, "monotonic", itertools.count(step=11).__next__)
    with caplog.at_level("INFO"):
        migrate(empty_url)
    assert "6 of 487 states have been compressed" in caplog.text
    assert "dataset 3 cannot be read (KeyError): its next sync computes all of them" in caplog.text
    with Database(empty_url) as database, database.read_transaction() as session:
        for dataset, (_, states) in planted.items():
            expected = {("fields", key, bucket): state.to_json() for (bucket, key), state in states.items()}
            assert stored_states(session, dataset) == expected
        assert stored_states(session, 3) == {}
        synced = session.scalars(sqlalchemy.text("SELECT dataset_key FROM aporia_sync ORDER BY 1")).all()
        assert synced == [1, 2]
        assert not sqlalchemy.inspect(session.connection()).has_table("aporia_profile")
