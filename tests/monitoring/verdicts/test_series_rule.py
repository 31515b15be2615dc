"""Verdicts on the values of a metric."""

from __future__ import annotations

import os

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import poisson

from aporia_provider.monitoring.verdicts.series_rule import judge_series, judge_series_history
from tests.monitoring.verdicts.worlds import episodes, weekdays

YEARS = int(os.environ.get("APORIA_SIMULATED_YEARS", "2"))
DAYS = 365


def _noise(world: str, days: int, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_t(3, days) / np.sqrt(3) if world == "heavy-tailed" else rng.standard_normal(days)
    if world == "lasting":
        return np.asarray(lfilter([0.6], [1, -0.8], noise))
    return noise + (3 * np.sin(2 * np.pi * np.arange(days) / 7) if world != "independent" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [1.0, 12.0])
@pytest.mark.parametrize("world", ["independent", "seasonal", "heavy-tailed", "lasting"])
def test_no_more_false_alarms_than_promised(world: str, rate: float) -> None:
    found = 0
    for year in range(YEARS):
        values = 100 + _noise(world, DAYS, np.random.default_rng([year, len(world)]))
        verdicts = judge_series_history(
            values, None, weekdays(DAYS), buckets_a_year=365.25, false_alarms_a_year=rate
        )
        found += episodes(np.array([verdict.outcome == "fail" for verdict in verdicts]))
    assert found <= poisson.ppf(0.99, rate * YEARS)


def test_a_value_outside_the_expected_range_is_an_anomaly() -> None:
    values = 100 + _noise("seasonal", 200, np.random.default_rng(1))
    calm = judge_series(values, None, weekdays(200), buckets_a_year=365.25)
    assert calm.outcome == "pass"
    assert calm.low is not None
    assert calm.high is not None
    assert calm.low < values[-1] < calm.high
    for value, outcome in ((calm.high, "fail"), (calm.low, "fail"), (calm.high - 0.01, "pass")):
        nudged = value + np.sign(value - 100) * 1e-6 if outcome == "fail" else value
        verdict = judge_series([*values[:-1], nudged], None, weekdays(200), buckets_a_year=365.25)
        assert verdict.outcome == outcome
    assert calm.high - calm.low < 20


@pytest.mark.slow
def test_a_lasting_change_stays_an_anomaly_until_it_is_acknowledged() -> None:
    values = 100 + np.random.default_rng(2).standard_normal(250)
    values[150:] += 20
    verdicts = judge_series_history(values, None, weekdays(250), buckets_a_year=365.25)
    assert {verdict.outcome for verdict in verdicts[150:]} == {"fail"}


def test_only_an_increase() -> None:
    values = 100 + np.random.default_rng(3).standard_normal(200)
    values[-1] = 50
    both = judge_series(values, None, weekdays(200), buckets_a_year=365.25)
    up = judge_series(values, None, weekdays(200), buckets_a_year=365.25, only_increase=True)
    assert (both.outcome, up.outcome, up.low) == ("fail", "pass", None)


def test_counts_are_compared_by_their_ratios() -> None:
    rng = np.random.default_rng(4)
    counts = rng.poisson(1000 * np.exp(rng.normal(0, 0.05, 200))).astype(float)
    calm = judge_series(counts, None, weekdays(200), buckets_a_year=365.25, kind="count")
    assert calm.low is not None
    assert calm.low > 0
    counts[-1] = 0
    assert judge_series(counts, None, weekdays(200), buckets_a_year=365.25, kind="count").outcome == "fail"


@pytest.mark.parametrize(("missing", "outcome"), [(1, "pass"), (100, "fail")])
def test_a_ratio_that_was_always_zero(missing: int, outcome: str) -> None:
    """One missing value of 5,000 is within the error of sampling, 2 % are not."""
    values = np.zeros(100)
    values[-1] = missing / 5000
    verdict = judge_series(
        values, np.full(100, 5000), weekdays(100), buckets_a_year=365.25, kind="ratio", only_increase=True
    )
    assert verdict.outcome == outcome


def test_a_bucket_of_few_rows_has_a_wider_range() -> None:
    rng = np.random.default_rng(5)
    values, sizes = 0.5 + rng.normal(0, 0.01, 200), np.full(200, 5000)
    usual = judge_series(values, sizes, weekdays(200), buckets_a_year=365.25)
    sizes[-1] = 50
    few = judge_series(values, sizes, weekdays(200), buckets_a_year=365.25)
    assert usual.high is not None
    assert few.high is not None
    assert few.expected is not None
    assert few.high - few.expected == pytest.approx(10 * (usual.high - few.expected))


def test_little_history_is_insufficient() -> None:
    verdict = judge_series(np.arange(12.0), None, weekdays(12), buckets_a_year=365.25)
    assert (verdict.outcome, verdict.reason) == (
        "insufficient",
        "too few of the buckets before can be compared",
    )
    missing = judge_series([1.0] * 60 + [np.nan], None, weekdays(61), buckets_a_year=365.25)
    assert (missing.outcome, missing.reason) == ("insufficient", "the bucket has no value")


def test_the_numbers_of_buckets_must_be_equal() -> None:
    with pytest.raises(ValueError, match="there are 3 values, 3 sizes and 2 seasons"):
        judge_series([1, 2, 3], [1, 2, 3], [0, 1], buckets_a_year=365.25)


@pytest.mark.slow
def test_the_detectable_change_is_found_with_a_probability_of_eighty_percent() -> None:
    rng = np.random.default_rng(11)
    found, judged = 0, 300
    for _ in range(judged):
        values = rng.standard_normal(200)
        usual = judge_series([*values, 0.0], None, [0] * 201, buckets_a_year=365.25)
        assert usual.detectable is not None
        assert usual.expected is not None
        changed = usual.expected + usual.detectable + rng.standard_normal()
        verdict = judge_series([*values, changed], None, [0] * 201, buckets_a_year=365.25)
        assert verdict.detectable is None or verdict.outcome == "pass"
        found += verdict.outcome == "fail"
    assert found / judged == pytest.approx(0.8, abs=0.07)
