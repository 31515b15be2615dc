"""The language of custom metrics."""

from __future__ import annotations

import pytest

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.custom_metrics import CustomMetricError, evaluate, parse_metric

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
        ("sum", {"column": "features.premium"}, "features.age > 70 and features.plan is None"),
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


def test_the_value_is_that_of_the_arithmetic() -> None:
    numbers = {"sum": 3.0, "count": 4.0}
    result = evaluate(
        parse_metric('-2 ** 2 ** 0.5 * sum(column="x") / count()'),
        lambda call: MetricResult(numbers[call.metric], samples=10),
    )
    assert result.value == pytest.approx(-(2**2**0.5) * 3 / 4)
