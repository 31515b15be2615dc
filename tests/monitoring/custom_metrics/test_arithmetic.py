"""Arithmetic of custom metrics, against Python's own on the same text."""

from __future__ import annotations

import ast
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.custom_metrics import Call, CustomMetricError, evaluate, parse_metric

_NUMBERS = st.sampled_from(["0.0", "0.5", "1.0", "2.0", "3.0", "7.25", "1e3", "1e200", "2e-3", ".5", "4."])
_OPERANDS = st.sampled_from(["count()", 'sum(column="x")', "2.0", "3.0", "0.5"])
_SPACES = st.sampled_from(["", " ", "  "])


def _joined(parts: tuple[str, str, str, str, str]) -> str:
    left, space, operator, other_space, right = parts
    return f"{left}{space}{operator}{other_space}{right}"


def _texts(operands: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        operator = st.sampled_from(["+", "-", "*", "/", "**"])
        return (
            st.tuples(inner, _SPACES, operator, _SPACES, inner).map(_joined)
            | inner.map("({})".format)
            | inner.map("-{}".format)
        )

    return st.recursive(operands, compound, max_leaves=9)


def _of_python(text: str) -> float | None:
    """Return the number of a text by Python's grammar; None if there is no finite real one."""
    try:
        number = eval(compile(ast.parse(text, mode="eval"), "text", "eval"), {"__builtins__": {}})
    except ArithmeticError:
        return None
    return number if isinstance(number, float) and math.isfinite(number) else None


def _unanswered(call: Call) -> MetricResult:
    raise AssertionError(call)


@pytest.mark.slow
@given(_texts(_NUMBERS))
def test_constants(text: str) -> None:
    expected = _of_python(text)
    if expected is not None:
        assert evaluate(parse_metric(text), _unanswered).value == expected
        return
    with pytest.raises(CustomMetricError) as error:
        parse_metric(text)
    # The only faults are those of the arithmetic.
    allowed = ("division by zero", "the number is too great", "a negative number has no power")
    assert all(any(each in fault for each in allowed) for fault in error.value.faults)


@given(
    _texts(_OPERANDS),
    st.floats(-4, 4),
    st.floats(-4, 4),
)
def test_calls(text: str, count: float, total: float) -> None:
    numbers = {"count": count, "sum": total}
    plain = text.replace("count()", f"({count!r})").replace('sum(column="x")', f"({total!r})")
    try:
        expression = parse_metric(text)
    except CustomMetricError:
        assert _of_python(plain) is None
        return
    result = evaluate(expression, lambda call: MetricResult(numbers[call.metric], samples=3))
    assert result.value == _of_python(plain)
    assert result.status == ("undefined" if result.value is None else "ok")
    assert result.value is not None or result.reason
