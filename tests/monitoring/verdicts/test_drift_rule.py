"""Properties of the verdicts on drift."""

from __future__ import annotations

import numpy as np
import pytest

from aporia_provider.monitoring.verdicts.drift_pool import DriftPool
from aporia_provider.monitoring.verdicts.drift_rule import FieldHistory, judge_drift, judge_drift_history
from aporia_provider.monitoring.verdicts.false_discovery import adjusted_p_values
from tests.monitoring.verdicts.worlds import histories, means, weekdays

DAYS = 180


@pytest.fixture(scope="module")
def model() -> dict[str, FieldHistory]:
    rng = np.random.default_rng(5)
    return histories(means("seasonal", 20, DAYS, rng), rng)


def _pool(model: dict[str, FieldHistory]) -> DriftPool:
    counts = {name: field.counts for name, field in model.items()}
    return DriftPool(counts, [1.0] * len(counts), weekdays(DAYS), 365.25)


def test_p_values_are_uniform_whatever_the_scale_of_a_field() -> None:
    """The wobble of each field differs by up to a factor of ten, which the median of its past takes out."""
    rng = np.random.default_rng(11)
    scales = np.geomspace(0.02, 0.2, 20)[:, None]
    pool = _pool(histories(scales * rng.standard_normal((20, DAYS)), rng))
    p = np.concatenate([pool.p_values(day)[0] for day in range(90, DAYS)])  # type: ignore[index]
    for level in (0.01, 0.05, 0.1, 0.5):
        error = np.sqrt(level * (1 - level) / len(p))
        assert abs((p <= level).mean() - level) < 4 * error + 0.1 * level


@pytest.mark.slow
def test_the_last_bucket_is_judged_as_in_the_history(model: dict[str, FieldHistory]) -> None:
    history = judge_drift_history(model, weekdays(DAYS), buckets_a_year=365.25, acknowledged=True)
    for day in (40, DAYS - 1):
        until = {name: FieldHistory(field.counts[: day + 1]) for name, field in model.items()}
        assert judge_drift(until, weekdays(day + 1), buckets_a_year=365.25) == history[day]


@pytest.mark.parametrize(
    ("fields", "days", "said"),
    [(4, DAYS, "4 fields; 5 are required"), (20, 27, "27 buckets; 28 are required")],
)
def test_with_little_history_the_outcome_is_by_effect(
    model: dict[str, FieldHistory], fields: int, days: int, said: str
) -> None:
    few = {name: FieldHistory(model[name].counts[:days].copy()) for name in list(model)[:fields]}
    calm = judge_drift(few, weekdays(days), buckets_a_year=365.25)
    assert {verdict.outcome for verdict in calm.values()} == {"pass"}
    assert all(said in str(verdict.reason) and verdict.p_value is None for verdict in calm.values())
    few["field_0"].counts[-2:] = [0, 0, 0, 0, 500, 500, 500, 500, 1500, 1500]
    shifted = judge_drift(few, weekdays(days), buckets_a_year=365.25)
    assert [name for name, verdict in shifted.items() if verdict.outcome == "fail"] == ["field_0"]


def test_a_relevant_effect_in_one_bucket_is_not_yet_a_drift(model: dict[str, FieldHistory]) -> None:
    rng = np.random.default_rng(3)
    daily = np.zeros((1, 20))
    daily[0, -1] = 0.6  # Its PSI is about 0.36: more than 0.2, less than 1.
    verdict = judge_drift(histories(daily, rng), weekdays(20), buckets_a_year=365.25)["field_0"]
    assert verdict.outcome == "pass"
    assert "not yet in two consecutive buckets" in str(verdict.reason)
    assert verdict.effect == pytest.approx(0.36, rel=0.2)


def test_few_rows_are_insufficient() -> None:
    counts = np.full((20, 10), 2)
    verdict = judge_drift({"a": FieldHistory(counts)}, weekdays(20), buckets_a_year=365.25)["a"]
    assert verdict.outcome == "insufficient"
    assert "sampling alone could explain" in str(verdict.reason)


def test_a_bucket_without_values_is_insufficient(model: dict[str, FieldHistory]) -> None:
    empty = model | {"field_3": FieldHistory(model["field_3"].counts * (np.arange(DAYS) < DAYS - 1)[:, None])}
    verdicts = judge_drift(empty, weekdays(DAYS), buckets_a_year=365.25)
    assert verdicts["field_3"].outcome == "insufficient"
    assert verdicts["field_4"].p_value is not None


def test_the_number_of_buckets_must_be_that_of_the_seasons(model: dict[str, FieldHistory]) -> None:
    with pytest.raises(ValueError, match=r"field_0 has the counts of 180 buckets, and there are 3 seasons"):
        judge_drift(model, weekdays(3), buckets_a_year=365.25)


def test_an_important_field_needs_less_evidence(model: dict[str, FieldHistory]) -> None:
    counts = model["field_0"].counts.copy()
    counts[-2:, :5] -= 30  # A shift of about 0.08 standard deviations.
    counts[-2:, 5:] += 30
    drifted = model | {"field_0": FieldHistory(counts)}
    important = model | {"field_0": FieldHistory(counts, importance=5.0)}
    plain = judge_drift(drifted, weekdays(DAYS), buckets_a_year=365.25)["field_0"].p_value
    weighted = judge_drift(important, weekdays(DAYS), buckets_a_year=365.25)["field_0"].p_value
    assert weighted is not None
    assert plain is not None
    assert weighted < plain


def test_each_alarm_that_ended_and_is_not_acknowledged_lowers_the_level(
    model: dict[str, FieldHistory],
) -> None:
    pool = _pool(model)
    before = pool.p_values(DAYS - 1)
    pool.exclude("field_7", [100])
    after = pool.p_values(DAYS - 1)
    assert before is not None
    assert after is not None
    np.testing.assert_allclose(after[1][8:], np.minimum(2 * before[1][8:], 1), rtol=0.05)


@pytest.mark.slow
def test_the_share_of_false_discoveries_is_kept_with_planted_shifts() -> None:
    """The p-values of a bucket, of which half of the fields are shifted, at q = 10 %."""
    shares = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        daily = means("seasonal", 20, 100, rng)
        daily[:10, -1] += 0.5
        counts = {name: field.counts for name, field in histories(daily, rng).items()}
        p = DriftPool(counts, [1.0] * 20, weekdays(100), 365.25).p_values(99)
        assert p is not None
        rejected = adjusted_p_values(p[0]) <= 0.1
        shares.append(rejected[10:].sum() / max(1, rejected.sum()))
        assert rejected[:10].sum() >= 9
    assert np.mean(shares) <= 0.1 + 3 * np.std(shares) / np.sqrt(len(shares))
