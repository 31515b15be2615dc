"""Drift scores of many states at once are those of one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from aporia_provider.errors import AporiaError
from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.bins.field_bins import CategoryBins, NumericBins
from aporia_provider.monitoring.drift.drift_series import drift_scores
from aporia_provider.monitoring.drift.field_drift import ComparedState, drift
from aporia_provider.monitoring.profiles.plan import Bins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.states.state import State
from aporia_provider.monitoring.states.value_state import ValueState

RNG = np.random.default_rng(8)
DRAWN = RNG.normal(size=5_000)
BINS = NumericBins.of(DRAWN)
SIZES = (1, 40, 199, 200, 3_000, 90_000)


def numbers(values: np.ndarray, bins: NumericBins | None = BINS) -> NumericState:
    return NumericState.of(values, 3, bins)


def texts(bins: CategoryBins, counts: dict[str, int]) -> State:
    return ValueState.of(counts, sum(counts.values()) + 2, 2, bins).settled()


def one_by_one(baseline: ComparedState, states: list[State | None], bins: Bins | None) -> list[MetricResult]:
    found = []
    for state in states:
        try:
            found.append(drift("drift_score", baseline, ComparedState(state, bins)))
        except AporiaError as error:
            found.append(MetricResult(None, "undefined", reason=error.message))
    return found


def check(baseline: ComparedState, states: list[State | None], bins: Bins | None) -> list[MetricResult]:
    found = drift_scores(baseline, states, bins)
    for result, expected in zip(found, one_by_one(baseline, states, bins), strict=True):
        given = {name: getattr(expected, name) for name in ("value", "shown", "noise", "excess")}
        for name, number in given.items():
            near = None if number is None else pytest.approx(number, rel=1e-9, abs=1e-12)
            assert getattr(result, name) == near
        rest: dict[str, None] = dict.fromkeys(given)
        assert replace(result, **rest) == replace(expected, **rest)
    return found


@pytest.mark.parametrize("baseline", [999, 5_000, 400_000])
def test_numbers(baseline: int) -> None:
    before = numbers(np.resize(DRAWN, baseline))
    shifted = [numbers(RNG.normal(shift, size=size)) for size in SIZES for shift in (0.0, 0.1, 3.0)]
    odd = [
        None,
        numbers(np.array([])),
        numbers(np.array([np.nan, np.inf, -np.inf, 1.0] * 300)),
        NumericState.of(DRAWN, 0, None),
        texts(CategoryBins(()), {"a": 300}),
    ]
    found = check(ComparedState(before, BINS), [*shifted, *odd], BINS)
    assert any(result.status == "ok" for result in found) is (baseline >= 1_000)


def test_numbers_in_other_bins() -> None:
    other = NumericBins.of(RNG.normal(1, size=2_000))
    assert other is not None
    check(ComparedState(numbers(DRAWN), BINS), [numbers(DRAWN[:900], other)], other)
    check(ComparedState(None, BINS), [numbers(DRAWN)], BINS)
    check(ComparedState(numbers(np.array([])), BINS), [numbers(DRAWN)], BINS)


@pytest.mark.slow
def test_categories() -> None:
    bins = CategoryBins(("a", "b", "c"))
    before = ComparedState(texts(bins, {"a": 3_000, "b": 900, "c": 100}), bins)
    states = [
        texts(bins, {"a": 300 * size, "b": 90 * size, "c": 9 * size, "new": size}) for size in (1, 2, 50)
    ]
    odd = [None, texts(bins, {}), texts(bins, {"other": 400}), numbers(DRAWN)]
    many = texts(bins, {f"v{place}": 2 for place in range(3_000)})
    several = texts(bins, {**{f"v{place}": 2 for place in range(600)}, "a": 500})
    found = check(before, [*states, *odd, many, several], bins)
    assert [result.status for result in found[:3]] == ["ok"] * 3
    check(ComparedState(many, bins), [*states, many], bins)


def test_booleans_in_two_spellings() -> None:
    bins = CategoryBins(("true", "false"))
    before = ComparedState(texts(bins, {"true": 900, "false": 300}), bins)
    states: list[State | None] = [
        texts(bins, {"1": 200, "0": 300}),
        texts(bins, {"true": 200, "false": 300}),
        texts(bins, {"true": 300}),
    ]
    check(before, states, bins)
