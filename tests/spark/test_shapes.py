"""Tables as Apache Spark writes them: what a sync counts is what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.errors import ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.row_state import RowState
from aporia_provider.monitoring.states.value_state import ValueState
from tests import servers
from tests.backend.syncing import SyncedVersion
from tests.conftest import S3
from tests.spark.conftest import Engines
from tests.spark.server import Cluster

CITIES = ("plain", "a b", "ä", "c%d", "x/y", "e=f", "q?", "#1", "[z]", "{w}", "50% off", None)
ROWS = 48
Row = dict[str, Any]
Value = Callable[[int], Any]


def cents(n: int) -> Decimal:
    """An amount in cents, an eighth of which are no multiples of a power of two."""
    return Decimal(n * 7 + 1999).scaleb(-2)


@dataclass(frozen=True)
class Shape:
    """
    A table, how it is written, and the rows it then has.

    :param type_: SQL type of the column ``age``.
    :param time: SQL type of the column ``at``.
    :param age: The value of ``age`` in row ``n``.
    :param sql: SQL of that value, from ``id``.
    :param options: What follows the columns when the table is created.
    :param then: Statements that follow the first rows; ``{t}`` is the table.
    :param changed: What they make of a row; None if they delete it.
    :param path: Where the table is that is read.
    :param on_spark: Whether it is synced by Apache Spark as well, which takes several seconds.
    :param refused: What the embedded engine says of a table that it cannot read.
    :param properties: Properties of the table.
    """

    type_: str = "DOUBLE"
    time: str = "TIMESTAMP"
    age: Value = lambda n: n / 8
    sql: str = "id / 8"
    options: str = ""
    then: tuple[str, ...] = ()
    changed: Callable[[int, Row], Row | None] = lambda n, row: row
    path: str = "t/serving"
    properties: dict[str, str] = field(default_factory=dict)
    on_spark: bool = False
    refused: str | None = None

    def rows(self) -> list[Row]:
        """The rows in the end."""
        made = (self.changed(n, self.row(n)) for n in range(ROWS))
        return [row for row in made if row is not None]

    def row(self, n: int) -> Row:
        """A row as it was written."""
        return {"age": self.age(n), "city": CITIES[n % len(CITIES)], "score": n / 64}


DELETED = Shape(
    then=("DELETE FROM {t} WHERE cast(id AS int) % 5 = 3",),
    changed=lambda n, row: None if n % 5 == 3 else row,
    properties={"delta.enableDeletionVectors": "true"},
)
MAPPED = {"delta.columnMapping.mode": "name"}
SHAPES = {
    "partitions": Shape(options="PARTITIONED BY (city)"),
    "deletion vectors": DELETED,
    "deletion vectors in partitions": replace(DELETED, options="PARTITIONED BY (city)", on_spark=True),
    "a column that was dropped and added again": Shape(
        then=("ALTER TABLE {t} DROP COLUMN age", "ALTER TABLE {t} ADD COLUMN age DOUBLE"),
        changed=lambda n, row: {**row, "age": None},
        properties=MAPPED,
    ),
    "columns that exchanged their names": Shape(
        then=(
            "ALTER TABLE {t} RENAME COLUMN age TO other",
            "ALTER TABLE {t} RENAME COLUMN score TO age",
            "ALTER TABLE {t} RENAME COLUMN other TO score",
        ),
        changed=lambda n, row: {**row, "age": row["score"], "score": row["age"]},
        properties=MAPPED,
        on_spark=True,
    ),
    "mapped by id": Shape(properties={"delta.columnMapping.mode": "id"}, options="PARTITIONED BY (city)"),
    "a v2 checkpoint": Shape(
        then=("UPDATE {t} SET age = age + 1",) * 4,
        changed=lambda n, row: {**row, "age": row["age"] + 4},
        properties={"delta.checkpointPolicy": "v2", "delta.checkpointInterval": "3"},
    ),
    "a v1 checkpoint": Shape(
        then=("UPDATE {t} SET age = age + 1",) * 4,
        changed=lambda n, row: {**row, "age": row["age"] + 4},
        properties={"delta.checkpointInterval": "3"},
        options="PARTITIONED BY (city)",
    ),
    "a widened integer": Shape(
        type_="INT",
        age=lambda n: n,
        sql="cast(id AS int)",
        then=("ALTER TABLE {t} ALTER COLUMN age TYPE BIGINT",),
        properties={"delta.enableTypeWidening": "true"},
    ),
    "a widened decimal": Shape(
        type_="DECIMAL(10, 2)",
        age=cents,
        sql="cast((id * 7 + 1999) / 100 AS decimal(10, 2))",
        then=("ALTER TABLE {t} ALTER COLUMN age TYPE DECIMAL(20, 4)",),
        properties={"delta.enableTypeWidening": "true"},
    ),
    "large decimals": Shape(
        type_="DECIMAL(38, 0)",
        age=lambda n: Decimal(10**19 + n),
        sql="cast(10000000000000000000BD + id AS decimal(38, 0))",
    ),
    "floats": Shape(
        type_="FLOAT",
        age=lambda n: float(f"{n / 10}"),
        sql="cast(id / 10 AS float)",
        on_spark=True,
    ),
    "NaN beside one value": Shape(
        age=lambda n: float("nan") if n % 4 else 0.5, sql="if(id % 4 = 0, 0.5D, double('NaN'))"
    ),
    "clustered, tracked, with a change feed": Shape(
        options="CLUSTER BY (id)",
        then=("OPTIMIZE {t}", "DELETE FROM {t} WHERE id = '7'"),
        changed=lambda n, row: None if n == 7 else row,
        properties={
            "delta.enableRowTracking": "true",
            "delta.enableChangeDataFeed": "true",
            "delta.enableInCommitTimestamps": "true",
        },
    ),
    "times without a zone": Shape(time="TIMESTAMP_NTZ"),
    "a shallow clone": Shape(
        then=(
            "CREATE TABLE delta.`{root}/clone` SHALLOW CLONE {t}",
            "DELETE FROM delta.`{root}/clone` WHERE cast(id AS int) < 4",
        ),
        changed=lambda n, row: None if n < 4 else row,
        path="t/clone",
        on_spark=True,
        refused="is a shallow clone",
    ),
}


@dataclass(frozen=True)
class SyncedVersions:
    """The same tables, synced by each engine."""

    on_spark: SyncedVersion
    embedded: SyncedVersion


@pytest.fixture
def monitored_versions(tmp_path: Path, cluster: Cluster, s3: S3) -> Iterator[SyncedVersions]:
    known = AwsCredentials(servers.S3_KEY, servers.S3_SECRET, None, servers.S3_REGION, s3.endpoint)
    with (
        EmbeddedRegistry(f"sqlite:///{tmp_path}/spark.db", "prod") as on_spark,
        EmbeddedRegistry(f"sqlite:///{tmp_path}/sail.db", "prod") as on_sail,
    ):
        engines = ((on_spark, cluster.url), (on_sail, "embedded"))
        made = [SyncedVersion(tmp_path, registry, engine, known, s3.uri("t")) for registry, engine in engines]
        yield SyncedVersions(*(monitored.register() for monitored in made))


def create(engines: Engines, s3: S3, shape: Shape) -> None:
    run = engines.cluster.spark.sql
    root = s3.uri("t").replace("s3://", "s3a://")
    table = f"delta.`{root}/serving`"
    told = ", ".join(f"'{name}' = '{value}'" for name, value in shape.properties.items())
    run(
        f"CREATE TABLE {table} (id STRING, at {shape.time}, age {shape.type_}, city STRING, vip BOOLEAN, "
        f"score DOUBLE) USING delta {shape.options} {f'TBLPROPERTIES ({told})' if told else ''}"
    )
    names = ", ".join("NULL" if city is None else f"'{city}'" for city in CITIES)
    run(
        f"INSERT INTO {table} SELECT cast(id AS string), "
        f"cast(timestamp'2024-01-01 00:00:00+00:00' + make_dt_interval(0, cast(id AS int)) AS {shape.time}), "
        f"{shape.sql}, array({names})[cast(id % {len(CITIES)} AS int)], id % 3 = 0, id / 64 "
        f"FROM range({ROWS})"
    )
    for statement in shape.then:
        run(statement.format(t=table, root=root))


def exact(value: Any) -> Fraction:
    """The double that is nearest to a number."""
    return Fraction(float(value))


def numbers(values: list[Any]) -> tuple[Any, ...]:
    """Nulls, NaN, sum, least and greatest of a column, by hand."""
    given = [value for value in values if value is not None]
    proper = [exact(value) for value in given if value == value]
    ends = (float(min(proper)), float(max(proper))) if proper else (None, None)
    return len(values) - len(given), len(given) - len(proper), sum(proper, Fraction()), *ends


def counted(monitored: SyncedVersion, key: str) -> tuple[Any, ...]:
    """The same of what a sync has stored."""
    states = list(monitored.states(key).values())
    assert all(isinstance(state, NumericState) for state in states)
    state = sum(states[1:], states[0])
    assert isinstance(state, NumericState)
    return state.nulls, state.nans, state.total, state.least, state.greatest


def assert_counts(monitored: SyncedVersion, rows: list[Row]) -> None:
    """A sync counts what is in the rows."""
    assert monitored.sync()["rows"] == len(rows)
    ids = [state for state in monitored.states("rows").values() if isinstance(state, RowState)]
    assert sum(state.null_ids + state.duplicate_ids for state in ids) == 0
    for key, column in (("features.age", "age"), ("predictions.score", "score")):
        assert counted(monitored, key) == numbers([row[column] for row in rows])
    texts = list(monitored.states("features.city").values())
    whole = sum(texts[1:], texts[0])
    assert isinstance(whole, ValueState)
    cities = [row["city"] for row in rows if row["city"] is not None]
    assert whole.counts == {city: cities.count(city) for city in set(cities)}


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_counted_is_what_was_written(
    monitored_versions: SyncedVersions, engines: Engines, s3: S3, name: str
) -> None:
    shape = SHAPES[name]
    create(engines, s3, shape)
    if shape.on_spark:
        monitored_versions.on_spark.connect("serving", path=s3.uri(shape.path))
        assert_counts(monitored_versions.on_spark, shape.rows())
    monitored_versions.embedded.connect("serving", path=s3.uri(shape.path))
    if shape.refused is not None:
        with pytest.raises(ValidationError, match=shape.refused):
            monitored_versions.embedded.sync()
        return
    assert_counts(monitored_versions.embedded, shape.rows())
    if shape.on_spark:
        assert monitored_versions.on_spark.stored() == monitored_versions.embedded.stored()
