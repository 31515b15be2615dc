"""A sync on Apache Spark stores what a sync on the embedded engine does, to the last bit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.schema import VersionSchema
from tests import servers
from tests.backend.syncing import SyncedVersion, bucket, times
from tests.conftest import S3
from tests.spark.conftest import Engines
from tests.spark.server import Cluster

SCHEMA = VersionSchema(
    model_type="binary",
    raw_inputs={"note": "text", "seen": "datetime"},
    features={
        "age": "numeric",
        "price": "numeric",
        "city": "categorical",
        "vip": "boolean",
        "place": "vector",
        "image": {"type": "tensor", "dimensions": [2, 2]},
        "parts": "dict",
        "bag": "dict",
        "tags": "array",
    },
    predictions={"score": "numeric"},
)
RANKING = VersionSchema(
    model_type="ranking",
    features={"age": "numeric"},
    raw_inputs={"note": "string"},
    predictions={"score": "numeric"},
    mapping={"batch_id_column_name": "note", "relevance_column_name": "score"},
)
PLAIN = VersionSchema(
    model_type="binary",
    features={"age": "numeric", "city": "categorical"},
    predictions={"score": "numeric"},
)
PARTS = pa.struct([("a", pa.float64()), ("b", pa.float32())])


def rows(first: int, count: int) -> pa.Table:
    """Rows of three days with something odd in every column."""
    rng = np.random.default_rng(first)
    places = range(count)

    def some(values: Any, type_: pa.DataType, every: int = 9) -> pa.Array:
        return pa.array([None if n % every == 0 else value for n, value in enumerate(values)], type_)

    return pa.table(
        {
            "id": [f"{first + n}" for n in places],
            "at": times([None if n % 50 == 0 else 1 + 3 * n / count for n in places]),
            "age": some(np.where(rng.random(count) < 0.02, np.inf, rng.lognormal(3, 2, count)), pa.float64()),
            "price": pa.array([None if n % 5 == 0 else n * 7 - 900 for n in places], pa.int64()).cast(
                pa.decimal128(21, 2)
            ),
            "city": some([("Zürich", "東京", "", f"new {n}")[n % 4] for n in places], pa.string()),
            "vip": some(rng.random(count) < 0.3, pa.bool_()),
            "place": some(map(list, rng.normal(size=(count, 3))), pa.list_(pa.float64())),
            "image": some([[[1.0, 2.0], [3.0, float(n)]] for n in places], pa.list_(pa.list_(pa.float32()))),
            "parts": some([{"a": n / 3, "b": None} for n in places], PARTS),
            "bag": some([[("k", n / 3), ("l", None)] for n in places], pa.map_(pa.string(), pa.float64())),
            "tags": some([["x", f"t{n % 3}"] for n in places], pa.list_(pa.string())),
            "note": some([f"q{n // 4}" for n in places], pa.string()),
            "seen": some(range(10**15, 10**15 + count), pa.timestamp("us")),
            "score": some(rng.random(count), pa.float64(), 31),
        }
    )


def labels(known: float, ids: list[str], seed: int) -> pa.Table:
    given = random.Random(seed)
    return pa.table(
        {
            "id": ids,
            "known": times([known] * len(ids)),
            "churned": pa.array([given.choice([True, False, None]) for _ in ids], pa.bool_()),
        }
    )


@pytest.fixture
def monitored_versions(
    tmp_path: Path, cluster: Cluster, engines: Engines, s3: S3, request: pytest.FixtureRequest
) -> Iterator[tuple[SyncedVersion, SyncedVersion]]:
    """The same tables, synced by each engine."""
    known = AwsCredentials(servers.S3_KEY, servers.S3_SECRET, None, servers.S3_REGION, s3.endpoint)
    with (
        EmbeddedRegistry(f"sqlite:///{tmp_path}/spark.db", "prod") as on_spark,
        EmbeddedRegistry(f"sqlite:///{tmp_path}/sail.db", "prod") as on_sail,
    ):
        yield (
            SyncedVersion(tmp_path, on_spark, cluster.url, known, s3.uri("t"), s3.delta_options).register(
                request.param
            ),
            SyncedVersion(tmp_path, on_sail, "embedded", known, s3.uri("t"), s3.delta_options).register(
                request.param
            ),
        )


def synced(monitored_versions: tuple[SyncedVersion, SyncedVersion], *roles: str) -> None:
    """Sync on both engines, and hold their states against each other."""
    for monitored in monitored_versions:
        for role in roles:
            monitored.sync(role)
    spark, sail = (monitored.stored() for monitored in monitored_versions)
    assert spark.keys() == sail.keys()
    assert {key: state for key, state in spark.items() if state != sail[key]} == {}
    assert len(spark) > 20


@pytest.mark.parametrize("monitored_versions", [SCHEMA], indirect=True)
def test_states_are_equal_through_a_tables_life(
    monitored_versions: tuple[SyncedVersion, SyncedVersion], engines: Engines, s3: S3
) -> None:
    monitored = monitored_versions[0]
    monitored.write("training", rows(10_000, 600))
    monitored.write("serving", rows(0, 400))
    monitored.write("actuals", labels(2.0, [str(n) for n in range(0, 300)], 1))
    for each in monitored_versions:
        each.connect("training")
        each.connect("serving")
        each.connect("actuals")
    synced(monitored_versions, "training", "serving", "actuals")
    path = s3.uri("t/serving").replace("s3://", "s3a://")
    spark = engines.cluster.spark
    spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    spark.sql(f"DELETE FROM delta.`{path}` WHERE cast(id AS int) % 7 = 3")
    synced(monitored_versions, "serving")
    assert all(each.status()["lag"] == 0 for each in monitored_versions)
    monitored.write("actuals", labels(3.0, [str(n) for n in range(200, 500)], 2))
    synced(monitored_versions, "actuals")
    spark.sql(f"UPDATE delta.`{path}` SET age = age + 1, city = 'moved' WHERE cast(id AS int) < 20")
    spark.sql(f"OPTIMIZE delta.`{path}`")
    synced(monitored_versions, "serving")
    kept = [n for n in range(400) if n % 7 != 3]
    assert monitored_versions[0].status()["rows"] == monitored_versions[1].status()["rows"] == len(kept)


@pytest.mark.parametrize("monitored_versions", [RANKING], indirect=True)
def test_queries_are_gathered_alike(monitored_versions: tuple[SyncedVersion, SyncedVersion]) -> None:
    monitored = monitored_versions[0]
    monitored.write("serving", rows(0, 400).select(["id", "at", "age", "note", "score"]))
    ids = [str(n) for n in range(400)]
    relevance = pa.array([n % 4 for n in range(400)], pa.int32())
    monitored.write("actuals", pa.table({"id": ids, "known": times([5.0] * 400), "churned": relevance}))
    for each in monitored_versions:
        each.connect("serving")
        each.connect("actuals")
    synced(monitored_versions, "serving", "actuals")


@pytest.mark.parametrize("monitored_versions", [PLAIN], indirect=True)
def test_columns_that_are_renamed_and_widened(
    monitored_versions: tuple[SyncedVersion, SyncedVersion], engines: Engines, s3: S3
) -> None:
    run, table = engines.cluster.spark.sql, f"delta.`{s3.uri('t/serving').replace('s3://', 's3a://')}`"
    run(
        f"CREATE TABLE {table} (id STRING, at TIMESTAMP, age INT, city STRING, score DOUBLE, extra INT) "
        "USING delta TBLPROPERTIES ('delta.columnMapping.mode' = 'name', 'delta.enableTypeWidening' = 'true')"
    )

    def insert(day: int, age: str) -> None:
        at = f"timestamp'2024-01-0{day} 00:00:00+00:00'"
        values = f"cast(id AS string), {at}, {age}, concat('c', id % 3), id / 1024, 1"
        run(f"INSERT INTO {table} SELECT {values} FROM range({day * 100}, {day * 100 + 20})")

    insert(1, "cast(id AS int)")
    for each in monitored_versions:
        each.connect("serving")
        each.sync()
    run(f"ALTER TABLE {table} ALTER COLUMN age TYPE BIGINT")
    run(f"ALTER TABLE {table} RENAME COLUMN extra TO other")
    insert(2, "id + 3000000000")
    for each in monitored_versions:
        status = each.sync()
        # A wider type can change how the values of earlier rows are read.
        assert status["reason"].startswith(
            "columns that are read were replaced, or their type changed: 'age'"
        )
        assert status["rows_read"] == 40
        ages = {place: state.to_json()["greatest"] for place, state in each.states("features.age").items()}
        assert ages == {bucket(1): 119.0, bucket(2): 3_000_000_219.0}
        each.check()
    assert monitored_versions[0].stored() == monitored_versions[1].stored()
    before = monitored_versions[0].stored()
    run(f"ALTER TABLE {table} RENAME COLUMN city TO town")
    insert(3, "id")
    for each in monitored_versions:
        with pytest.raises(ValidationError, match="'city'"):
            each.sync()
        assert (each.status()["status"], each.stored()) == ("failed", before)
    run(f"ALTER TABLE {table} RENAME COLUMN town TO city")
    for each in monitored_versions:
        assert (each.sync()["rows_read"], each.status()["status"]) == (20, "synced")
        each.check()
    assert monitored_versions[0].stored() == monitored_versions[1].stored()
