"""Counts of single values where buckets have too many to count each of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.bins.field_bins import CategoryBins
from aporia_provider.monitoring.states.value_state import ValueState
from aporia_provider.monitoring.statistics.field_statistics import StatisticParameters, statistic
from tests.monitoring.vocabularies import draw, zipf
from tests.sizes import sized

Buckets = list[Mapping[str, int]]
BINS = CategoryBins(("0", "1", "2"))


def state_of(buckets: Buckets, bins: CategoryBins | None = None) -> ValueState:
    """The sum of the states that the database keeps of buckets."""
    parts = [ValueState.of(counts, sum(counts.values()), 0, bins).settled() for counts in buckets]
    return reduce(add, (ValueState.from_json(part.to_json()) for part in parts))


def count(state: ValueState, value: str) -> MetricResult:
    return statistic("value_count", "categorical", state, StatisticParameters(value=value))


def histogram(state: ValueState) -> MetricResult:
    return statistic("histogram", "categorical", state, StatisticParameters())


def number(answer: MetricResult) -> int:
    found: int = answer.shown if answer.value is None else answer.value
    return found


def drawn(seed: int, sizes: list[int], power: float) -> Buckets:
    """Buckets of values of one vocabulary, one of which is frequent, on other days than the others."""
    rng = np.random.default_rng(seed)
    made: Buckets = []
    for size in sizes:
        names = [str(name) for name in rng.permutation(size).tolist()]
        rows = int(rng.integers(1, 5)) * size
        made.append({**draw(rng, zipf(size, power), rows, names), "Rome": int(rng.integers(1, rows))})
    return made


@pytest.mark.slow
@settings(max_examples=sized(6, 25))
@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from([5, 200, 300, 1_500, 2_500, 5_000]), min_size=1, max_size=4),
    st.sampled_from([0.0, 0.7, 1.2]),
    st.sampled_from([None, BINS]),
)
def test_counts_are_within_their_bounds(
    seed: int, sizes: list[int], power: float, bins: CategoryBins | None
) -> None:
    buckets = drawn(seed, sizes, power)
    state, truth = state_of(buckets, bins), reduce(add, map(Counter, buckets))
    for value in [*list(truth)[:150], "Rome", "absent", "x" * 300]:
        answer = count(state, value)
        assert abs(number(answer) - truth[value]) <= answer.bound
        assert (answer.status == "ok") is (2 * answer.bound <= number(answer))
        assert (answer.reason is None) is (answer.bound == 0)
    answer = histogram(state)
    shown = answer.shown if answer.value is None else answer.value
    assert all(abs(listed - truth[value]) <= answer.bound for value, listed in shown["counts"].items())
    assert sum(shown["counts"].values()) + shown["unlisted"] == truth.total()
    others = max((times for value, times in truth.items() if value not in shown["counts"]), default=0)
    told = re.search(r"occur up to (\d+) times each", answer.reason or "")
    assert others <= (int(told[1]) if told else 0)
    assert bool(answer.bound) is ("lower bounds" in (answer.reason or ""))


@pytest.mark.slow
def test_each_of_two_thousand_values_is_counted() -> None:
    """The histogram has a sample of them; their hashes are all kept."""
    counts = {str(place): 1 + place % 7 for place in range(2_000)}
    state = state_of([counts, counts])
    for value in list(counts)[::50]:
        assert (count(state, value).value, count(state, value).bound) == (2 * counts[value], 0)
    assert (count(state, "absent").value, count(state, "absent").status) == (0, "ok")
    assert 1 < len(histogram(state).value["counts"]) < 1_000
    assert "values that are not listed occur up to" in (histogram(state).reason or "")


def test_a_value_that_was_frequent_on_one_day_only() -> None:
    first = {**{f"a{place}": 1 for place in range(1_500)}, "Rome": 500}
    second = {**{f"b{place}": 300 for place in range(1_500)}, "Rome": 290}
    state = state_of([first, second])
    answer = count(state, "Rome")
    assert (answer.shown, answer.status) == (500, "insufficient_data")
    assert answer.bound >= 290
    assert (answer.reason or "").startswith("the value occurs from 500 to ")
    listed = histogram(state)
    assert listed.value["counts"]["Rome"] == 500
    assert listed.bound >= 290
    assert "of the counts are lower bounds" in (listed.reason or "")


@pytest.mark.parametrize("again", [2, 290])
def test_a_frequent_value_among_too_many_to_keep_is_told(again: int) -> None:
    first = {**{f"a{place}": 1 for place in range(3_000)}, "Rome": 500}
    second = {**{f"b{place}": 3 for place in range(3_000)}, "Rome": again}
    state = state_of([first, second])
    answer = count(state, "Rome")
    assert answer.value is None
    assert number(answer) <= 500 + again <= number(answer) + answer.bound < 600 + again
    told = re.search(r"values that are not listed occur up to (\d+) times", histogram(state).reason or "")
    assert told is not None
    assert 500 + again <= int(told[1]) < 600 + again


def test_a_category_of_the_bins_is_exact_among_any_number() -> None:
    buckets: Buckets = [{**{f"{day}-{place}": 1 for place in range(5_000)}, "1": 7} for day in range(3)]
    answer = count(state_of(buckets, BINS), "1")
    assert (answer.value, answer.bound, answer.reason) == (21, 0, None)
