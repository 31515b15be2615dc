"""Data sources read by a real Sail from a real S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from aporia_provider.data_sources import DATA_SOURCES, DataSource, S3DataSource
from aporia_provider.engine.readers import READERS, columns, read
from aporia_provider.engine.session import spark_session
from aporia_provider.engine.source_paths import engine_path
from aporia_provider.errors import AuthenticationError, NotFoundError, TransientError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.table import DeltaLog
from aporia_provider.preflight.invalid_rows import count_invalid_rows
from aporia_provider.preflight.row_conditions import RowCheck
from tests import servers
from tests.conftest import S3
from tests.lake.strict_s3 import strict_s3
from tests.processes import starts_process

ROWS = pa.table(
    {
        "id": ["a", "b", "c"],
        "n": pa.array([1, 2, 3], pa.int32()),
        "features.age": [30.0, 40.0, None],
        "s": [{"u": 1, "w": ["x"]}] * 3,
        "m": pa.array([[("k", 1.5)]] * 3, pa.map_(pa.string(), pa.float64())),
        "d": pa.array([1, 2, 3], pa.decimal128(10, 2)),
    }
)


@pytest.fixture(scope="module")
@starts_process()
def spark() -> Iterator[Any]:
    with spark_session() as opened:
        yield opened


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    write_deltalake(folder, ROWS)
    return folder


def source(path: Path | str, object_format: str = "delta", **more: Any) -> S3DataSource:
    return S3DataSource(object_path=str(path), object_format=object_format, **more)


def test_types_are_those_of_the_delta_log(spark: Any, table: Path) -> None:
    assert columns(spark, source(table)) == list(DeltaLog(f"file://{table}").metadata.columns)


def test_expressions_become_columns(spark: Any, table: Path) -> None:
    expressions = ["id", "`features.age` AS age", "s.u", "n * 2 AS twice", "m['k'] AS k"]
    frame = read(spark, source(table, select_expr=expressions))
    rows = [tuple(row) for row in frame.orderBy("id").collect()]
    assert rows == [("a", 30.0, 1, 2, 1.5), ("b", 40.0, 1, 4, 1.5), ("c", None, 1, 6, 1.5)]
    assert columns(spark, source(table, select_expr=expressions)) == [
        ("id", "string"),
        ("age", "double"),
        ("u", "long"),
        ("twice", "integer"),
        ("k", "double"),
    ]


def test_formats_and_options(spark: Any, tmp_path: Path) -> None:
    pq.write_table(ROWS.select(["id", "n"]), tmp_path / "t.parquet")
    assert columns(spark, source(tmp_path / "t.parquet", "parquet")) == [("id", "string"), ("n", "integer")]
    (tmp_path / "t.csv").write_text("id;n\na;1\nb;2\n")
    csv = source(
        tmp_path / "t.csv", "csv", read_options={"header": "true", "sep": ";", "inferSchema": "true"}
    )
    assert [name for name, _ in columns(spark, csv)] == ["id", "n"]
    assert read(spark, csv).selectExpr("sum(n) AS n").collect()[0]["n"] == 3
    (tmp_path / "t.json").write_text('{"id": "a", "s": {"u": 1.5}}\n')
    assert dict(columns(spark, source(tmp_path / "t.json", "json")))["id"] == "string"


def test_a_version_of_the_table(spark: Any, tmp_path: Path) -> None:
    write_deltalake(tmp_path, ROWS)
    write_deltalake(tmp_path, ROWS, mode="append")
    assert read(spark, source(tmp_path)).count() == 6
    assert read(spark, source(tmp_path, read_options={"versionAsOf": "0"})).count() == 3


def test_hidden_options_are_left_out(table: Path) -> None:
    class Reader:
        options_seen: dict[str, str]

        def format(self, _: str) -> Reader:
            return self

        def options(self, **given: str) -> Reader:
            self.options_seen = given
            return self

        def load(self, path: str) -> Any:
            self.path = path
            return type("Frame", (), {"columns": ["id"]})()

    reader = Reader()
    session: Any = type("Session", (), {"read": reader})()
    options = {"fs.s3a.secret.key": "***", "header": "true", "url": "jdbc:x?password=***"}
    read(session, source("s3://bucket/t", read_options=options), embedded=False)
    assert reader.options_seen == {"header": "true"}
    assert reader.path == "s3a://bucket/t"
    read(session, source("s3a://bucket/t"))
    assert reader.path == "s3://bucket/t"


@pytest.mark.parametrize("sample_by", [None, "id"])
def test_a_sample_is_the_same_each_time(spark: Any, tmp_path: Path, sample_by: str | None) -> None:
    numbers = list(range(4000))
    write_deltalake(tmp_path, pa.table({"id": [f"i{n}" for n in numbers], "n": numbers}))

    def taken(size: float) -> set[int]:
        frame = read(spark, source(tmp_path, sample_size=size), sample_by=sample_by)
        return {row["n"] for row in frame.collect()}

    quarter = taken(0.25)
    assert quarter == taken(0.25)
    assert quarter < taken(0.5)
    # Four standard deviations of a binomial distribution around its mean.
    assert abs(len(quarter) - 1000) < 4 * (4000 * 0.25 * 0.75) ** 0.5


def test_samples_of_two_tables_take_the_same_ids(spark: Any, tmp_path: Path) -> None:
    ids = [str(n) for n in range(1000)]
    write_deltalake(tmp_path / "served", pa.table({"id": ids, "x": [1.0] * 1000}))
    write_deltalake(tmp_path / "actual", pa.table({"id": ids[::-1], "label": [True] * 1000}))
    taken = [
        {row["id"] for row in read(spark, source(tmp_path / name, sample_size=0.1), sample_by="id").collect()}
        for name in ("served", "actual")
    ]
    assert taken[0] == taken[1]
    assert taken[0]


def test_types_are_known_without_a_scan(s3: S3) -> None:
    write_deltalake(s3.uri("t"), ROWS, storage_options=s3.delta_options)
    client = s3.client()
    (data,) = DeltaTable(s3.uri("t"), storage_options=s3.delta_options).file_uris()
    client.delete_object(Bucket=s3.bucket, Key=data.removeprefix(f"s3://{s3.bucket}/"))
    with strict_s3(s3.endpoint) as proxy:
        known = AwsCredentials("key", "secret-key", region=servers.S3_REGION, endpoint_url=proxy.endpoint)
        with spark_session("embedded", known) as spark:
            assert columns(spark, source(s3.uri("t"), select_expr=["n + 1 AS m"])) == [("m", "integer")]
        assert {key for key in proxy.seen_keys() if "_delta_log/" not in key} == {"t"}


@pytest.mark.parametrize(
    "other",
    [
        {"type": "glue", "config": {"query": "SELECT 1"}},
        {"type": "jdbc", "config": {"url": "jdbc:x", "query": "SELECT 1", "password": "planted-password"}},
        {"type": "athena", "config": {"url": "jdbc:x", "query": "SELECT 1", "s3_output_location": "s3://b"}},
        {"type": "bigquery", "config": {"credentials_base64": "planted-password", "table": "t"}},
    ],
)
def test_other_sources_say_what_they_need(other: dict[str, Any]) -> None:
    made: DataSource = DATA_SOURCES[other["type"]](**other["config"])
    with pytest.raises(ValidationError, match="it would require") as caught:
        read(None, made)  # type: ignore[arg-type]
    assert "planted-password" not in str(caught.value)


class TestFailures:
    def test_nothing_there(self, spark: Any, tmp_path: Path) -> None:
        for object_format in ("delta", "parquet", "csv", "json"):
            with pytest.raises(NotFoundError, match=str(tmp_path / "none")):
                columns(spark, source(tmp_path / "none", object_format))

    @pytest.mark.parametrize("expression", ["no_such_column", "no_such_function(n)", "n +", "n + m"])
    def test_expressions_the_engine_refuses(self, spark: Any, table: Path, expression: str) -> None:
        with pytest.raises(ValidationError, match="could not be read: ") as caught:
            columns(spark, source(table, select_expr=[expression]))
        assert "\n" not in caught.value.message
        assert len(caught.value.message) < 500

    def test_no_parquet(self, spark: Any, tmp_path: Path) -> None:
        (tmp_path / "x.parquet").write_bytes(b"nonsense")
        with pytest.raises(ValidationError, match="Corrupt footer"):
            columns(spark, source(tmp_path, "parquet"))

    def test_no_bucket_and_nobody_there(self, s3: S3) -> None:
        for endpoint, error in (
            (s3.endpoint, NotFoundError),
            (f"http://127.0.0.1:{servers.free_port()}", TransientError),
        ):
            known = AwsCredentials("key", "planted-secret", region=servers.S3_REGION, endpoint_url=endpoint)
            with spark_session("embedded", known) as spark, pytest.raises(error) as caught:
                columns(spark, source("s3://no-such-bucket/t", "parquet"))
            assert "planted-secret" not in str(caught.value)

    def test_denied(self, s3: S3) -> None:
        nobody = {"Version": "2012-10-17", "Statement": []}
        with strict_s3(s3.endpoint, nobody) as proxy:
            known = AwsCredentials(
                "key", "planted-secret", region=servers.S3_REGION, endpoint_url=proxy.endpoint
            )
            with spark_session("embedded", known) as spark, pytest.raises(AuthenticationError) as caught:
                columns(spark, source(s3.uri("t"), "parquet"))
        assert "planted-secret" not in str(caught.value)


class TestCounts:
    def test_counts_and_examples(self, spark: Any, tmp_path: Path) -> None:
        rows = pa.table({"id": ["a", "b", "b", "c", "c", "c", None, None], "n": [1, 2, 3, 4, 5, 6, 7, None]})
        write_deltalake(tmp_path, rows)
        checks = [RowCheck("odd", "n % 2 = 1", "n"), RowCheck("huge", "n > 100", "n")]
        where = source(tmp_path)
        found = count_invalid_rows(read(spark, where), where, checks, id_column="id")
        assert found.rows == 8
        assert (found.duplicates.count, found.duplicates.example) == (2, "b")
        assert [(fault.count, fault.example) for fault in found.faults] == [(4, "1"), (0, None)]

    def test_an_empty_table(self, spark: Any, tmp_path: Path) -> None:
        DeltaTable.create(tmp_path, pa.schema([("id", pa.string())]))
        where = source(tmp_path)
        found = count_invalid_rows(
            read(spark, where), where, [RowCheck("null", "id IS NULL", "'x'")], id_column="id"
        )
        assert (found.rows, found.duplicates.count, found.faults[0].count) == (0, 0, 0)


@pytest.mark.parametrize(
    ("path", "for_spark"),
    [
        ("s3://bucket/t", "s3a://bucket/t"),
        ("s3://bucket", "s3a://bucket/"),
        ("s3://bucket/a b/ü%20[1]", "s3a://bucket/a b/ü%20[1]"),
        ("file:///data/a%20b", "file:///data/a b"),
        ("/data/a%20b", "file:///data/a%20b"),
    ],
)
def test_apache_spark_gets_paths_decoded(path: str, for_spark: str) -> None:
    version = type("Frame", (), {"collect": lambda _: [["4.1.0 abc"]]})()
    session: Any = type("Session", (), {"sql": lambda *_: version, "version": "4.1.0"})()
    assert engine_path(session, source(path), embedded=False) == for_spark


def test_there_is_a_reader_for_every_type_of_data_source_that_is_readable() -> None:
    assert set(READERS) == {name for name, source in DATA_SOURCES.items() if source.readable}
