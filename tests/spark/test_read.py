"""The same source gives the same rows on Apache Spark and on the embedded engine."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from aporia_provider.data_sources import S3DataSource
from tests.conftest import S3
from tests.spark.conftest import Engines

ROWS = pa.table(
    {
        "id": [f"i{n}" for n in range(400)],
        "n": pa.array(range(400), pa.int32()),
        "features.age": [None if n % 7 == 0 else n / 4 for n in range(400)],
        "city": [("Zürich", "東京", "", None)[n % 4] for n in range(400)],
    }
)
EXPRESSIONS = ["id", "n * 2 AS twice", "coalesce(city, 'none') AS city", "`features.age` > 50 AS old"]
FORMATS = ["parquet", "csv", "json", "delta"]
OPTIONS = {"csv": {"header": "true", "inferSchema": "true"}}


def _csv() -> bytes:
    lines = [
        ",".join("" if value is None else str(value) for value in row.values()) for row in ROWS.to_pylist()
    ]
    return "\n".join([",".join(ROWS.column_names), *lines]).encode()


def _json() -> bytes:
    import json

    return "\n".join(json.dumps(row) for row in ROWS.to_pylist()).encode()


def _parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(ROWS, buffer)
    return buffer.getvalue()


FILES: dict[str, Callable[[], bytes]] = {"csv": _csv, "json": _json, "parquet": _parquet}


def written(s3: S3, object_format: str, **more: Any) -> S3DataSource:
    """The rows in a format, as a source."""
    if object_format == "delta":
        write_deltalake(s3.uri("t"), ROWS, storage_options=s3.delta_options)
    else:
        body = FILES[object_format]()
        s3.client().put_object(Bucket=s3.bucket, Key=f"t/part.{object_format}", Body=body)
    more = {"read_options": OPTIONS.get(object_format), **more}
    return S3DataSource(object_path=s3.uri("t"), object_format=object_format, **more)


@pytest.mark.parametrize("object_format", FORMATS)
class TestFormats:
    def test_all_columns(self, engines: Engines, s3: S3, object_format: str) -> None:
        rows = engines.rows(written(s3, object_format))
        assert len(rows) == ROWS.num_rows
        assert set(rows[0]) == set(ROWS.column_names)

    def test_expressions(self, engines: Engines, s3: S3, object_format: str) -> None:
        rows = engines.rows(written(s3, object_format, select_expr=EXPRESSIONS))
        assert {"id": "i1", "twice": 2, "city": "東京", "old": False} in rows

    @pytest.mark.parametrize("sample_by", [None, "id"])
    def test_a_sample(self, engines: Engines, s3: S3, object_format: str, sample_by: str | None) -> None:
        rows = engines.rows(written(s3, object_format, sample_size=0.25), sample_by)
        # Four standard deviations of a binomial distribution around its mean.
        assert abs(len(rows) - 100) < 4 * (400 * 0.25 * 0.75) ** 0.5


def test_options_of_the_reader(engines: Engines, s3: S3) -> None:
    body = b"id;n;day\n'a;b';1;02/03/2024\nc;;\n"
    s3.client().put_object(Bucket=s3.bucket, Key="t/x.csv", Body=body)
    options = {"header": "true", "sep": ";", "quote": "'"}
    source = S3DataSource(object_path=s3.uri("t"), object_format="csv", read_options=options)
    assert engines.rows(source) == [
        {"id": "a;b", "n": "1", "day": "02/03/2024"},
        {"id": "c", "n": None, "day": None},
    ]


def test_a_version_of_the_table(engines: Engines, s3: S3) -> None:
    source = written(s3, "delta")
    write_deltalake(s3.uri("t"), ROWS.slice(0, 10), storage_options=s3.delta_options, mode="overwrite")
    assert len(engines.rows(source)) == 10
    before = source.model_copy(update={"read_options": {"versionAsOf": "0"}})
    assert len(engines.rows(before)) == ROWS.num_rows


def create(spark: Any, table: str, option: str, value: str) -> None:
    """A Delta table with an option."""
    spark.sql(f"CREATE TABLE {table} (id STRING, n INT) USING delta TBLPROPERTIES ('{option}' = '{value}')")


def test_deletion_vectors(engines: Engines, s3: S3) -> None:
    spark, table = engines.cluster.spark, f"delta.`s3a://{s3.bucket}/t`"
    create(spark, table, "delta.enableDeletionVectors", "true")
    spark.sql(f"INSERT INTO {table} SELECT concat('i', id), cast(id AS int) FROM range(100)")
    spark.sql(f"DELETE FROM {table} WHERE n % 3 = 0")
    commit = s3.client().get_object(Bucket=s3.bucket, Key="t/_delta_log/00000000000000000002.json")
    assert b'"deletionVector"' in commit["Body"].read()
    rows = engines.rows(S3DataSource(object_path=s3.uri("t"), object_format="delta"))
    assert sorted(row["n"] for row in rows) == [n for n in range(100) if n % 3]


def test_column_mapping(engines: Engines, s3: S3) -> None:
    spark, table = engines.cluster.spark, f"delta.`s3a://{s3.bucket}/t`"
    create(spark, table, "delta.columnMapping.mode", "name")
    spark.sql(f"INSERT INTO {table} VALUES ('a', 1), ('b', NULL)")
    spark.sql(f"ALTER TABLE {table} RENAME COLUMN n TO amount")
    spark.sql(f"INSERT INTO {table} VALUES ('c', 3)")
    source = S3DataSource(object_path=s3.uri("t"), object_format="delta")
    assert {row["id"]: row["amount"] for row in engines.rows(source)} == {"a": 1, "b": None, "c": 3}


IDS = pa.table(
    {
        "n": range(8),
        "texts": ["a", "", "Grüße", "日本語", "👩‍🚀", "x" * 100, "a\0b", None],
        "ints": pa.array([0, 1, -1, 42, 7, 2**31 - 1, -(2**31), None], pa.int32()),
        "longs": [2**63 - 1, -(2**63), 0, 1, 2**31, 10**18, -1, None],
        "decimals": pa.array(["1.50", "-100", "0", "1", "2", "3", "0.01", None]).cast(pa.decimal128(10, 2)),
        "booleans": [True, False, True, False, True, False, True, None],
        "doubles": [1.5, 0.1, -2.0, 0.001, 9_999_999.0, float("nan"), -0.0, None],
    }
)


def test_hashes_of_ids(engines: Engines, s3: S3) -> None:
    write_deltalake(s3.uri("t"), IDS, storage_options=s3.delta_options)
    hashes = [f"xxhash64(cast({name} AS string)) AS {name}" for name in IDS.column_names]
    source = S3DataSource(object_path=s3.uri("t"), object_format="delta", select_expr=hashes)
    rows = engines.rows(source)
    assert len({row["texts"] for row in rows}) == IDS.num_rows


def test_hashes_of_large_and_small_doubles(engines: Engines, s3: S3) -> None:
    """As numbers they are equal; as text they are not: Spark writes 1.0E7, the embedded engine 10000000.0."""
    table = pa.table({"id": [1e7, 1e-4, 123_456_789.5]})
    write_deltalake(s3.uri("t"), table, storage_options=s3.delta_options)
    source = S3DataSource(object_path=s3.uri("t"), object_format="delta")
    assert len(engines.rows(source.model_copy(update={"select_expr": ["xxhash64(id) AS hash"]}))) == 3
    as_text = source.model_copy(update={"select_expr": ["xxhash64(cast(id AS string)) AS hash"]})
    assert engines.cluster.rows(as_text) != engines.embedded.rows(as_text)
