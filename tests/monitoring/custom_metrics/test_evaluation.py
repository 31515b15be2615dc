"""Results of custom metrics: their status, samples, bounds and intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.custom_metrics import Call, evaluate, parse_metric

pytestmark = pytest.mark.fast

X, Y = 'mean(column="x")', 'mean(column="y")'


def evaluated(code: str, **results: MetricResult) -> MetricResult:
    """Evaluate a code, in which ``x`` and ``y`` are means of columns of these names."""
    text = code.replace("x", X.replace("x", "§")).replace("y", Y).replace("§", "x")
    return evaluate(parse_metric(text), lambda call: results[str(call.parameters["column"])])


def ok(value: Any, samples: int = 100, **given: Any) -> MetricResult:
    return MetricResult(value, samples=samples, **given)


def fields_of(result: MetricResult, *names: str) -> Mapping[str, Any]:
    return {name: getattr(result, name) for name in names}


def test_a_single_call_has_the_result_of_the_call() -> None:
    given = ok(0.5, low=0.4, high=0.6, noise=0.1, excess=0.3, baseline_samples=7, reason="a note")
    assert evaluated("x", x=given) is given
    assert evaluated("(x)", x=given) is given
    undefined = MetricResult(None, "undefined", reason="there are no values")
    assert evaluated("x", x=undefined) is undefined


def test_samples_and_rows_left_out() -> None:
    reason = "infinite values are left out: 2"
    result = evaluated("x / y", x=ok(6.0, 50, left_out=2, reason=reason), y=ok(3.0, 40, left_out=1))
    assert fields_of(result, "value", "status", "samples", "left_out") == {
        "value": 2.0,
        "status": "ok",
        "samples": 40,
        "left_out": 2,
    }
    assert result.reason == (
        'mean(column="x"): infinite values are left out: 2; '
        "there is no interval, since the covariances of the sums are not kept"
    )


def test_operands_without_a_value() -> None:
    none = MetricResult(None, "insufficient_data", 3, reason="no row is labelled")
    undefined = MetricResult(None, "undefined", reason="there are no values")
    result = evaluated("x + y + 1", x=none, y=undefined)
    assert (result.value, result.shown, result.status) == (None, None, "insufficient_data")
    assert result.reason == 'mean(column="x"): no row is labelled; mean(column="y"): there are no values'


def test_operands_that_are_not_reliable_are_shown() -> None:
    few = MetricResult(None, "insufficient_data", 30, shown=0.5, reason="only 30 samples; 100 are needed")
    result = evaluated("2 * x + y", x=few, y=ok(1.0))
    assert fields_of(result, "value", "shown", "status", "samples") == {
        "value": None,
        "shown": 2.0,
        "status": "insufficient_data",
        "samples": 30,
    }
    assert result.reason is not None
    assert result.reason.startswith('mean(column="x"): only 30 samples; 100 are needed')


@pytest.mark.parametrize(
    ("code", "x", "reason"),
    [
        ("1 / x", 0, "division by zero"),
        ("x ** -1", 0, "division by zero"),
        ("x / (x - x)", 3, "division by zero"),
        ("x ** 0.5", -4, "a negative number has no power with a fraction as exponent"),
        ("x * 1e308", 10, "the number is too great for a float"),
        ("x ** x ** x", 99, "the number is too great for a float"),
        ("1e308 + x", 1e308, "the number is too great for a float"),
    ],
)
def test_arithmetic_without_a_number(code: str, x: float, reason: str) -> None:
    result = evaluated(code, x=ok(x))
    assert (result.value, result.shown, result.status, result.reason) == (None, None, "undefined", reason)


@pytest.mark.parametrize("value", [math.nan, math.inf, "2024-01-01", [1.0], {"a": 1}, True, 10**400])
def test_operands_that_are_not_numbers(value: Any) -> None:
    for code in ("x", "x + 1"):
        result = evaluated(code, x=ok(value))
        assert (result.value, result.shown) == (None, None)
        assert "is not a finite number" in (result.reason or "")


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        ("2 * x + 1", (5.0, 9.0)),
        ("1 - x", (-3.0, -1.0)),
        ("-x", (-4.0, -2.0)),
        ("x / 2", (1.0, 2.0)),
        ("12 / x", (3.0, 6.0)),
        ("x ** 2", (4.0, 16.0)),
        ("x ** -1", (0.25, 0.5)),
        ("(x - 10) ** 2", (36.0, 64.0)),
        ("(x - 10) ** 3", (-512.0, -216.0)),
        ("(x - 3) ** 3", (-1.0, 1.0)),
        ("2 ** x", (4.0, 16.0)),
        ("0.5 ** x", (0.0625, 0.25)),
        ("x + x / 2", (3.0, 6.0)),
        ("x - x / 2", (1.0, 2.0)),
        ("100 * (1 - 1 / x)", (50.0, 75.0)),
        ("a = 1 - x\na / 2", (-1.5, -0.5)),
    ],
)
def test_intervals_of_functions_of_one_call(code: str, ends: tuple[float, float]) -> None:
    result = evaluated(code, x=ok(3.0, low=2.0, high=4.0))
    assert (result.low, result.high) == pytest.approx(ends)
    assert result.low <= result.value <= result.high  # type: ignore[operator]
    assert result.reason is None


@pytest.mark.parametrize(
    "code", ["(x - 3) ** 2", "1 / (x - 3.5)", "x * x", "x ** x", "x - x ** 2", "(-2) ** (0 * x)"]
)
def test_expressions_that_do_not_rise_or_fall_have_no_interval(code: str) -> None:
    result = evaluated(code, x=ok(3.0, low=2.0, high=4.0))
    assert (result.status, result.low, result.high) == ("ok", None, None)
    assert result.reason is not None
    assert "does not rise or fall" in result.reason


def test_expressions_of_several_calls_have_no_interval() -> None:
    interval = {"low": 2.0, "high": 4.0}
    result = evaluated("x + y", x=ok(3.0, **interval), y=ok(3.0, **interval))
    assert (result.low, result.high) == (None, None)
    assert result.reason == "there is no interval, since the covariances of the sums are not kept"
    assert evaluated("x + 1", x=ok(3.0)).reason is None


@pytest.mark.parametrize("code", ["x + y", "x - y", "x * y", "x / y", "x ** y", "(x + 1) / (y ** 2 - x)"])
def test_bounds_contain_all_exact_numbers(code: str) -> None:
    x, y = (5.0, 0.5), (3.0, 0.25)
    result = evaluated(code, x=ok(x[0], bound=x[1]), y=ok(y[0], bound=y[1]))
    moved = [
        evaluated(code, x=ok(x[0] + dx * x[1]), y=ok(y[0] + dy * y[1])).value
        for dx in (-1, -0.5, 0, 0.5, 1)
        for dy in (-1, -0.5, 0, 0.5, 1)
    ]
    farthest = max(abs(each - result.value) for each in moved)
    assert 0 < farthest <= result.bound * (1 + 1e-12)
    assert result.bound < 12 * farthest


def test_a_bound_that_allows_any_number() -> None:
    result = evaluated("1 / x", x=ok(1.0, bound=2.0))
    assert fields_of(result, "value", "shown", "status", "bound") == {
        "value": None,
        "shown": 1.0,
        "status": "insufficient_data",
        "bound": 0.0,
    }
    assert result.reason == "the bounds of the calls allow any number"


def test_calls_are_answered_once() -> None:
    requested: list[Call] = []

    def answer(call: Call) -> MetricResult:
        requested.append(call)
        return ok(2.0)

    assert evaluate(parse_metric(f"{X} + {X} * {X}"), answer).value == 6.0
    assert len(requested) == 1


def test_errors_name_the_call() -> None:
    def answer(call: Call) -> MetricResult:
        raise ValidationError("There is no class 'gold'")

    with pytest.raises(ValidationError, match=r"mean\(column=\"x\"\): There is no class 'gold'"):
        evaluate(parse_metric(f"1 + {X}"), answer)
