"""Periods, the values that a query names, and advice, from their modules; the dates are those of pandas."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, cast

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aporia_provider.backend.metrics.period_advice import Advice, advised
from aporia_provider.backend.metrics.periods import PERIODS, Split, moving_window
from aporia_provider.backend.metrics.state_series import Series
from aporia_provider.backend.metrics.value_texts import counted_as, texts_of
from aporia_provider.backend.store.buckets import Range
from aporia_provider.errors import ValidationError
from aporia_provider.metric_results import MetricResult
from aporia_provider.metrics import MetricDataset, MetricsQuery
from aporia_provider.monitoring.arrow import as_texts
from aporia_provider.monitoring.states.value_state import ValueState

DAY = 86_400
RULES = {"daily": "D", "weekly": "W-MON", "monthly": "MS"}
periods = st.sampled_from(sorted(RULES))
days = st.integers(-30_000, 30_000)  # 1887 to 2052.
spans = st.tuples(days, st.integers(1, 1000)).map(lambda drawn: (drawn[0], drawn[0] + drawn[1]))


def number(text: str) -> int:
    """Days from 1970 to a date."""
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


def series(buckets: list[int]) -> Series:
    return Series([(day * DAY, cast("Any", day)) for day in sorted(buckets)])


def counts(period: str, found: Series, within: Range = (None, None)) -> list[tuple[Range, int]]:
    split = Split(PERIODS[period], within, found.extent)
    parts = [(part, len(found.within(part))) for part in split]
    assert len(parts) == len(split)
    return parts


def resampled(period: str, weights: dict[int, int]) -> pd.Series[int]:
    """What pandas makes of rows by day, weights of 0 included."""
    at = pd.to_datetime(list(weights), unit="D", utc=True)
    rows = pd.Series(list(weights.values()), index=at, dtype="int64").sort_index()
    return rows.resample(RULES[period], closed="left", label="left").sum()


def seconds(index: pd.DatetimeIndex) -> list[int]:
    return [int(moment.timestamp()) for moment in index]


@pytest.mark.slow
@given(period=periods, span=spans, data=st.data())
@example(period="weekly", span=(number("1969-12-28"), number("1970-01-06")), data=None)
@example(period="monthly", span=(number("1969-11-30"), number("1970-01-01")), data=None)
@example(period="monthly", span=(number("2024-02-28"), number("2024-03-02")), data=None)
@example(period="daily", span=(number("2024-02-28"), number("2024-03-02")), data=None)
@example(period="monthly", span=(number("1900-02-27"), number("1900-03-02")), data=None)
def test_periods_are_those_of_pandas(period: str, span: tuple[int, int], data: Any) -> None:
    first, last = span
    drawn = data.draw(st.sets(st.integers(first, last), min_size=1)) if data else {first, last}
    expected = resampled(period, dict.fromkeys(drawn, 1))
    found = counts(period, series(list(drawn)))
    assert [part[0] for part, _ in found] == seconds(cast("Any", expected.index))
    assert [count for _, count in found] == expected.tolist()
    assert all(one[1] == other[0] for (one, _), (other, _) in pairwise(found))


@pytest.mark.slow
@given(period=periods, span=spans, rows=st.sets(days, max_size=50))
def test_periods_of_a_range_are_cut_at_its_ends(period: str, span: tuple[int, int], rows: set[int]) -> None:
    first, end = span
    inside = {day for day in rows if first <= day < end}
    expected = resampled(period, {first: 0, end - 1: 0} | dict.fromkeys(inside, 1))
    within = (first * DAY, end * DAY)
    found = counts(period, series(list(inside)), within)
    starts = [max(start, within[0]) for start in seconds(cast("Any", expected.index))]
    assert [part for part, _ in found] == list(zip(starts, [*starts[1:], within[1]], strict=True))
    assert [count for _, count in found] == expected.tolist()


@pytest.mark.slow
@given(st.datetimes(datetime(1, 1, 10), datetime(9999, 11, 30)))  # noqa: DTZ001
def test_weeks_and_months_of_any_date(moment: datetime) -> None:
    second = int((moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1))
    week = moment.date() - timedelta(days=moment.isoweekday() - 1)
    month = moment.date().replace(day=1)
    after = (month + timedelta(days=31)).replace(day=1)
    expected = {"weekly": (week, week + timedelta(days=7)), "monthly": (month, after)}
    for name, ends in expected.items():
        (part,) = Split(PERIODS[name], (None, None), (second, second + 1))
        assert part == tuple(number(str(end)) * DAY for end in ends)


def test_months_of_years_that_no_calendar_shows() -> None:
    # 400 years of the Gregorian calendar are 146,097 days.
    later = 146_097 * DAY * 100
    (part,) = Split(PERIODS["monthly"], (None, None), (later, later + 1))
    assert part == (later, later + 31 * DAY)


def test_periods_are_counted_without_making_them() -> None:
    ever = (number("0001-01-01") * DAY, number("9999-12-31") * DAY)
    assert len(Split(PERIODS["hourly"], ever, (None, None))) == 24 * (
        number("9999-12-31") - number("0001-01-01")
    )


def test_rows_without_a_time_are_in_no_period() -> None:
    untimed = cast("Any", "untimed")
    found = Series([(0, untimed), (None, untimed), (DAY, untimed)])
    assert found.extent == (0, DAY + 1)
    assert [bucket for bucket, _ in found.within((0, 2 * DAY))] == [0, DAY]
    assert len(found.within((None, None))) == 3
    assert len(Split(PERIODS["weekly"], (None, None), Series([(None, untimed)]).extent)) == 0


def test_the_window_of_a_baseline_before_a_month() -> None:
    march, window = number("2024-03-01"), {"time_period": "2w", "skip_period": "1d"}
    found = moving_window(march * DAY, MetricDataset(**window), DAY)  # type: ignore[arg-type]
    assert found == (number("2024-02-15") * DAY, number("2024-02-29") * DAY)


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("Rome", ["Rome"]),
        ("true", ["true"]),
        ("True", ["True", "true"]),
        (True, ["True", "true"]),
        (False, ["False", "false"]),
        (3, ["3"]),
        (3.0, ["3.0", "3"]),
        ("3.0", ["3.0", "3"]),
        ("3.50", ["3.50", "3.5"]),
        ("+3", ["+3", "3"]),
        ("-0", ["-0", "0"]),
        ("1e2", ["1e2", "100"]),
        (-2.5, ["-2.5"]),
        ("00501", ["00501"]),
        ("1_000", ["1_000"]),
        ("3 ", ["3 "]),
        ("nan", ["nan"]),
        ("", [""]),
        (10**30, [str(10**30)]),
        ("9" * 50, ["9" * 50]),
        ("12345678901234567.50", ["12345678901234567.50", "12345678901234567.5", "12345678901234568"]),
    ],
)
def test_texts_that_a_value_may_stand_for(value: Any, texts: list[str]) -> None:
    assert texts_of(value) == texts


@given(st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_values_are_looked_up_as_rows_have_them(value: Any) -> None:
    (kept,) = as_texts(pa.array([value])).to_pylist()
    assert kept in texts_of(value)
    assert kept in texts_of(str(value))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-999, max_value=999))
def test_decimals_are_looked_up_by_any_number_of_zeros(value: Decimal) -> None:
    (kept,) = as_texts(pa.array([value])).to_pylist()
    assert kept in texts_of(f"{value}0")
    assert kept in texts_of(float(value))


@pytest.mark.parametrize(
    ("counts", "value", "text"),
    [
        ({"true": 2, "false": 1}, "True", "true"),
        ({"true": 2, "True": 1}, "True", "True"),
        ({"True": 1}, True, "True"),
        ({"1": 1}, 1.0, "1"),
        ({"1.0": 1}, 1.0, "1.0"),
        ({"1": 1, "1.0": 2}, "1.0", "1.0"),
        ({"Rome": 1}, "True", "true"),
        ({"x" * 300: 1}, "x" * 300, "x" * 300),
    ],
)
def test_a_value_is_the_text_of_the_column_before_what_it_means(
    counts: dict[str, int], value: Any, text: str
) -> None:
    state = ValueState.of(counts, sum(counts.values()), 0, None)
    assert counted_as(value, state) == text


def test_values_that_json_cannot_say_are_refused() -> None:
    asked = {"metric": "value_count", "datasets": {"data": {}}}
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValidationError):
            MetricsQuery.from_wire({"model_id": "m", "metrics": [{**asked, "parameters": {"value": value}}]})
    given = [True, 1, 1.0, "1"]
    query = MetricsQuery.from_wire(
        {"model_id": "m", "metrics": [{**asked, "parameters": {"value": value}} for value in given]}
    )
    sent = [metric["parameters"]["value"] for metric in query.to_wire()["metrics"]]
    assert [(value, type(value)) for value in sent] == [(value, type(value)) for value in given]
    assert MetricsQuery.from_wire(query.to_wire()) == query


def test_no_advice_where_more_samples_are_of_no_use() -> None:
    advice = Advice("daily", (0, DAY), (0, 7 * DAY), (0, 30 * DAY))
    for answer in (
        MetricResult(0.5, samples=60),
        MetricResult(None, "undefined", 60, reason="all labels are true"),
        MetricResult(None, "insufficient_data", 0, reason="no row is labelled"),
        MetricResult(None, "insufficient_data", 100, reason="the bound 0.2 is too wide"),
    ):
        assert advised(answer, advice) == answer
