"""The language of custom metrics."""

from __future__ import annotations

import pytest

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.custom_metrics import Call, CustomMetricError, evaluate, parse_metric

pytestmark = pytest.mark.fast


def test_calls_of_both_versions() -> None:
    new = parse_metric('sum(column="premium", filter="age > 70") / count()')
    assert [(call.metric, dict(call.parameters), call.filter) for call in new.calls] == [
        ("sum", {"column": "premium"}, "age > 70"),
        ("count", {}, None),
    ]
    old = parse_metric(
        "sum(features.premium[features.age > 70 and features.plan is None]) / prediction_count()"
    )
    assert [(call.metric, dict(call.parameters), call.filter) for call in old.calls] == [
        ("sum", {"column": "features.premium"}, "features.age > 70 and features.plan is null"),
        ("count", {}, None),
    ]


def test_all_faults_are_listed() -> None:
    with pytest.raises(CustomMetricError) as error:
        parse_metric('a = sums(column=3)\nb = sum(colum="x") / 0\n1 + a + z')
    assert error.value.faults == [
        "line 1, column 5: there is no function 'sums'; did you mean 'sum'?",
        "line 2, column 1: the name 'b' is assigned and not used",
        "line 2, column 9: sum has no parameter 'colum'; did you mean 'column'?",
        "line 3, column 9: there is no name 'z'; there are 'a', 'b'",
    ]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("", "line 1, column 1: the last line has to be an expression, which is the value"),
        ("// nothing", "line 1, column 11: the last line has to be an expression, which is the value"),
        ("a = count()", "line 1, column 12: the last line has to be an expression, which is the value"),
        ("a = 1\na = 2\na", "line 2, column 1: the name 'a' is assigned a second time"),
        ("sum = count()\nsum", "line 1, column 1: 'sum' is the name of a function"),
        ("b\nb = count()", "line 1, column 1: there is no name 'b'; there are none"),
        ("count() / 0", "line 1, column 9: division by zero"),
        ("zero = 1 - 1\ncount() / zero", "line 2, column 9: division by zero"),
        (
            "count()\ncount()",
            "line 2, column 1: the line above has no name, and is not the last: write name = …",
        ),
        ("(count()", "line 1, column 9: ')' has to be here, not the end of the code"),
        ("count(", "line 1, column 7: ')' is missing at the end of the code"),
        ("count", "line 1, column 1: count is a function: write count(…)"),
        ("sum()", "line 1, column 1: sum requires column"),
        ('count(column="x")', "line 1, column 7: count has no parameter 'column'; there are 'filter'"),
        ('sum("x")', "line 1, column 5: the value 'x' has no name: write column=…"),
        ("sum(x)", "line 1, column 5: 'x' has no quotes and no name: write column=\"x\""),
        ("sum(column=x)", "line 1, column 5: 'x' is not a value of column: texts have quotes"),
        ("sum(column=3)", "line 1, column 5: column is the name of a field in quotes, not 3"),
        ('sum(column="x", column="y")', "line 1, column 17: column is given twice"),
        (
            "sum(feature.x)",
            "line 1, column 5: there is no category 'feature' of fields; did you mean 'features'?",
        ),
        ('ndcg_at_k(column="x")', "line 1, column 1: ndcg_at_k requires k"),
        ('ndcg_at_k(column="x", k=13)', "line 1, column 23: k is a whole number from 1 to 12, not 13"),
        ('ndcg_at_k(column="x", k=2.5)', "line 1, column 23: k is a whole number from 1 to 12, not 2.5"),
        ('recall_per_class(column="x")', "line 1, column 1: recall_per_class requires class_name"),
        ('value_count(column="x")', "line 1, column 1: value_count requires value"),
        ('quantile(column="x", quantile=2)', "line 1, column 22: quantile is a number from 0 to 1, not 2"),
        ('f1(column="x", threshold=True)', "line 1, column 16: threshold is a finite number, not True"),
        ('f1(column="x", threshold=1e999)', "line 1, column 16: threshold is a finite number, not inf"),
        (
            'f1(column="x", method="mean")',
            "line 1, column 16: method is one of micro, macro, weighted, not 'mean'",
        ),
        (
            'accuracy(column="x", method="macro")',
            "line 1, column 22: accuracy is the proportion of the correct rows, which has no other "
            "average than "
            "micro",
        ),
        (
            'sum(features.x, keys="a")',
            "line 1, column 17: there is no keys: write the key in the name of the column: "
            'column="features.scores[cat]"',
        ),
        ('histogram(column="x")', "line 1, column 1: histogram is not a number"),
        (
            'psi(column="x")',
            "line 1, column 1: psi compares with a baseline, which a custom metric does not have",
        ),
        (
            "mae(predictions.x, actuals.y)",
            "line 1, column 1: the label of 'x' is not 'labels.y'",
        ),
        (
            'count(filter="age >")',
            "line 1, column 7: filter: the end at character 6 is not expected there: a field or a constant",
        ),
        ('count(filter="")', "line 1, column 7: filter: the condition is empty"),
        ("count(filter=3)", 'line 1, column 7: filter is a text such as "age > 70", not 3'),
        (
            'sum(column="a\\n")',
            "line 1, column 12: \\n in a text is not known; write \\\\ for a backslash",
        ),
    ],
)
def test_faults(code: str, fault: str) -> None:
    with pytest.raises(CustomMetricError) as error:
        parse_metric(code)
    assert fault in error.value.faults


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1 + 2 // + 3\n", 3),
        ("\n\n1 +\n  2\n", 3),
        ("a = 2 // two\n\nb = a *\n 3\na + b", 8),
        ("6\n/ 2\n** 2", 1.5),
        ("(1\n+ 2\n) * 3", 9),
        ("a = (\n1\n)\n-a", -1),
        (".5e1 + 5.", 10),
        ("--3 - -+2", 5),
    ],
)
def test_lines_and_numbers(code: str, value: float) -> None:
    assert evaluate(parse_metric(code), _none).value == value


def _none(call: Call) -> MetricResult:
    raise AssertionError(call)


def test_texts() -> None:
    call = parse_metric("""sum(column='it''s "x" \\\\ \\'', filter="plan = 'a''b' and `x y` > 1")""").calls[0]
    assert call.parameters == {"column": "it's \"x\" \\ '"}
    assert call.filter == "plan = 'a''b' and `x y` > 1"
    old = parse_metric("sum(features.`x y`[features.`a b` > 1 // more\n and features.c == 'd]'])").calls[0]
    assert old.parameters == {"column": "features.x y"}
    assert old.filter == "`features.a b` > 1 and features.c = 'd]'"


def test_equal_calls_are_answered_once() -> None:
    code = """
sum(column="x") + sum( column = 'x' ) +
sum(column="x", filter="a>1") + sum(column="x",filter="a > 1")
"""
    assert [call.filter for call in parse_metric(code).calls] == [None, "a > 1"]
    values = parse_metric('value_count(column="x", value=1) + value_count(column="x", value=True)')
    assert [call.parameters["value"] for call in values.calls] == [1, True]
    # Calls are keys of dicts.
    assert len({*values.calls, *parse_metric('value_count(value=1, column="x")').calls}) == 2


def test_the_value_is_that_of_the_arithmetic() -> None:
    numbers = {"sum": 3.0, "count": 4.0}
    result = evaluate(
        parse_metric('-2 ** 2 ** 0.5 * sum(column="x") / count()'),
        lambda call: MetricResult(numbers[call.metric], samples=10),
    )
    assert result.value == pytest.approx(-(2**2**0.5) * 3 / 4)
