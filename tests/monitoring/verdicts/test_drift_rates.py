"""
The rate of false alarms of drift, and the days until a shift is found, in simulations.

``APORIA_SIMULATED_YEARS`` is the number of years of each world. With 20 or more, there are also models of 200
fields, and those whose alerts are acknowledged at once.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from scipy.stats import poisson

from aporia_provider.monitoring.verdicts.drift_rule import judge_drift, judge_drift_history
from tests.monitoring.verdicts.worlds import WORLDS, episodes, histories, means, weekdays

YEARS = int(os.environ.get("APORIA_SIMULATED_YEARS", "1"))
SIZES = (5, 20, 200) if YEARS >= 20 else (5, 20)
DAYS = 365
ONSET = 200
_FEWEST_FOUND = {("heavy-tailed", 200, 0.15): 0.0}


@pytest.mark.slow
@pytest.mark.parametrize("acknowledged", [False, True] if YEARS >= 20 else [False])
@pytest.mark.parametrize("fields", SIZES)
@pytest.mark.parametrize("world", WORLDS)
def test_no_more_false_alarms_than_promised(world: str, fields: int, acknowledged: bool) -> None:
    """One a year is promised. The bound is what chance allows with a probability of 99 %."""
    found = 0
    for year in range(YEARS):
        rng = np.random.default_rng([year, fields, WORLDS.index(world)])
        verdicts = judge_drift_history(
            histories(means(world, fields, DAYS, rng), rng),
            weekdays(DAYS),
            buckets_a_year=365.25,
            acknowledged=acknowledged,
        )
        found += episodes(np.array([any(v.outcome == "fail" for v in day.values()) for day in verdicts]))
    assert found <= poisson.ppf(0.99, YEARS)


@pytest.mark.parametrize("fields", SIZES)
@pytest.mark.parametrize("shift", [0.5, 0.15])
@pytest.mark.parametrize("world", WORLDS)
def test_a_shift_is_found_within_two_days_and_stays_found(world: str, fields: int, shift: float) -> None:
    """
    Half a standard deviation in all of ten fields; 0.15 in half of them. No alert is acknowledged.

    In one of 200 fields, a heavy-tailed wobble is that great too often for 0.15 to be told from it.
    """
    rng = np.random.default_rng([fields, WORLDS.index(world), int(100 * shift)])
    shifted = min(fields, 10)
    days = means(world, fields, ONSET + 70, rng)
    days[:shifted, ONSET:] += shift
    model = histories(days, rng)
    excluded: dict[str, list[int]] = {}
    found: dict[int, set[str]] = {}
    # After ten weeks, the eight buckets of the reference would all be of the shifted distribution.
    for day in (ONSET, ONSET + 1, ONSET + 69):
        until = {name: type(field)(field.counts[: day + 1]) for name, field in model.items()}
        verdicts = judge_drift(until, weekdays(day + 1), buckets_a_year=365.25, excluded=excluded)
        found[day] = {name for name, verdict in verdicts.items() if verdict.outcome == "fail"}
        for name in found[day]:
            excluded.setdefault(name, []).extend(range(day, ONSET + 69 if day > ONSET else day + 1))
    names = {f"field_{i}" for i in range(shifted)}
    by_second = (found[ONSET] | found[ONSET + 1]) & names
    assert len(by_second) >= _FEWEST_FOUND.get(
        (world, fields, shift), shifted * (1.0 if shift == 0.5 else 0.5)
    )
    if shift == 0.5:
        assert names <= found[ONSET + 69]
