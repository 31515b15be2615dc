"""What a function mapped over Arrow batches sees is the same on both engines."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from aporia_provider.data_sources import S3DataSource
from aporia_provider.engine.embedded.process import BATCH_ROWS
from tests.conftest import S3
from tests.spark.conftest import Engine, Engines

MOMENTS = pa.array(
    [
        "2024-03-31 01:30:00.123456",
        "1969-12-31 23:59:59.999999",
        "1900-01-01 00:00:00.000000",
        "9999-12-31 23:59:59.999999",
        None,
    ]
).cast(pa.timestamp("us"))
INSTANTS = MOMENTS.cast(pa.int64()).cast(pa.timestamp("us", "UTC"))
DAYS = MOMENTS.cast(pa.date32(), safe=False)
MICROSECONDS = MOMENTS.cast(pa.int64()).to_pylist()
MICROSECONDS_OF_DAYS = DAYS.cast(pa.timestamp("us")).cast(pa.int64()).to_pylist()
FIRST = INSTANTS[:1]
TYPES = {
    "text": (pa.array(["x"]), "string"),
    "large_text": (pa.array(["x"], pa.large_string()), "string"),
    "text_view": (pa.array(["x"], pa.string_view()), "string"),
    "dictionary": (pa.array(["x"]).dictionary_encode(), "string"),
    "binary": (pa.array([b"x"], pa.large_binary()), "binary"),
    "short": (pa.array([1], pa.int16()), "int16"),
    "number": (pa.array([1.5], pa.float32()), "float"),
    "price": (pa.array(["1.50"]).cast(pa.decimal128(10, 2)), "decimal128(10, 2)"),
    "flag": (pa.array([True]), "bool"),
    "day": (DAYS[:1], "date32[day]"),
    "aware": (FIRST.cast(pa.timestamp("ns", "UTC")), "timestamp[us, tz=UTC]"),
    "of_berlin": (
        FIRST.cast(pa.timestamp("ms", "Europe/Berlin"), safe=False),
        "timestamp[us, tz=UTC]",
    ),
    "naive": (MOMENTS[:1], "timestamp[us]"),
    "items": (pa.array([["x"]], pa.large_list(pa.large_string())), "list<element: string>"),
    "scores": (pa.array([[("k", 1.5)]], pa.map_(pa.string(), pa.float64())), "map<string, double>"),
    "record": (pa.array([{"u": 1, "w": ["x"]}]), "struct<u: int64, w: list<element: string>>"),
}


def microseconds(engine: Engine, source: S3DataSource) -> dict[str, list[int | None]]:
    """What a mapped function makes of the times of each column."""

    def look(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                times = column.cast(pa.timestamp("us", getattr(column.type, "tz", None))).cast(pa.int64())
                yield pa.RecordBatch.from_pydict({"name": [name] * len(times), "time": times})

    found: dict[str, list[int | None]] = {}
    for row in engine.frame(source).mapInArrow(look, "name string, time long").collect():
        found.setdefault(row["name"], []).append(row["time"])
    return found


def types(engine: Engine, source: S3DataSource) -> dict[str, str]:
    """The Arrow types that a mapped function sees."""

    def look(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            seen = json.dumps({field.name: str(field.type) for field in batch.schema})
            yield pa.RecordBatch.from_pydict({"seen": [seen]})

    (row,) = engine.frame(source).mapInArrow(look, "seen string").collect()
    return dict(json.loads(row["seen"]))


def delta(s3: S3, table: pa.Table) -> S3DataSource:
    write_deltalake(s3.uri("t"), table, storage_options=s3.delta_options)
    return S3DataSource(object_path=s3.uri("t"), object_format="delta")


def parquet(s3: S3, table: pa.Table) -> S3DataSource:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    s3.client().put_object(Bucket=s3.bucket, Key="t/x.parquet", Body=buffer.getvalue())
    return S3DataSource(object_path=s3.uri("t"), object_format="parquet")


@pytest.mark.parametrize("write", [delta, parquet])
def test_times(engines: Engines, s3: S3, write: Any) -> None:
    source = write(s3, pa.table({"aware": INSTANTS, "naive": MOMENTS, "day": DAYS}))
    expected = {"aware": MICROSECONDS, "naive": MICROSECONDS, "day": MICROSECONDS_OF_DAYS}
    for engine in engines:
        assert microseconds(engine, source) == expected


def test_times_of_other_writers(engines: Engines, s3: S3) -> None:
    """Of another resolution or zone; the column's name for the zone differs, what it means does not."""
    types = {"ms": pa.timestamp("ms", "UTC"), "berlin": pa.timestamp("us", "Europe/Berlin")}
    source = parquet(s3, pa.table({name: FIRST.cast(type_, safe=False) for name, type_ in types.items()}))
    expected = {"ms": [MICROSECONDS[0] // 1000 * 1000], "berlin": MICROSECONDS[:1]}
    for engine in engines:
        assert microseconds(engine, source) == expected


def test_times_in_csv(engines: Engines, s3: S3) -> None:
    body = b"id,time\n1,2024-03-05T10:00:00+02:00\n2,2024-03-05 08:00:00\n"
    s3.client().put_object(Bucket=s3.bucket, Key="t/x.csv", Body=body)
    expected = int(dt.datetime(2024, 3, 5, 8, tzinfo=dt.UTC).timestamp()) * 1_000_000
    for infer in ("true", "false"):
        options = {"header": "true", "inferSchema": infer}
        source = S3DataSource(
            object_path=s3.uri("t"),
            object_format="csv",
            read_options=options,
            select_expr=["cast(time AS timestamp) AS time"],
        )
        for engine in engines:
            assert microseconds(engine, source) == {"time": [expected] * 2}


def test_types(engines: Engines, s3: S3) -> None:
    source = delta(s3, pa.table({name: array for name, (array, _) in TYPES.items()}))
    for engine in engines:
        assert types(engine, source) == {name: text for name, (_, text) in TYPES.items()}


def test_batches_hold_all_rows(engines: Engines, s3: S3) -> None:
    """Spark fills batches of 10,000 rows of several files; the embedded engine has its own for each file."""
    source = delta(s3, pa.table({"n": range(15_000)}))
    write_deltalake(s3.uri("t"), pa.table({"n": [1]}), storage_options=s3.delta_options, mode="append")

    def look(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            yield pa.RecordBatch.from_pydict({"rows": [batch.num_rows]})

    for engine in engines:
        sizes = [row["rows"] for row in engine.frame(source).mapInArrow(look, "rows long").collect()]
        assert sum(sizes) == 15_001
        assert max(sizes) <= (BATCH_ROWS if engine.embedded else 10_000)
