"""The expressions that preflight advises: the engine takes them, and what they make fits."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Iterator
from typing import Any

import pytest

from aporia_provider.columns.types import fit
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.session import spark_session
from aporia_provider.engine.sql.expressions import check_select_expr
from aporia_provider.preflight.column_checks import check
from aporia_provider.schema import VersionSchema

pytestmark = pytest.mark.process

VALUES = {
    "text": "'1'",
    "whole": "7L",
    "number": "1.5D",
    "decimal": "cast(1.5 AS decimal(10,2))",
    "flag": "true",
    "moment": "timestamp'2024-01-01 00:00:00'",
    "day": "date'2024-01-01'",
    "texts": "array('1', '2')",
    "matrix": "array(array(1D))",
    "names": "map('a', '1')",
    "codes": "map(1, 2)",
    "mixed": "named_struct('a', 1, 'b', '3', 'c d', '2', 'e', array(1))",
    "quoted": r"""named_struct('it\'s', '1', 'a\\b', 2, '"', 3)""",
    "words": "named_struct('a', array(1))",
    "numbers": "named_struct('a', 1, 'b', 2.5D)",
    "odd name": "'0'",
}
FIELDS = ["numeric", "boolean", "categorical", "string", "text", "datetime", "vector", "array", "dict"]
ADVISED = re.compile(r"write ('.*?'|\".*?\") in select_expr")


@pytest.fixture(scope="module")
def row(engine: str) -> Iterator[Any]:
    with spark_session(engine) as spark:
        listed = ", ".join(f"{value} AS `{name}`" for name, value in VALUES.items())
        yield spark.sql(f"SELECT 'i' AS id, current_timestamp() AS at, {listed}")


def types(frame: Any) -> dict[str, Any]:
    return {item["name"]: item["type"] for item in frame.schema.jsonValue()["fields"]}


@pytest.mark.parametrize("field_type", FIELDS)
def test_advice_can_be_followed(row: Any, field_type: str) -> None:
    schema = VersionSchema(
        model_type="regression",
        features=dict.fromkeys(VALUES, field_type),
        predictions={"score": "numeric"},
    )
    dataset = DatasetConnection(
        role="serving",
        data_source=S3DataSource(object_path="b/k", object_format="delta"),
        id_column="id",
        timestamp_column="at",
        predictions={"score": "number"},
    )
    told = check(dataset, schema, list(types(row).items())).problems
    advised = {
        match[1] for line in told if (match := re.match(r"feature '(.*?)'", line)) and ADVISED.search(line)
    }
    expressions = [literal_eval(found[1]) for line in told if (found := ADVISED.search(line))]
    assert check_select_expr(expressions) == []
    made = row.selectExpr(*expressions)
    declared = schema.fields("features")
    assert set(types(made)) == advised
    assert {name: fit(declared[name], type_) for name, type_ in types(made).items()} == dict.fromkeys(
        advised, "fits"
    )
    made.collect()
    refused = [name for name in VALUES if fit(declared[name], types(row)[name]) == "differs"]
    assert len(told) == len(refused)


def test_a_struct_of_other_members_names_them(row: Any) -> None:
    schema = VersionSchema(
        model_type="regression", features={"mixed": "dict", "numbers": "dict"}, predictions={"s": "numeric"}
    )
    dataset = DatasetConnection(
        role="serving",
        data_source=S3DataSource(object_path="b/k", object_format="delta"),
        id_column="id",
        timestamp_column="at",
        predictions={"s": "number"},
    )
    (line,) = check(dataset, schema, list(types(row).items())).problems
    assert "whose 'b', 'c d', 'e' are not numbers" in line
    assert "from_json" not in line
    assert "named_struct('a', mixed.`a`, 'b', cast(mixed.`b` AS double), 'c d'" in line
