"""Faults of queries, each of which says what is wrong and what to write."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aporia_provider.errors import ValidationError
from aporia_provider.hooks.metrics import MetricsHook
from aporia_provider.metrics import MetricsQuery, TimeRange

A_TIME = "is not a time such as 2024-01-31 or 2024-01-31T12:00:00Z"
DAYS = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)


def problems(**more: Any) -> list[str]:
    """The faults of a call of the hook, each without the place where it is."""
    with pytest.raises(ValidationError) as caught:
        MetricsHook().get_metric("m", "psi", **more)
    return [problem.partition(": ")[2] for problem in caught.value.problems]


@pytest.mark.parametrize(
    "value",
    [
        *(5, 1704067200, 1.5, Decimal(5), True, float("nan"), {}, [], b"2024-01-01", pd.NaT),
        *("5", "20240101", "1704067200", "2024", "2024-01", "2024-13-45", "NaT", "yesterday", ""),
        np.datetime64("2024-01-01"),
    ],
)
def test_what_is_no_time_is_refused(value: Any) -> None:
    assert problems(start=value, end="2024-02-01") == [f"{value!r} {A_TIME}"]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime.fromisoformat("2024-01-01"), datetime.fromisoformat("2024-01-03T00:00:00")),
        (date(2024, 1, 1), date(2024, 1, 3)),
        ("2024-01-01", "2024-01-03 00:00"),
        ("2024-01-01T02:00+02:00", pd.Timestamp("2024-01-03")),
    ],
)
def test_times_are_read_in_utc(start: Any, end: Any) -> None:
    found = TimeRange(start=start, end=end)
    assert (found.start, found.end) == DAYS


def test_one_end_of_a_range_alone_is_refused() -> None:
    for given, missing in (("start", "end"), ("end", "start")):
        assert problems(**{given: "2024-01-01"}) == [
            f"give both start and end, or neither: {missing} is missing"
        ]


@pytest.mark.parametrize(
    ("baseline", "problem"),
    [
        ("training", "'training' is not a dict such as {'dataset_type': 'training'}"),
        (5, "5 is not a dict such as {'dataset_type': 'training'}"),
        ({"time_period": "2 weeks"}, "'2 weeks' is not a number of hours, days or weeks"),
        ({"time_period": timedelta(14)}, "datetime.timedelta(days=14) is not a number of hours, days or w"),
        ({"time_period": "1d", "skip_period": "0d"}, "'0d' is not a number of hours, days or weeks from 1"),
        ({"time_range": ["a", "b"]}, "['a', 'b'] is not a dict such as {'start': '2024-01-01', 'end':"),
        ({"time_range": {"start": DAYS[0]}}, "give both start and end, or neither: end is missing"),
        ({"dataset": "training"}, "there is no such parameter; did you mean 'dataset_type'?"),
        ({"segment": "Rome"}, "'Rome' is not a dict such as {'id': 'age', 'value': '18'}"),
        (MappingProxyType({"skip_period": "1d"}), "skip_period requires time_period"),
    ],
)
def test_a_wrong_baseline_says_what_to_write(baseline: Any, problem: str) -> None:
    (found,) = problems(baseline=baseline)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"colum": "age"}, ["there is no such parameter; did you mean 'column'?"]),
        ({"threshold": True, "quantile": "x"}, ["True is not a number, such as 0.5", "'x' is not a number"]),
        ({"k": True}, ["True is not a whole number, such as 5"]),
        ({"k": 2.5}, ["2.5 is not a whole number, such as 5"]),
        ({"minimum": 0, "minimum_baseline": True}, ["0 is not a whole number of at least 1", "True is not"]),
        ({"value": float("nan")}, ["nan is not text, a boolean or a finite number"]),
        ({"class_name": ["a"] * 20}, ["['a', 'a', 'a', 'a', 'a', 'a', 'a', 'a'… is not text, a boolean"]),
        ({"kolumn": "a", "quantile": {}}, ["{} is not a number", "there is no such parameter; did you mean"]),
    ],
)
def test_all_faults_of_parameters_are_named(parameters: dict[str, Any], found: list[str]) -> None:
    messages = problems(**parameters)
    assert len(messages) == len(found)
    assert all(map(str.startswith, messages, found)), messages


@pytest.mark.parametrize("body", [None, [], "count", 5])
def test_what_is_no_query_is_refused(body: Any) -> None:
    expected = f"A query is a dict with model_id and metrics, not {type(body).__name__}"
    for ask in (MetricsQuery.from_wire, MetricsHook().query):
        with pytest.raises(ValidationError, match=expected):
            ask(body)


def test_a_word_that_is_none_of_the_allowed_says_which_was_meant() -> None:
    for word, meant in {"day": "daily", "week": "weekly", "hour": "hourly", "Month": "monthly"}.items():
        (problem,) = problems(aggregation_period=word)
        assert problem == f"{word!r} is not one of hourly, daily, weekly, monthly; did you mean {meant!r}?"
    (problem,) = problems(average="makro")
    assert problem.endswith("did you mean 'macro'?")
    (problem,) = problems(zeros=None)
    assert problem == "None is not one of floor, jeffreys, laplace"
