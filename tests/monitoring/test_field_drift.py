"""Drift of a field from its states, whatever its type."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from aporia_provider.monitoring.drift import CATEGORY_METRICS, NUMERIC_METRICS
from aporia_provider.monitoring.field_drift import SCORE, Side, drift
from aporia_provider.monitoring.grid import NumericGrid
from aporia_provider.monitoring.outcomes import Minimum
from aporia_provider.monitoring.plan import Grid
from aporia_provider.monitoring.vectors import VectorGrid, norms
from tests.monitoring.columns import KEY, states_of

Vectors = NDArray[np.float64]
ANY = Minimum(1, 0, 1)


def side(values: pa.Array, type_: str, grid: Grid | None) -> Side:
    return Side(states_of(values, type_, {KEY: grid} if grid else {})[KEY], grid)


def of_vectors(vectors: Vectors, norm: NumericGrid | None = None) -> Side:
    return side(pa.array(list(vectors)), "vector", VectorGrid(vectors.shape[1], norm))


def samples(rng: np.random.Generator, count: int) -> Vectors:
    """Vectors far from zero, whose components have different variances and depend on one another."""
    drawn = rng.normal([50, 0, -3, 7], [1, 2, 0.5, 0.1], (count, 4))
    drawn[:, 1] += drawn[:, 0]
    return drawn


def test_noise_of_vectors_is_the_root_of_what_two_samples_have_on_average() -> None:
    rng = np.random.default_rng(21)
    squares, noises = [], []
    for _ in range(400):
        one, other = samples(rng, 300), samples(rng, 100)
        grid = NumericGrid.of(norms(one))
        answer = drift(SCORE, of_vectors(one, grid), of_vectors(other, grid), minimum=ANY)
        squares.append(answer.value**2)
        noises.append(answer.noise)
    assert np.mean(noises) == pytest.approx(np.sqrt(np.mean(squares)), rel=0.1)
    # The variances are 1, 1 + 4, 0.25 and 0.01.
    assert np.mean(noises) == pytest.approx(np.sqrt(6.26 * (1 / 300 + 1 / 100)), rel=0.02)


@pytest.mark.parametrize("gridded", [(True, True), (False, True), (True, False), (False, False)])
def test_noise_of_vectors_is_that_of_all_of_them_whatever_their_grids(gridded: tuple[bool, bool]) -> None:
    rng = np.random.default_rng(22)
    one, other = samples(rng, 30), samples(rng, 12) + 1
    sides = [
        of_vectors(vectors, NumericGrid.of(norms(vectors)) if known else None)
        for vectors, known in zip((one, other), gridded, strict=True)
    ]
    answer = drift("euclidean_distance", *sides, minimum=ANY)
    variances = np.concatenate([one, other]).var(axis=0, ddof=1)
    assert answer.noise == pytest.approx(np.sqrt(variances.sum() * (1 / 30 + 1 / 12)), rel=1e-9)
    assert answer.excess == pytest.approx(answer.value - answer.noise)


def test_noise_of_vectors_that_are_all_the_same_is_none_at_all() -> None:
    same = of_vectors(np.full((5, 3), 1 / 3))
    answer = drift(SCORE, same, same, minimum=ANY)
    assert answer.value == 0
    assert answer.noise == pytest.approx(0, abs=1e-7)


def test_noise_of_vectors_near_the_limit_of_floats_is_finite() -> None:
    answer = drift(SCORE, *(of_vectors(np.array([[number]])) for number in (1.3e154, -1.3e154)), minimum=ANY)
    assert answer.value == pytest.approx(2.6e154)
    assert 1e154 < (answer.noise or 0) < np.inf


def test_vectors_longer_than_a_float_can_say_have_no_distance() -> None:
    usual, long = of_vectors(np.array([[3.0, 4.0]])), of_vectors(np.array([[1e200, 1e200], [3.0, 4.0]]))
    for pair in ((usual, long), (long, usual)):
        answer = drift(SCORE, *pair, minimum=ANY)
        assert (answer.value, answer.status) == (None, "undefined")
        assert "length" in (answer.reason or "")


@pytest.mark.parametrize("metric", sorted(NUMERIC_METRICS))
def test_every_distance_of_numbers_comes_with_noise_and_excess(metric: str) -> None:
    rng = np.random.default_rng(23)
    one, other = rng.normal(size=3000), rng.normal(1, 1, 500)
    grid = NumericGrid.of(one)
    answer = drift(metric, *(side(pa.array(values), "numeric", grid) for values in (one, other)))
    assert 0 < (answer.noise or 0) < answer.value
    assert answer.excess == pytest.approx(answer.value - answer.noise)


@pytest.mark.parametrize("metric", sorted(CATEGORY_METRICS))
def test_every_distance_of_categories_comes_with_noise_and_excess(metric: str) -> None:
    sides = [
        side(pa.array(texts), "categorical", None) for texts in (["a", "b"] * 600, ["a"] * 200 + ["c"] * 50)
    ]
    answer = drift(metric, *sides)
    assert 0 < (answer.noise or 0) < answer.value
    assert answer.excess == pytest.approx(answer.value - answer.noise)
