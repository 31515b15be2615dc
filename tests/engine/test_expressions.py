"""What may be written in ``select_expr``."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.engine.readers import read
from aporia_provider.engine.session import spark_session
from aporia_provider.engine.sql.expressions import check_select_expr, source_columns, unchanged_columns
from aporia_provider.engine.sql.functions import ALLOWED, SYNTAX, rejection_reason
from tests.sizes import sized

GOOD = """\
*
a
a AS b
t.*
* except (a)
struct_col.field
a.b[0].c
`features.age` AS age
`values` + 1
a AS `select`
cast(x AS double)
x::double
try_cast(a AS int)
cast(x AS decimal(10, 2)) AS x
cast(x AS struct<a: int, b: array<string>>)
transform(arr, x -> x + 1)
aggregate(arr, 0D, (acc, x) -> acc + x)
zip_with(a, b, (x, y) -> x * y)
exists(arr, x -> x > 1)
filter(arr, x -> x IS NOT NULL)
CASE WHEN (a) THEN (b) ELSE (c) END
if(a > 1, 1, 0)
to_timestamp(s)
date_trunc('hour', ts)
extract(year FROM ts)
trim(BOTH ' ' FROM s)
interval 1 day + ts
date'2020-01-01'
map['k']
arr[0]
element_at(m, 'k')
named_struct('a', 1)
struct(a, b)
array(1, 2)
coalesce(a, b)
from_json(s, 'a int, b array<double>')
vector_to_array(v)
x IN (1, 2) AND (y NOT IN (3))
x LIKE ANY ('a%', 'b%')
x IS NOT DISTINCT FROM y
a <=> b
a BETWEEN 1 AND 2
a || '(' || 'reflect(1)' || ')'
concat('-- no comment', '/* none */', '; select')
to_date(ts)
unix_timestamp(ts)
`current_date`
(a + b) * -c AS e
split(s, ',')[0]
NULL AS nothing
'{{ ds }}' AS day
count
window""".splitlines()

BAD = {
    "": "empty",
    "  ": "empty",
    "(SELECT 1)": "subqueries",
    "(select max(x) from t) AS m": "subqueries",
    "x IN (SELECT y FROM t)": "subqueries",
    "EXISTS (SELECT 1)": "subqueries",
    "(FROM t SELECT *)": "subqueries",
    "(VALUES 1)": "subqueries",
    "(TABLE t)": "query",
    "TABLE t": "query",
    "EXISTS (TABLE t)": "query",
    "a FROM t": "more than an expression",
    "a LIMIT 1": "more than an expression",
    "DISTINCT a": "more than an expression",
    "a GROUP BY b": "more than an expression",
    "/*+ BROADCAST(t) */ a": "comment",
    "1 -- hidden": "comment",
    "1 /* hidden */": "comment",
    "a UNION SELECT 1": "query",
    "a; b": "not one expression",
    "a; DROP TABLE t": "query",
    "a, b": "several expressions",
    "a AS (b, c)": "one name",
    "(a AS b) + 1": "at the end",
    "x +": "not Spark SQL",
    "((" * 3000 + "1" + "))" * 3000: "nested too deeply",
    "a b c": "near 'c' (character 5)",
    "`a": "a quote is not closed",
    "drop table t": "not Spark SQL",
    ":parameter": "parameters",
    "?": "parameters",
    "reflect('java.lang.System', 'getenv')": "reflect() is not allowed",
    "`reflect`('a', 'b')": "reflect() is not allowed",
    "REFLECT ('a', 'b')": "REFLECT() is not allowed",
    "java_method('a', 'b')": "java_method() is not allowed",
    "try_reflect('a', 'b')": "try_reflect() is not allowed",
    "identifier('x')": "identifier() is not allowed",
    "read_files('s3://b')": "read_files() is not allowed",
    "ai_query('m', x)": "ai_query() is not allowed",
    "ai_something_new(x)": "not one of the functions known",
    "http_request(conn => 'c')": "http_request() is not allowed",
    "secret('a', 'b')": "secret() is not allowed",
    "try_secret('a', 'b')": "try_secret() is not allowed",
    "input_file_name()": "compaction",
    "raise_error('x')": "fails the read",
    "catalogue.schema.f(x)": "only built-in functions",
    "`c`.`coalesce`(x)": "only built-in functions",
    "a.upper(b)": "only built-in functions",
    "count(*)": "aggregates several rows",
    "max(x)": "aggregates several rows",
    "any(x)": "aggregates several rows",
    "sum(x) OVER (PARTITION BY y)": "reads other rows",
    "row_number() OVER (ORDER BY x)": "reads other rows",
    "explode(arr)": "several rows for one",
    "rand()": "a different value at each read",
    "uuid()": "a different value at each read",
    "now() AS t": "a different value at each read",
    "current_date": "a different value at each read",
    "date_diff(CURRENT_TIMESTAMP, ts)": "a different value at each read",
    "unix_timestamp()": "a different value at each read",
    "current_user AS who": "a different value at each read",
}


@pytest.mark.parametrize("expression", GOOD)
def test_what_people_write_passes(expression: str) -> None:
    assert check_select_expr([expression]) == []


@pytest.mark.parametrize(("expression", "expected_text"), BAD.items())
def test_what_is_no_expression_is_refused(expression: str, expected_text: str) -> None:
    problems = check_select_expr([expression])
    assert expected_text in " | ".join(problems)


def test_every_fault_of_every_expression_is_named_at_once() -> None:
    problems = check_select_expr(["a", "reflect(rand())", "b", "count(1) -- x"])
    assert [line.partition(": ")[0] for line in problems] == [
        "select_expr[1] 'reflect(rand())'",
        "select_expr[1] 'reflect(rand())'",
        "select_expr[3] 'count(1) -- x'",
        "select_expr[3] 'count(1) -- x'",
    ]
    assert ["reflect()" in problems[0], "rand()" in problems[1]] == [True, True]


NAMES = sorted(ALLOWED - {"cast", "try_cast", "extract", "position", "trim", "overlay", "date", "timestamp"})
FORBIDDEN = [
    "reflect('a')",
    "`reflect`('a')",
    "JAVA_METHOD('a')",
    "c.s.f(1)",
    "(SELECT 1)",
    "no_such_function()",
    "sum(x) OVER ()",
    "explode(x)",
    "secret('a', 'b')",
]


SHAPES = [
    "{name}({inner})",
    "{name}(a, {inner}, b)",
    "CASE WHEN x THEN {inner} END",
    "cast({inner} AS string)",
    "transform(xs, x -> {inner})",
    "xs[{inner}]",
    "(a + {inner}) * 2",
    "x IN (1, {inner})",
    "NOT {inner} IS NULL",
]
LAYERS = st.lists(st.tuples(st.sampled_from(SHAPES), st.sampled_from(NAMES)), max_size=8)


def nested(core: str, layers: list[tuple[str, str]]) -> str:
    for shape, name in layers:
        core = shape.format(name=name, inner=core)
    return core


@pytest.mark.slow
@settings(max_examples=sized(75, 300))
@given(st.sampled_from(FORBIDDEN), LAYERS)
def test_nothing_forbidden_hides_at_any_depth(core: str, layers: list[tuple[str, str]]) -> None:
    assert check_select_expr([f"{nested(core, layers)} AS y"])


@pytest.mark.slow
@settings(max_examples=sized(75, 300))
@given(st.sampled_from(["a", "1", "'x'", "s.f"]), LAYERS)
def test_functions_are_never_refused_for_what_they_are_around(
    core: str, layers: list[tuple[str, str]]
) -> None:
    """The counterpart: without something forbidden inside, no function's name is complained of."""
    assert not [line for line in check_select_expr([nested(core, layers)]) if "is not allowed" in line]


