"""The Spark SQL of a condition selects the rows of which the condition is true."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings

from aporia_provider.engine.session import spark_session
from aporia_provider.monitoring.segments import parse_condition
from aporia_provider.monitoring.segments.condition_sql import condition_sql
from tests.monitoring.segments.random_conditions import COLUMNS, TYPES, Stated, conditions

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FIELDS = {name: (f"`{name}`", type_) for name, type_ in TYPES.items()}
STATED = 150
LONG = 300


def drawn() -> list[Stated]:
    """Different random conditions."""
    found: dict[str, Stated] = {}

    @settings(max_examples=2 * STATED, database=None)
    @given(conditions)
    def collect(stated: Stated) -> None:
        if len(stated.text) < LONG:
            found.setdefault(stated.text, stated)

    collect()
    return list(found.values())[:STATED]


def table() -> tuple[pa.Table, list[dict[str, Any]]]:
    """Rows with many combinations of the values of columns."""
    rows = [
        {
            name: values[(place + shift * number) % len(values)]
            for number, (name, (_, values)) in enumerate(COLUMNS.items())
        }
        for place, shift in itertools.product(range(8), range(8))
    ]
    columns: dict[str, Any] = {"place": range(len(rows))}
    for name, (type_, _) in COLUMNS.items():
        plain = type_.value_type if pa.types.is_dictionary(type_) else type_
        columns[name] = pa.array([row[name] for row in rows], plain)
    return pa.table(columns), rows


def check_statements(spark: SparkSession, tmp_path: Path) -> None:
    """Compare the rows that random conditions select with those that are selected by hand."""
    written, rows = table()
    pq.write_table(written, tmp_path / "rows.parquet")
    stated = drawn()
    assert len(stated) > STATED / 2
    columns = [
        f"({condition_sql(parse_condition(each.text), FIELDS)}) AS c{number}"
        for number, each in enumerate(stated)
    ]
    frame = spark.read.parquet(str(tmp_path / "rows.parquet"))
    found = frame.selectExpr("place", *columns).orderBy("place").toArrow().to_pydict()
    for number, each in enumerate(stated):
        expected = [each.holds(row) is True for row in rows]
        assert [truth is True for truth in found[f"c{number}"]] == expected, each.text


def test_the_statement_selects_the_rows_of_the_condition(engine: str, tmp_path: Path) -> None:
    with spark_session(engine) as spark:
        check_statements(spark, tmp_path)


def test_times_at_the_ends_of_the_calendar(engine: str) -> None:
    """Conditions may name them, and offsets lead beyond the years 1 to 9999."""
    latest = [
        parse_condition(f"t < '{text}'") for text in ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59")
    ]
    earliest = [parse_condition(f"t > '{text}'") for text in ("0001-01-01T00:00:00+12:00", "0009-01-01")]
    fields = {"t": ("TIMESTAMP '2024-01-01T00:00:00Z'", "datetime")}
    statements = [condition_sql(condition, fields) for condition in (*latest, *earliest)]
    with spark_session(engine) as spark:
        (row,) = spark.sql(f"SELECT {', '.join(statements)}").collect()
    assert list(row) == [True] * 4
