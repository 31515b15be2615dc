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
    House,
    assert_equal_rows,
    assert_synced,
    bucket,
    served,
    spread,
    times,
    work,
)
from tests.conftest import S3


class TestTimes:
    @pytest.mark.parametrize("zone", ["America/New_York", None])
    def test_in_another_zone_and_in_none(self, house: House, zone: str | None) -> None:
        house.connect("serving")
        type_ = pa.timestamp("us", zone)
        for days in ((1.0, 1.999999, 2.1), (2.0, 0.9)):
            house.write("serving", served(*days).set_column(1, "at", times(days, type_)))
            house.sync()
        assert set(house.states("rows")) == {bucket(0), bucket(1), bucket(2)}
        assert_synced(house)

    def test_dates(self, house: House) -> None:
        house.connect("serving")
        for days in ((1, 2, 2, 2), (2, 3, None)):
            dates = times(days, pa.timestamp("us")).cast(pa.date32())
            house.write("serving", served(*days).set_column(1, "at", dates))
            status = house.sync()
        assert work(status)[:3] == (True, 3, 6)
        assert {place: state.rows for place, state in house.states("rows").items()} == {
            bucket(1): 1,
            bucket(2): 4,
            bucket(3): 1,
            None: 1,
        }
        assert_synced(house)

    def test_none_at_all(self, house: House) -> None:
        house.connect("serving")
        house.write("serving", spread(1, 5, 10))
        house.sync()
        house.write("serving", served(None, None))
        status = house.sync()
        assert (status["buckets_recomputed"], status["rows_read"], status["buckets"]) == (1, 2, 6)
        assert_synced(house)
        house.write("serving", served(None, 2.5, seed=4))
        assert house.sync()["rows_read"] == 3 + 11
        assert_synced(house)
        house.delta("serving").delete("at IS NULL")
        house.sync()
        assert None not in house.states("rows")
        assert_synced(house)

    def test_before_1970_and_at_the_end_of_all_times(self, house: House) -> None:
        house.connect("serving")
        days = (-1_000_000.0 + 300_000, -20_000.25, 1.5, 1.6)
        house.write("serving", served(*days))
        house.sync()
        assert_synced(house)
        last = pa.array([253_402_300_799_999_999, -62_135_596_800_000_000, -1], pa.int64()).cast(
            pa.timestamp("us", "UTC")
        )
        house.write("serving", served(1, 2, 3).set_column(1, "at", last))
        status = house.sync()
        assert status["reason"] == "1 commit changed the data"
        assert set(house.states("rows")) > {253_402_214_400, -62_135_596_800, -86_400}
        assert_synced(house)

    def test_hours(self, tmp_path: Path, engine: str) -> None:
        with EmbeddedRegistry(f"sqlite:///{tmp_path}/hours.db", "prod") as registry:
            house = House(tmp_path, registry, engine).register(period="hourly")
            house.connect("serving")
            house.write("serving", served(1.01, 1.03, 1.05, 2.99))
            house.sync()
            start = bucket(1)
            assert {place: state.rows for place, state in house.states("rows").items()} == {
                start: 2,
                start + 3600: 1,
                start + 47 * 3600: 1,
            }
            house.write("serving", served(1.02, seed=2))
            assert work(house.sync())[:3] == (True, 1, 3)
            house.check()


class TestSources:
    def test_partition_columns_are_features(self, house: House) -> None:
        house.connect("serving")
        for day in (1, 2):
            house.write("serving", spread(day, day, 9), partition_by=["city"])
            house.sync()
        assert_synced(house)
        house.delta("serving").delete("city = 'Oslo'")
        house.sync()
        assert_synced(house)

    def test_partitioned_by_the_time(self, house: House) -> None:
        house.connect("serving")
        for days in ((1.25, 1.5, None), (1.25, 3.0)):
            house.write("serving", served(*days), partition_by=["at"])
            status = house.sync()
        assert status["buckets_recomputed"] == 2
        assert_synced(house)

    def test_renamed_times_are_traced(self, house: House) -> None:
        house.connect("serving", select_expr=["*", "at AS moment"], timestamp_column="moment")
        house.write("serving", spread(1, 3, 5))
        house.sync()
        house.write("serving", spread(3, 3, 2, seed=3))
        assert work(house.sync()) == (True, 1, 7, 2)
        assert_synced(house)

    def test_computed_times_are_not(self, house: House) -> None:
        columns = ["id", "age", "city", "vip", "score", "at + INTERVAL 1 DAY AS later"]
        house.connect("serving", select_expr=columns, timestamp_column="later")
        house.write("serving", spread(1, 3, 5))
        house.sync()
        house.write("serving", spread(3, 3, 2, seed=3))
        status = house.sync()
        assert status["reason"] == "the times are computed by select_expr and cannot be traced in the log"
        assert work(status) == (True, 3, 17, 2)
        house.delta("serving").optimize.compact()
        assert not house.sync(engine=NOWHERE)["changed"]
        assert {place: state.rows for place, state in house.states("rows").items()} == {
            bucket(2): 5,
            bucket(3): 5,
            bucket(4): 7,
        }
        house.check()

    def test_a_sample_is_the_same_every_time(self, house: House) -> None:
        house.connect("serving", sample_size=0.3)
        for day in (1, 2):
            house.write("serving", spread(day, day, 100))
            house.sync()
        first = house.stored()
        assert 30 < house.status()["rows"] < 90
        house.sync(full=True)
        assert house.stored() == first
        house.check()

    @pytest.mark.parametrize("version", ["0", 0])
    def test_a_version_that_was_asked_for(self, house: House, version: Any) -> None:
        house.connect("serving", read_options={"versionAsOf": version})
        for day in (1, 2):
            house.write("serving", spread(day, day, 4))
        status = house.sync()
        assert (status["rows"], status["table_version"], status["lag"]) == (4, 0, 0)
        assert not house.sync(engine=NOWHERE)["changed"]

    def test_a_version_of_files_without_a_log_is_refused(self, house: House) -> None:
        options = {"header": True, "versionAsOf": 3}
        house.connect("serving", path="/nowhere", format="csv", read_options=options)
        with pytest.raises(ValidationError, match="versionAsOf in read_options is for Delta tables"):
            house.sync(engine=NOWHERE)

    @pytest.mark.parametrize("object_format", ["parquet", "csv", "json"])
    def test_files_without_a_log(self, house: House, object_format: str) -> None:
        folder = house.folder / "files"
        folder.mkdir()
        options = {"header": True, "inferSchema": True} if object_format == "csv" else None
        # Text has no types: JSON tells times and CSV booleans as text.
        casts = ["id", "cast(at AS timestamp) AS at", "age", "city", "cast(vip AS boolean) AS vip", "score"]
        house.connect(
            "serving", path=str(folder), format=object_format, read_options=options, select_expr=casts
        )
        everything = []
        for day, rows in ((1, 6), (2, 11)):
            everything.append(spread(day, day, rows - 6 * (day - 1)))
            write_file(folder / f"{day}.{object_format}", everything[-1])
            status = house.sync()
            assert status["reason"] == f"{object_format} files have no log, so all of them are read"
            assert work(status) == (True, day, rows, None)
            assert (status["table_version"], status["lag"]) == (None, None)
            assert_equal_rows(house, pa.concat_tables(everything))
        house.check()
        status = house.sync()
        assert (status["changed"], status["changed_parts"], status["rows_read"]) == (False, [], 11)


