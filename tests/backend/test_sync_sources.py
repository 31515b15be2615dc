"""Times of every type, expressions, samples and formats, synced commit by commit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from sqlalchemy import select

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.store.tables import DatasetRow
from aporia_provider.data_sources import JDBCDataSource, S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.preflight.checks import preflight
from tests import servers
from tests.backend.syncing import (
    MODEL,
    NOWHERE,
    SCHEMA,
    VERSION,
    SyncedVersion,
    assert_equal_rows,
    assert_synced,
    bucket,
    served,
    spread,
    times,
    work,
)
from tests.conftest import S3

pytestmark = pytest.mark.process


class TestTimes:
    @pytest.mark.parametrize("zone", ["America/New_York", None])
    def test_in_another_zone_and_in_none(self, monitored: SyncedVersion, zone: str | None) -> None:
        monitored.connect("serving")
        type_ = pa.timestamp("us", zone)
        for days in ((1.0, 1.999999, 2.1), (2.0, 0.9)):
            monitored.write("serving", served(*days).set_column(1, "at", times(days, type_)))
            monitored.sync()
        assert set(monitored.states("rows")) == {bucket(0), bucket(1), bucket(2)}
        assert_synced(monitored)

    def test_dates(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        for days in ((1, 2, 2, 2), (2, 3, None)):
            dates = times(days, pa.timestamp("us")).cast(pa.date32())
            monitored.write("serving", served(*days).set_column(1, "at", dates))
            status = monitored.sync()
        assert work(status)[:3] == (True, 3, 6)
        assert {place: state.rows for place, state in monitored.states("rows").items()} == {
            bucket(1): 1,
            bucket(2): 4,
            bucket(3): 1,
            None: 1,
        }
        assert_synced(monitored)

    def test_none_at_all(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        monitored.write("serving", spread(1, 5, 10))
        monitored.sync()
        monitored.write("serving", served(None, None))
        status = monitored.sync()
        assert (status["buckets_recomputed"], status["rows_read"], status["buckets"]) == (1, 2, 6)
        assert_synced(monitored)
        monitored.write("serving", served(None, 2.5, seed=4))
        assert monitored.sync()["rows_read"] == 3 + 11
        assert_synced(monitored)
        monitored.delta("serving").delete("at IS NULL")
        monitored.sync()
        assert None not in monitored.states("rows")
        assert_synced(monitored)

    def test_before_1970_and_at_the_end_of_all_times(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        days = (-1_000_000.0 + 300_000, -20_000.25, 1.5, 1.6)
        monitored.write("serving", served(*days))
        monitored.sync()
        assert_synced(monitored)
        last = pa.array([253_402_300_799_999_999, -62_135_596_800_000_000, -1], pa.int64()).cast(
            pa.timestamp("us", "UTC")
        )
        monitored.write("serving", served(1, 2, 3).set_column(1, "at", last))
        status = monitored.sync()
        assert status["reason"] == "1 commit changed the data"
        assert set(monitored.states("rows")) > {253_402_214_400, -62_135_596_800, -86_400}
        assert_synced(monitored)

    def test_hours(self, tmp_path: Path, engine: str) -> None:
        with EmbeddedRegistry(f"sqlite:///{tmp_path}/hours.db", "prod") as registry:
            monitored = SyncedVersion(tmp_path, registry, engine).register(period="hourly")
            monitored.connect("serving")
            monitored.write("serving", served(1.01, 1.03, 1.05, 2.99))
            monitored.sync()
            start = bucket(1)
            assert {place: state.rows for place, state in monitored.states("rows").items()} == {
                start: 2,
                start + 3600: 1,
                start + 47 * 3600: 1,
            }
            monitored.write("serving", served(1.02, seed=2))
            assert work(monitored.sync())[:3] == (True, 1, 3)
            monitored.check()


class TestSources:
    def test_partition_columns_are_features(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        for day in (1, 2):
            monitored.write("serving", spread(day, day, 9), partition_by=["city"])
            monitored.sync()
        assert_synced(monitored)
        monitored.delta("serving").delete("city = 'Oslo'")
        monitored.sync()
        assert_synced(monitored)

    def test_partitioned_by_the_time(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        for days in ((1.25, 1.5, None), (1.25, 3.0)):
            monitored.write("serving", served(*days), partition_by=["at"])
            status = monitored.sync()
        assert status["buckets_recomputed"] == 2
        assert_synced(monitored)

    def test_renamed_times_are_traced(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving", select_expr=["*", "at AS moment"], timestamp_column="moment")
        monitored.write("serving", spread(1, 3, 5))
        monitored.sync()
        monitored.write("serving", spread(3, 3, 2, seed=3))
        assert work(monitored.sync()) == (True, 1, 7, 2)
        assert_synced(monitored)

    def test_computed_times_are_not(self, monitored: SyncedVersion) -> None:
        columns = ["id", "age", "city", "vip", "score", "at + INTERVAL 1 DAY AS later"]
        monitored.connect("serving", select_expr=columns, timestamp_column="later")
        monitored.write("serving", spread(1, 3, 5))
        monitored.sync()
        monitored.write("serving", spread(3, 3, 2, seed=3))
        status = monitored.sync()
        assert status["reason"] == "the times are computed by select_expr and cannot be traced in the log"
        assert work(status) == (True, 3, 17, 2)
        monitored.delta("serving").optimize.compact()
        assert not monitored.sync(engine=NOWHERE)["changed"]
        assert {place: state.rows for place, state in monitored.states("rows").items()} == {
            bucket(2): 5,
            bucket(3): 5,
            bucket(4): 7,
        }
        monitored.check()

    def test_a_sample_is_the_same_every_time(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving", sample_size=0.3)
        for day in (1, 2):
            monitored.write("serving", spread(day, day, 100))
            monitored.sync()
        first = monitored.stored()
        assert 30 < monitored.status()["rows"] < 90
        monitored.sync(full=True)
        assert monitored.stored() == first
        monitored.check()

    @pytest.mark.parametrize("version", ["0", 0])
    def test_a_version_that_was_asked_for(self, monitored: SyncedVersion, version: Any) -> None:
        monitored.connect("serving", read_options={"versionAsOf": version})
        for day in (1, 2):
            monitored.write("serving", spread(day, day, 4))
        status = monitored.sync()
        assert (status["rows"], status["table_version"], status["lag"]) == (4, 0, 0)
        assert not monitored.sync(engine=NOWHERE)["changed"]

    def test_a_version_of_files_without_a_log_is_refused(self, monitored: SyncedVersion) -> None:
        options = {"header": True, "versionAsOf": 3}
        monitored.connect("serving", path="/nowhere", format="csv", read_options=options)
        with pytest.raises(ValidationError, match="versionAsOf in read_options is for Delta tables"):
            monitored.sync(engine=NOWHERE)

    @pytest.mark.parametrize("object_format", ["parquet", "csv", "json"])
    def test_files_without_a_log(self, monitored: SyncedVersion, object_format: str) -> None:
        folder = monitored.folder / "files"
        folder.mkdir()
        options = {"header": True, "inferSchema": True} if object_format == "csv" else None
        # Text has no types: JSON tells times and CSV booleans as text.
        casts = ["id", "cast(at AS timestamp) AS at", "age", "city", "cast(vip AS boolean) AS vip", "score"]
        monitored.connect(
            "serving", path=str(folder), format=object_format, read_options=options, select_expr=casts
        )
        everything = []
        for day, rows in ((1, 6), (2, 11)):
            everything.append(spread(day, day, rows - 6 * (day - 1)))
            write_file(folder / f"{day}.{object_format}", everything[-1])
            status = monitored.sync()
            assert status["reason"] == f"{object_format} files have no log, so all of them are read"
            assert work(status) == (True, day, rows, None)
            assert (status["table_version"], status["lag"]) == (None, None)
            assert_equal_rows(monitored, pa.concat_tables(everything))
        monitored.check()
        status = monitored.sync()
        assert (status["changed"], status["changed_parts"], status["rows_read"]) == (False, [], 11)


class TestSourcesThatNoEngineReads:
    """They are registered, and everything else of their version goes on."""

    def connect(self, monitored: SyncedVersion, role: Any) -> None:
        columns: dict[str, Any] = {"id_column": "id", "timestamp_column": "at"}
        if role == "actuals":
            columns["labels"] = {"score": "churned"}
        source = JDBCDataSource(url="jdbc:postgresql://db/churn", query="select 1", user="u", password="p")
        monitored.registry.connect_dataset(
            MODEL, VERSION, DatasetConnection(role=role, data_source=source, **columns)
        )

    def test_the_baseline(self, monitored: SyncedVersion) -> None:
        self.connect(monitored, "training")
        monitored.connect("serving")
        monitored.write("serving", spread(1, 2, 30))
        assert work(monitored.sync())[:3] == (True, 2, 60)
        assert_synced(monitored)
        with pytest.raises(ValidationError, match="would require a JDBC driver"):
            monitored.sync("training")
        monitored.write("serving", spread(3, 3, 5))
        assert [due["role"] for due in monitored.registry.get_due_datasets()] == ["serving"]

    def test_a_baseline_that_comes_later(self, monitored: SyncedVersion) -> None:
        monitored.connect("serving")
        monitored.write("serving", spread(1, 2, 30))
        monitored.sync()
        self.connect(monitored, "training")
        monitored.write("serving", spread(3, 3, 5))
        assert work(monitored.sync())[:3] == (True, 1, 5)
        assert_synced(monitored)

    def test_the_labels(self, monitored: SyncedVersion) -> None:
        self.connect(monitored, "actuals")
        monitored.connect("serving")
        monitored.write("serving", spread(1, 2, 30))
        status = monitored.sync()
        assert (status["status"], status["performance"]) == ("synced", None)


def write_file(path: Path, rows: pa.Table) -> None:
    if path.suffix == ".parquet":
        parquet.write_table(rows, path)
    elif path.suffix == ".csv":
        csv.write_csv(rows, path)
    else:
        path.write_text("\n".join(json.dumps(row, default=str) for row in rows.to_pylist()))


def test_on_s3(s3: S3, monitored: SyncedVersion) -> None:
    monitored.place, monitored.options, monitored.engine = s3.uri("tables"), s3.delta_options, "embedded"
    monitored.credentials = AwsCredentials(
        servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=s3.endpoint
    )
    monitored.connect("serving")
    for day in (1, 2, 3):
        monitored.write("serving", spread(day, day, 5))
    assert work(monitored.sync()) == (True, 3, 15, 3)
    monitored.delta("serving").delete("at >= '2024-01-02' AND at < '2024-01-02 12:00:00'")
    monitored.write("serving", spread(5, 5, 5))
    assert work(monitored.sync())[:2] == (True, 2)
    assert_synced(monitored)
    monitored.delta("serving").optimize.compact()
    assert not monitored.sync(engine=NOWHERE)["changed"]


class TestPathsOfEarlierReleases:
    """Paths that were accepted once, and are not any more."""

    @pytest.fixture
    def stored(self, monitored: SyncedVersion) -> Callable[[str, str], None]:
        """Replaces the path of a connected dataset in the database."""

        def store(role: str, path: str) -> None:
            with monitored.registry.database.write_transaction() as session:
                row = session.scalars(select(DatasetRow).filter_by(role=role)).one()
                source = row.registration["data_source"]
                config = {**source["config"], "object_path": path}
                row.registration = {**row.registration, "data_source": {**source, "config": config}}

        return store

    @pytest.mark.parametrize(
        ("path", "told"),
        [
            ("gs://bucket/key", "has the scheme gs:"),
            ("s3:/bucket/key", "has s3: without the two slashes"),
            ("https://bucket.s3.amazonaws.com/key", "has the scheme https:"),
            ("../key", "is a relative path"),
            ("file://host/key", "names a host"),
        ],
    )
    def test_they_are_loaded_and_not_read(
        self, monitored: SyncedVersion, stored: Callable[[str, str], None], path: str, told: str
    ) -> None:
        monitored.connect("serving")
        stored("serving", path)
        (dataset,) = monitored.registry.get_datasets(MODEL, VERSION)
        assert isinstance(dataset.data_source, S3DataSource)
        assert (dataset.data_source.object_path, dataset.data_source.uri) == (path, path)
        assert any(told in line for line in preflight(dataset, SCHEMA).problems)
        with pytest.raises(ValidationError, match=f"its object_path {told}"):
            monitored.sync()
        assert monitored.status()["status"] == "failed"
        with pytest.raises(ValidationError, match=f"object_path: {told}"):
            monitored.connect("serving", path=path)

    def test_the_other_datasets_are_synced(
        self, monitored: SyncedVersion, stored: Callable[[str, str], None]
    ) -> None:
        monitored.connect("training")
        stored("training", "gs://bucket/key")
        monitored.write("serving", spread(1, 2, 4))
        monitored.connect("serving")
        monitored.sync()
        assert_synced(monitored)
