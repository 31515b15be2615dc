"""The rate of false alarms of monitors that judge each value of a segment, in simulations."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import poisson

from aporia_provider.monitoring.verdicts.drift_rule import FieldHistory, judge_drift_history
from aporia_provider.monitoring.verdicts.series_rule import PooledPast, Series
from tests.monitoring.verdicts.worlds import episodes, weekdays

pytestmark = pytest.mark.slow

DAYS = 365
_EDGES = np.linspace(-1.28, 1.28, 9)


@pytest.mark.slow
def test_drift_of_values_of_different_sizes() -> None:
    """
    Three fields of each of 20 values, which have 30 to 5,000 rows a day and share half of the wobble.

    The ranks are pooled, and one false alarm a year is promised for all of them. The bound is what chance
    allows with a probability of 99 %.
    """
    rng = np.random.default_rng(20)
    sizes = np.geomspace(30, 5_000, 20).astype(int)
    model: dict[str, FieldHistory] = {}
    for field in range(3):
        shared = rng.standard_normal(DAYS)
        for value, size in enumerate(sizes):
            wobble = 0.03 * (shared + rng.standard_normal(DAYS)) / np.sqrt(2)
            shares = np.diff(ndtr(_EDGES - wobble[:, None]), axis=-1, prepend=0, append=1)
            model[f"@1.{value}:features.{field}"] = FieldHistory(rng.multinomial(size, shares))
    verdicts = judge_drift_history(model, weekdays(DAYS), buckets_a_year=365.25)
    alarmed = np.array([any(each.outcome == "fail" for each in day.values()) for day in verdicts])
    assert episodes(alarmed) <= poisson.ppf(0.99, 1)


def accuracies(sizes: NDArray[np.int64], days: int, rng: np.random.Generator) -> list[Series]:
    """Return the accuracies of values with these numbers of rows a day, which vary by chance only."""
    found = []
    for size in sizes:
        rows = rng.poisson(size, days) + 1
        accuracy = rng.binomial(rows, 0.9) / rows
        found.append(Series(accuracy, rows, weekdays(days), buckets_a_year=365.25, kind="ratio"))
    return found


@pytest.mark.slow
def test_accuracy_of_values_of_different_sizes() -> None:
    """The promised rate is divided among 20 values, and deviations are ranked among those of all of them."""
    every = accuracies(np.geomspace(50, 5_000, 20).astype(int), DAYS, np.random.default_rng(21))
    alarms = 0
    for day in range(28, DAYS):
        pool = PooledPast.of([(series, day) for series in every])
        outcomes = [series.judge(day, 1 / len(every), pool).outcome for series in every]
        failed = [series for series, outcome in zip(every, outcomes, strict=True) if outcome == "fail"]
        alarms += len(failed)
        for series in failed:
            series.exclude([day])
    assert alarms <= poisson.ppf(0.99, 1)
