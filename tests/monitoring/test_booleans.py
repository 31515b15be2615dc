"""Drift between booleans in two spellings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.arrow import as_texts
from aporia_provider.monitoring.drift.boolean_spellings import COMPARED
from aporia_provider.monitoring.drift.field_drift import ComparedState, drift
from aporia_provider.monitoring.profiles.plan import FieldPlan
from tests.monitoring.columns import KEY, bins_by_key, states_of

FIELD = FieldPlan(KEY, "categorical", "c")
MANY = 1_000
SPELLINGS: list[list[Any]] = [
    [True, False],
    [1, 0],
    [1.0, 0.0],
    ["True", "False"],
    ["TRUE", "FALSE"],
    ["1", "0"],
]


def between(before: list[Any], now: list[Any]) -> MetricResult:
    bins = bins_by_key(pa.array(before), FIELD)
    sides = (ComparedState(states_of(pa.array(rows), FIELD, bins)[KEY], bins[KEY]) for rows in (before, now))
    return drift("drift_score", *sides)


@pytest.mark.parametrize("one", SPELLINGS)
@pytest.mark.parametrize("other", SPELLINGS)
def test_spellings_do_not_matter(one: list[Any], other: list[Any]) -> None:
    answer = between([one[0]] * MANY + [one[1]] * MANY, [other[0]] * MANY + [other[1]] * 3 * MANY)
    # Hellinger, of shares of a half and a half against a quarter and three.
    expected = np.sqrt(1 - np.sqrt(1 / 8) - np.sqrt(3 / 8))
    assert answer.value == pytest.approx(expected, rel=1e-12)
    assert answer.reason == (None if text_of(one[0]) == text_of(other[0]) else COMPARED)


def text_of(value: Any) -> str:
    (text,) = as_texts(pa.array([value])).to_pylist()
    return str(text)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (["true", "false"], ["yes", "no"]),
        (["true", "false"], ["1", "2"]),
        (["a", "b"], ["1", "0"]),
        (["true", "false", "unknown"], ["1", "0", "2"]),
    ],
)
def test_other_categories_are_compared_as_they_are(before: list[str], now: list[str]) -> None:
    answer = between(before * MANY, now * MANY)
    assert answer.value == pytest.approx(1.0)
    assert answer.reason is not None
    assert answer.reason.startswith("the two sides have no value in common")


def test_two_spellings_on_one_side_are_compared_as_they_are() -> None:
    answer = between(["true", "false"] * MANY, ["true", "1", "0", "false"] * MANY)
    assert answer.value == pytest.approx(np.sqrt(1 - np.sqrt(1 / 2)), rel=1e-12)
    assert answer.reason is None


def test_one_value_is_enough_to_tell_the_spelling() -> None:
    answer = between([True, False] * MANY, [1] * MANY)
    assert answer.value == pytest.approx(np.sqrt(1 - np.sqrt(1 / 2)), rel=1e-12)
    assert answer.reason == COMPARED
