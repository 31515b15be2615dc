"""Intervals of expressions of several calls: covariances of sums, and the delta method."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.quantiles import student_quantile
from aporia_provider.monitoring.custom_metrics import (
    MetricExpression,
    bind,
    delta_interval,
    parse_metric,
    sums_of,
)
from aporia_provider.monitoring.profiles.numpy_profile import numpy_profile
from aporia_provider.monitoring.profiles.plan import (
    ProfilePlan,
    RowCondition,
    RowNumberPlan,
    SumsPlan,
    dump_plan,
    load_plan,
)
from aporia_provider.monitoring.profiles.profile import profile
from aporia_provider.monitoring.profiles.row_sums import SUMS
from aporia_provider.monitoring.states.state import State, read_state, unpack_state
from aporia_provider.monitoring.states.sums_state import SumsState

FIELDS = {"features.x": "numeric", "features.y": "numeric", "features.g": "categorical"}
COLUMNS = (("x", "x", "numeric"), ("y", "y", "numeric"), ("g", "g", "categorical"))
CODES: dict[str, tuple[tuple[str, ...], Callable[..., Any]]] = {
    'sum(column="x", filter="g = \'a\'") / sum(column="x")': (("xa", "x"), lambda xa, x: xa / x),
    'mean(column="y") - mean(column="x", filter="g = \'a\'")': (
        ("y", "fy", "xa", "a"),
        lambda y, fy, xa, a: y / fy - xa / a,
    ),
    '(sum(column="x") / count()) ** 2 * sum(column="y") / count(filter="g = \'a\'")': (
        ("x", "n", "y", "a"),
        lambda x, n, y, a: (x / n) ** 2 * y / a,
    ),
    'missing_ratio(column="y") * 100 + column_count(column="g") / count()': (
        ("my", "n", "g"),
        lambda my, n, g: my / n * 100 + g / n,
    ),
}
"""Codes with the names of their sums, in the order of the calls, and the same arithmetic on them."""


def bound(code: str) -> MetricExpression:
    return bind(parse_metric(code), FIELDS, "binary", ())


def plan_of(code: str, rows: str = "") -> ProfilePlan:
    sums = sums_of(bound(code), FIELDS)
    assert sums is not None

    def condition(text: str) -> RowCondition:
        named = parse_metric(f'count(filter="{text}")').calls[0].filter or "" if text else ""
        return RowCondition(named, tuple(each for each in COLUMNS if text and each[0] in text))

    numbers = tuple(
        RowNumberPlan(
            number.kind,
            number.field.partition(".")[2],
            FIELDS.get(number.field, ""),
            condition(number.filter),
        )
        for number in sums.numbers
    )
    return ProfilePlan("daily", (), whole=False, sums=(SumsPlan("@1.0:", condition(rows), numbers),))


def drawn(random: np.random.Generator, count: int) -> pd.DataFrame:
    g = random.choice(["a", "b", "c"], count, p=[0.5, 0.3, 0.2])
    x = random.gamma(2, 3, count) + (g == "a")
    y = 0.5 * x + random.normal(10, 2, count)
    y[random.random(count) < 0.1] = np.nan
    return pd.DataFrame({"x": x, "y": y, "g": g})


def batches(frame: pd.DataFrame, days: int = 3, size: int = 400) -> Iterator[pa.RecordBatch]:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    times = [start + timedelta(days=place % days) for place in range(len(frame))]
    table = pa.table(
        {
            "id": pa.array(range(len(frame)), pa.int64()),
            "time": pa.array(times, pa.timestamp("us", "UTC")),
            "x": pa.array(frame.x),
            "y": pa.array(frame.y),
            "g": pa.array(frame.g),
        }
    )
    yield from table.to_batches(size)


def summed(frame: pd.DataFrame, code: str, rows: str = "") -> SumsState:
    states = profile(batches(frame), plan_of(code, rows))
    assert {key for _, key in states} == {f"@1.0:{SUMS}"}
    found = State.sum(list(states.values()))
    assert isinstance(found, SumsState)
    return found


def rows_of(frame: pd.DataFrame, names: tuple[str, ...]) -> Any:
    """The numbers of the rows, by the names in :data:`CODES`."""
    a, known = (frame.g == "a").to_numpy(), frame.y.notna().to_numpy()
    x, y, ones = frame.x.to_numpy(), frame.y.fillna(0).to_numpy(), np.ones(len(frame))
    found = {"x": x, "y": y, "xa": x * a, "fy": known * 1.0, "my": ~known * 1.0, "a": a * 1.0}
    return np.array([{**found, "n": ones, "g": ones}[name] for name in names])


def interval(code: str, state: SumsState, confidence: float) -> Interval | None:
    expression = bound(code)
    calls = sums_of(expression, FIELDS)
    assert calls is not None
    return delta_interval(expression, calls, state, confidence)


@pytest.mark.parametrize("code", CODES)
def test_intervals_equal_those_of_numeric_derivatives(code: str) -> None:
    frame, (names, compute) = drawn(np.random.default_rng(5), 500), CODES[code]
    n, rows = len(frame), rows_of(frame, names)
    sums, slopes = rows.sum(axis=1), []
    for place in range(len(names)):
        step = np.zeros(len(names))
        step[place] = 1e-5 * max(1.0, abs(sums[place]))
        slopes.append((compute(*(sums + step)) - compute(*(sums - step))) / (2 * step[place]))
    variance = n * np.array(slopes) @ np.cov(rows) @ np.array(slopes)
    half = student_quantile(0.9, n - 1) * np.sqrt(variance)
    found = interval(code, summed(frame, code), 0.9)
    assert found is not None
    assert found.value == pytest.approx(compute(*sums))
    assert (found.value - found.low, found.high - found.value) == pytest.approx((half, half), rel=1e-5)


def test_sums_of_a_part_of_the_rows_do_not_depend_on_batches_and_days() -> None:
    code = next(iter(CODES))
    frame = drawn(np.random.default_rng(6), 300)
    found = summed(frame, code, "g != 'b'")
    other = summed(frame[frame.g != "b"].iloc[::-1], code)
    assert found == other
    assert found.rows == (frame.g != "b").sum()
    plan = plan_of(code, "g != 'b'")
    assert load_plan(json.loads(json.dumps(dump_plan(plan)))) == plan
    by_day = numpy_profile(batches(frame, size=7), plan)
    assert by_day == profile(batches(frame), plan)
    assert len(by_day) == 3
    state = next(iter(by_day.values()))
    assert read_state(json.loads(json.dumps(state.to_json()))) == state
    assert unpack_state(state.to_packed()) == state


@pytest.mark.parametrize(
    "code",
    [
        'sum(column="x")',
        'median(column="x") / count()',
        'mean(column="x") / unique_values(column="g")',
        " + ".join(f'sum(column="x", filter="y > {number}")' for number in range(13)),
    ],
)
def test_calls_that_are_no_sums_have_no_covariances(code: str) -> None:
    assert sums_of(bound(code), FIELDS) is None


def test_an_expression_without_a_derivative_has_no_interval() -> None:
    code = '(sum(column="x") - sum(column="x", filter="g = \'a\'")) ** 0.5'
    frame = drawn(np.random.default_rng(7), 50)
    assert interval(code, summed(frame.assign(g="a"), code), 0.95) is None
    assert interval(code, summed(frame.iloc[:1], code), 0.95) is None


@pytest.mark.parametrize("code", list(CODES)[:3])
def test_intervals_contain_the_expected_value_in_95_percent_of_samples(code: str) -> None:
    random, (names, compute) = np.random.default_rng(11), CODES[code]
    all_rows = rows_of(drawn(random, 200_000), names)
    truth = compute(*(all_rows.mean(axis=1) * 2000))
    hits = 0
    for _ in range(1000):
        rows = all_rows[:, random.integers(0, all_rows.shape[1], 2000)]
        products = (rows @ rows.T)[np.triu_indices(len(names))]
        state = SumsState(2000, tuple(map(Fraction, rows.sum(axis=1))), tuple(map(Fraction, products)))
        found = interval(code, state, 0.95)
        assert found is not None
        hits += found.low <= truth <= found.high
    assert 930 <= hits <= 970