class TestSourcesThatNoEngineReads:
    """They are registered, and everything else of their version goes on."""

    def connect(self, house: House, role: Any) -> None:
        columns: dict[str, Any] = {"id_column": "id", "timestamp_column": "at"}
        if role == "actuals":
            columns["labels"] = {"score": "churned"}
        source = JDBCDataSource(url="jdbc:postgresql://db/churn", query="select 1", user="u", password="p")
        house.registry.connect_dataset(
            MODEL, VERSION, DatasetConnection(role=role, data_source=source, **columns)
        )

    def test_the_baseline(self, house: House) -> None:
        self.connect(house, "training")
        house.connect("serving")
        house.write("serving", spread(1, 2, 30))
        assert work(house.sync())[:3] == (True, 2, 60)
        assert_synced(house)
        with pytest.raises(ValidationError, match="would need a JDBC driver"):
            house.sync("training")
        house.write("serving", spread(3, 3, 5))
        assert [due["role"] for due in house.registry.get_due_datasets()] == ["serving"]

    def test_a_baseline_that_comes_later(self, house: House) -> None:
        house.connect("serving")
        house.write("serving", spread(1, 2, 30))
        house.sync()
        self.connect(house, "training")
        house.write("serving", spread(3, 3, 5))
        assert work(house.sync())[:3] == (True, 1, 5)
        assert_synced(house)

    def test_the_labels(self, house: House) -> None:
        self.connect(house, "actuals")
        house.connect("serving")
        house.write("serving", spread(1, 2, 30))
        status = house.sync()
        assert (status["status"], status["performance"]) == ("synced", None)


def write_file(path: Path, rows: pa.Table) -> None:
    if path.suffix == ".parquet":
        parquet.write_table(rows, path)
    elif path.suffix == ".csv":
        csv.write_csv(rows, path)
    else:
        path.write_text("\n".join(json.dumps(row, default=str) for row in rows.to_pylist()))


def test_on_s3(s3: S3, house: House) -> None:
    house.place, house.options, house.engine = s3.uri("tables"), s3.delta_options, "embedded"
    house.credentials = AwsCredentials(
        servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=s3.endpoint
    )
    house.connect("serving")
    for day in (1, 2, 3):
        house.write("serving", spread(day, day, 5))
    assert work(house.sync()) == (True, 3, 15, 3)
    house.delta("serving").delete("at >= '2024-01-02' AND at < '2024-01-02 12:00:00'")
    house.write("serving", spread(5, 5, 5))
    assert work(house.sync())[:2] == (True, 2)
    assert_synced(house)
    house.delta("serving").optimize.compact()
    assert not house.sync(engine=NOWHERE)["changed"]


class TestPathsOfEarlierReleases:
    """Paths that were accepted once, and are not any more."""

    @pytest.fixture
    def stored(self, house: House) -> Callable[[str, str], None]:
        """Replaces the path of a connected dataset in the database."""

        def store(role: str, path: str) -> None:
            with house.registry.database.write_transaction() as session:
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
        self, house: House, stored: Callable[[str, str], None], path: str, told: str
    ) -> None:
        house.connect("serving")
        stored("serving", path)
        (dataset,) = house.registry.get_datasets(MODEL, VERSION)
        assert isinstance(dataset.data_source, S3DataSource)
        assert (dataset.data_source.object_path, dataset.data_source.uri) == (path, path)
        assert any(told in line for line in preflight(dataset, SCHEMA).problems)
        with pytest.raises(ValidationError, match=f"its object_path {told}"):
            house.sync()
        assert house.status()["status"] == "failed"
        with pytest.raises(ValidationError, match=f"object_path: {told}"):
            house.connect("serving", path=path)

    def test_the_other_datasets_are_synced(self, house: House, stored: Callable[[str, str], None]) -> None:
        house.connect("training")
        stored("training", "gs://bucket/key")
        house.write("serving", spread(1, 2, 4))
        house.connect("serving")
        house.sync()
        assert_synced(house)
