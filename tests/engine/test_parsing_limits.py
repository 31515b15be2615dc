"""Expressions that are nested or long are parsed or refused in an amount of work that their length bounds."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.sql.expressions import check_select_expr, source_columns, unchanged_columns
from aporia_provider.errors import ValidationError
from aporia_provider.models import Model
from aporia_provider.schema import VersionSchema
from tests.sizes import sized

NAMES = [
    "struct",
    "array",
    "date",
    "timestamp",
    "string",
    "int",
    "double",
    "decimal",
    "varchar",
    "coalesce",
    "trim",
    "list",
    "row",
    "object",
    "nullable",
    "vector",
    "union",
    "map",
    "unnest",
    "cube",
    "from_json",
    "char_length",
    "json_object",
    "values",
    "lower",
    "greatest",
]
# What is repeated before the core, the core, and what is repeated after it.
SHAPES = [
    *((f"{name}(", "a", ")") for name in NAMES),
    ("(", "a", ")"),
    ("(1, ", "a", ")"),
    ("(select ", "a", ")"),
    ("(with x as ", "(select 1)", " select 1)"),
    ("named_struct('k', ", "a", ")"),
    ("map('k', ", "a", ")"),
    ("case when x then ", "a", " end"),
    ("case when ", "a", " then 1 end"),
    ("case ", "a", " when 1 then 2 end"),
    ("case when x then struct(", "a", ") end"),
    ("if(", "a", ", 1, 0)"),
    ("not ", "a", ""),
    ("- ", "a", ""),
    ("~", "a", ""),
    ("a and not ", "a", ""),
    ("cast(", "a", " as int)"),
    ("try_cast(", "a", " as int)"),
    ("cast(struct(", "a", ") as int)"),
    ("transform(xs, x -> ", "a", ")"),
    ("aggregate(xs, 0, (x, y) -> ", "a", ")"),
    ("filter(xs, x -> struct(", "a", "))"),
    ("exists(xs, x -> ", "a", ")"),
    ("x -> ", "a", ""),
    ("(x, y) -> ", "a", ""),
    ("interval ", "1", ""),
    ("interval (", "1", ") day"),
    ("date ", "a", ""),
    ("timestamp ", "a", ""),
    ("xs[", "1", "]"),
    ("[", "a", "]"),
    ("{", "a", "}"),
    ("{'k': ", "a", "}"),
    ("x in (", "a", ")"),
    ("x between 1 and (", "a", ")"),
    ("x like any (", "a", ")"),
    ("extract(year from ", "a", ")"),
    ("trim(both 'x' from ", "a", ")"),
    ("substring(", "a", " from 1)"),
    ("position('x' in ", "a", ")"),
    ("overlay(", "a", " placing b from 1)"),
    ("left(", "a", ", 1)"),
    ("decode(", "a", ", 'utf-8')"),
    ("convert(", "a", ", int)"),
    ("date_trunc('day', ", "a", ")"),
    ("date_add(", "a", ", 1)"),
    ("1 & (", "a", ")"),
    ("/* ", "a", " */"),
    ("/*", "a", ""),
    ("`", "a", "`"),
    ("'", "a", "'"),
    ('"', "a", '"'),
    ("", "a", "::int"),
    ("", "a", ".b"),
    ("", "a", "[0]"),
    ("", "a", " || a"),
    ("", "a", " is not null"),
    ("", "a", " as"),
]
TYPES = [
    ("array<", "int", ">"),
    ("map<int, ", "int", ">"),
    ("struct<a: ", "int", ">"),
    ("struct<a: array<", "int", ">>"),
    ("array(", "int", ")"),
    ("struct(a ", "int", ")"),
    ("decimal(", "1", ")"),
    ("int(", "1", ")"),
]
CALLS = 1_500_000
"""Limit of the calls of functions. Parsing 2,000 plain columns takes two thirds of it."""


def calls_of(expressions: list[str]) -> int:
    """How many functions are called to check expressions, which does not depend on the machine."""
    count = 0

    def counted(_: FrameType, event: str, __: Any) -> None:
        nonlocal count
        count += event == "call"
        if count > CALLS:
            raise AssertionError(f"{expressions[0][:40]!r} takes more than {CALLS} calls")

    sys.setprofile(counted)
    try:
        check_select_expr(expressions)
    finally:
        sys.setprofile(None)
    return count


def nested(shape: tuple[str, str, str], levels: int) -> str:
    before, core, after = shape
    return before * levels + core + after * levels


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}…{shape[2]}")
def test_no_nesting_takes_more_work_than_the_limit(shape: tuple[str, str, str]) -> None:
    for levels in (30, 400):
        calls_of([nested(shape, levels)])


@pytest.mark.slow
@pytest.mark.parametrize("shape", TYPES, ids=lambda shape: f"{shape[0]}…{shape[2]}")
def test_no_nesting_of_types_takes_more_work_than_the_limit(shape: tuple[str, str, str]) -> None:
    for levels in (30, 400):
        calls_of([f"cast(x as {nested(shape, levels)})", f"x::{nested(shape, levels)}"])


@pytest.mark.slow
@settings(max_examples=sized(10, 25), derandomize=True)
@given(st.lists(st.sampled_from(SHAPES), min_size=4, max_size=40))
def test_no_mixture_of_shapes_takes_more_work_than_the_limit(shapes: list[tuple[str, str, str]]) -> None:
    text = "a"
    for before, _, after in shapes:
        text = before + text + after
    calls_of([text] * 3)


@pytest.mark.slow
def test_expressions_share_the_limit_of_work() -> None:
    many = [nested(SHAPES[0], 7)] * 200
    calls_of(many)
    assert check_select_expr(many)[-1].startswith("select_expr: parsing them takes too long")


@pytest.mark.slow
def test_wide_tables_and_long_expressions_pass() -> None:
    columns = [f"features.column_number_{number} AS column_{number}" for number in range(2000)]
    mapping = " ".join(f"when x = {number} then 'value {number}'" for number in range(1000))
    deep = "coalesce(" * 15 + "a" + ", 0)" * 15
    types = "cast(x as struct<a: array<map<string, struct<b: int, c: array<array<double>>>>>, d: int>)"
    calls = "date(timestamp(string(cast(x as decimal(10, 2)))))"
    comparisons = " and ".join(f"a < {number}" for number in range(100))
    assert check_select_expr([*columns, f"case {mapping} end", deep, types, calls, comparisons]) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("expressions", "expected_text"),
    [
        (["a", "(" * 33 + "a" + ")" * 33], "select_expr[1] '(((((((((((((((((("),
        (["(" * 33 + "a" + ")" * 33], "it is nested too deeply: at most 32 brackets"),
        (["- " * 33 + "a"], "it is nested too deeply"),
        (["a" + " || a" * 1000], "more than 300 nested operations, which is the limit"),
        (["a" + "::int" * 301], "more than 300 nested operations, which is the limit"),
        (["cast(x as " + "array<" * 32 + "int" + ">" * 32 + ")"], "it is nested too deeply"),
        (["a" * 200_001, "b"], "select_expr: they have 200,002 characters in total; 200,000 is the limit"),
        (
            ["a+" * 11_000 + "a"],
            "select_expr: they have more than 20,000 words and signs",
        ),
    ],
)
def test_limits_say_what_is_exceeded(expressions: list[str], expected_text: str) -> None:
    problems = check_select_expr(expressions)
    assert expected_text in " | ".join(problems)
    assert sum("limit" in line or "too deep" in line for line in problems) == 1


@pytest.mark.parametrize("trace", [unchanged_columns, source_columns])
def test_expressions_that_were_stored_before_are_limited_as_well(trace: Any) -> None:
    with pytest.raises(ValidationError, match="takes too long"):
        trace([nested(SHAPES[0], 20)], ["a"])


@pytest.mark.slow
def test_an_expression_of_321_characters_does_not_stop_other_writers(tmp_path: Path) -> None:
    """Whenever the parser begins, another connection can write at once."""
    url = f"sqlite:///{tmp_path}/aporia.db"
    other = sqlalchemy.create_engine(url, connect_args={"timeout": 0})
    writes = []

    def write_meanwhile(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_name == "parse" and "sqlglot" in frame.f_code.co_filename:
            sys.setprofile(None)
            with other.begin() as connection:
                written = connection.exec_driver_sql("UPDATE aporia_model SET owner = 'other'").rowcount
            writes.append(written)

    expression = nested(SHAPES[0], 40)
    assert len(expression) == 321
    source = S3DataSource(object_path="b/k", object_format="delta", select_expr=["a AS b", expression])
    with EmbeddedRegistry(url, "prod") as registry:
        registry.create_model(Model(id="m", name="M"))
        schema = VersionSchema(model_type="binary", features={"a": "numeric"}, predictions={"p": "boolean"})
        registry.create_model_version("m", "v1", schema)
        sys.setprofile(write_meanwhile)
        try:
            with pytest.raises(ValidationError, match=r"takes too long|nested too deeply"):
                registry.connect_dataset(
                    "m",
                    "v1",
                    DatasetConnection(
                        role="serving", data_source=source, id_column="id", timestamp_column="at"
                    ),
                )
        finally:
            sys.setprofile(None)
    other.dispose()
    assert writes == [1]
