"""Tests of changes in the terms of segments, and their control over all terms."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from aporia_provider.monitoring.confidence.difference_tests import (
    mean_p_value,
    proportion_p_value,
    student_p_value,
)
from aporia_provider.monitoring.confidence.interval import Interval
from aporia_provider.monitoring.confidence.means import mean_interval
from aporia_provider.monitoring.segments.conditions import parse_condition
from aporia_provider.monitoring.segments.disjoint_terms import are_disjoint
from aporia_provider.monitoring.verdicts.change_division import Mean
from aporia_provider.monitoring.verdicts.term_changes import (
    FALSE_DISCOVERIES,
    Side,
    adjusted,
    change_p_value,
)

pytestmark = pytest.mark.fast

VALUES, RUNS = 40, 200


@pytest.mark.parametrize(
    ("count", "size", "other", "other_size"),
    [(5, 40, 100, 1120), (30, 40, 1008, 1120), (0, 10, 5, 10), (870, 1000, 27000, 30000), (3, 3, 1, 9)],
)
def test_proportions_are_compared_by_fishers_test(count: int, size: int, other: int, other_size: int) -> None:
    law = stats.hypergeom(size + other_size, count + other, size)
    expected = min(1.0, 2 * min(law.cdf(count), law.sf(count - 1)))
    assert proportion_p_value(count, size, other, other_size) == pytest.approx(expected, rel=1e-6)


def test_many_rows_are_compared_by_the_normal_approximation() -> None:
    sizes, counts = (100_000, 300_000), (9_700, 30_000)
    law = stats.hypergeom(sum(sizes), sum(counts), sizes[0])
    expected = 2 * min(law.cdf(counts[0]), law.sf(counts[0] - 1))
    found = proportion_p_value(counts[0], sizes[0], counts[1], sizes[1])
    assert found == pytest.approx(expected, rel=0.02)


def test_means_are_compared_by_the_tests_of_welch_and_student() -> None:
    random = np.random.default_rng(1)
    for deviations in ((1, 3), (3, 1)):
        one, other = random.normal(0, deviations[0], 20), random.normal(0.8, deviations[1], 50)
        tests = [stats.ttest_ind(one, other, equal_var=equal).pvalue for equal in (False, True)]
        errors = float(one.std(ddof=1) / np.sqrt(20)), float(other.std(ddof=1) / np.sqrt(50))
        found = mean_p_value(float(one.mean() - other.mean()), errors, (20, 50))
        assert found == pytest.approx(max(tests), rel=1e-6)
    for degrees in (4, 9, 100):
        assert student_p_value(3.0, degrees) == pytest.approx(2 * stats.t.sf(3.0, degrees), rel=0.01)


def proportion(random: np.random.Generator, rows: int, right: float) -> Side:
    count = int(random.binomial(rows, right))
    return Side(Mean(count, rows), Interval(count / rows, 0.0, 1.0), 0.95, counted=True)


def squared_error(random: np.random.Generator, rows: int, right: float) -> Side:
    """The Brier score of rows whose labels are true with the probability that is their score."""
    scores = random.beta(2, 2, rows)
    errors = (scores - (random.random(rows) < scores)) ** 2
    total, squares = (float(each.sum()) for each in (errors, errors**2))
    interval = mean_interval(Fraction(total), Fraction(squares), rows, 0.95)
    return Side(Mean(total, rows), interval, 0.95, counted=False)


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "runs"), [(proportion, RUNS), (squared_error, 100)])
def test_without_a_drop_no_term_is_named(
    draw: Callable[[np.random.Generator, int, float], Side], runs: int
) -> None:
    random = np.random.default_rng(7)
    none_named = 0
    for _ in range(runs):
        pairs = [(draw(random, 400, 0.93), draw(random, 60, 0.93)) for _ in range(VALUES)]
        p_values = adjusted([change_p_value(*pair) for pair in pairs])
        none_named += not any(p is not None and p <= FALSE_DISCOVERIES for p in p_values)
    assert none_named >= 0.95 * runs


def test_a_drop_in_one_term_is_named() -> None:
    random = np.random.default_rng(8)
    for _ in range(50):
        rates = [0.93] * (VALUES - 1) + [0.6]
        pairs = [(proportion(random, 400, 0.93), proportion(random, 60, rate)) for rate in rates]
        p_values = adjusted([change_p_value(*pair) for pair in pairs])
        assert min(range(VALUES), key=lambda place: p_values[place] or 0.0) == VALUES - 1
        assert (p_values[-1] or 0.0) <= FALSE_DISCOVERIES


@pytest.mark.parametrize(
    ("conditions", "disjoint"),
    [
        (["a = 'x'", "a = 'y'"], True),
        (["a = 'x'", "b = 'y'"], False),
        (["a >= 1 and a < 2", "a >= 2 and a <= 3"], True),
        (["a >= 1 and a <= 2", "a >= 2"], False),
        (["(a = 'x') and (b >= 1 and b < 2)", "(a = 'x') and (b >= 2)", "(a = 'y') and (b < 2)"], True),
        (["a is null", "a = 'x'"], True),
        (["a is null", "a is not null"], True),
        (["a", "not a"], True),
        (["a > 3 or b > 2", "a < 1"], False),
        (["a in (1, 2)", "a > 2"], True),
        (["a in (1, 3)", "a > 2"], False),
        (["a != 1", "a = 1"], False),
        (["a = b", "a = 1"], False),
    ],
)
def test_disjoint_conditions(conditions: list[str], disjoint: bool) -> None:
    assert are_disjoint([parse_condition(text) for text in conditions]) is disjoint