@pytest.mark.slow
@given(st.text(max_size=30))
@settings(max_examples=sized(75, 300))
def test_any_text_is_answered(expression: str) -> None:
    assert all(isinstance(line, str) for line in check_select_expr([expression]))


def test_no_name_is_both_allowed_and_refused() -> None:
    assert not {"reflect", "count", "explode", "rand", "over", "except", "exec"} & (ALLOWED | SYNTAX)
    assert rejection_reason("UPPER") is None
    assert rejection_reason("Reflect") is not None


class TestUntouched:
    columns = ("id", "ts", "Amount", "a.b")

    @pytest.mark.parametrize(
        ("expressions", "expected"),
        [
            (None, {"id": "id", "ts": "ts", "Amount": "Amount", "a.b": "a.b"}),
            (["*"], {"id": "id", "ts": "ts", "Amount": "Amount", "a.b": "a.b"}),
            (["* except (ts)", "upper(id) AS u"], {"id": "id", "Amount": "Amount", "a.b": "a.b"}),
            (["id AS key", "`a.b` AS ab", "ts"], {"key": "id", "ab": "a.b", "ts": "ts"}),
            (["amount"], {"amount": "Amount"}),
            (["cast(id AS long) AS id", "to_timestamp(ts) AS ts"], {}),
            (["*", "ts + interval 1 day AS ts"], {"id": "id", "Amount": "Amount", "a.b": "a.b"}),
            (["*", "id AS TS"], {"id": "id", "Amount": "Amount", "a.b": "a.b"}),
            (["s.id", "missing"], {}),
        ],
    )
    def test_only_copies_are_told(self, expressions: list[str] | None, expected: dict[str, str]) -> None:
        assert unchanged_columns(expressions, self.columns) == expected


class TestSources:
    columns = ("id", "ts", "Amount", "s")

    @pytest.mark.parametrize(
        ("expressions", "expected"),
        [
            (None, {"id": "id", "ts": "ts", "Amount": "Amount", "s": "s"}),
            (["* except (ts, s)"], {"id": "id", "Amount": "Amount"}),
            (["upper(ID) AS u", "s.x AS x", "missing"], {"u": "id", "x": "s", "missing": ""}),
            (["amount * 2 + s.x AS both", "1 AS one"], {"both": "Amount s", "one": ""}),
            (["to_json(struct(*)) AS every"], {"every": "id ts Amount s"}),
            (["id", "ts AS id"], {"id": "id ts"}),
            (["id + 1"], {}),
        ],
    )
    def test_all_that_are_named_are_told(
        self, expressions: list[str] | None, expected: dict[str, str]
    ) -> None:
        found = source_columns(expressions, self.columns)
        assert found == {name: frozenset(listed.split()) for name, listed in expected.items()}


@pytest.mark.process
def test_a_subquery_would_have_run(tmp_path: Path) -> None:
    """Why it has to be refused here: the engine itself lets it through."""
    import pyarrow as pa
    from deltalake import write_deltalake

    from aporia_provider.data_sources import S3DataSource

    write_deltalake(tmp_path, pa.table({"x": [1]}))
    expression = "(SELECT 41 + 1) AS y"
    assert check_select_expr([expression])
    source = S3DataSource(object_path=str(tmp_path), object_format="delta", select_expr=[expression])
    with spark_session() as spark:
        assert read(spark, source).collect()[0]["y"] == 42
