"""Sums of floats are what exact arithmetic says."""

from __future__ import annotations

import math
from fractions import Fraction
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aporia_provider.monitoring.states import exact_sums
from aporia_provider.monitoring.states.exact_sums import exact_sum, ordered_sum

pytestmark = pytest.mark.slow

_LARGEST, _LEAST = 1.7976931348623157e308, 5e-324
_finite = st.floats(allow_nan=False, allow_infinity=False)
_limits = st.sampled_from(
    [_LARGEST, -_LARGEST, _LEAST, -_LEAST, 2.2250738585072014e-308, 0.0, -0.0, 1.0, 0.1]
)
_scaled = st.builds(
    lambda number, power: math.ldexp(number, power), st.floats(-1, 1), st.integers(-1074, 1023)
)
lists = st.lists(_finite | _limits | _scaled, max_size=60)


def by_hand(values: list[float]) -> Fraction:
    return sum(map(Fraction, values), Fraction())


@pytest.mark.slow
@given(lists, st.sampled_from([4, 1 << 11]))
@example([_LARGEST] * 3 + [_LEAST] * 3, 1 << 11)
@example([-_LARGEST, 1.0, _LARGEST], 1 << 11)
@example([1e16, 1.0, -1e16], 4)
def test_it_is_the_sum_of_fractions(values: list[float], longest: int) -> None:
    with patch.object(exact_sums, "_LONGEST", longest):
        assert exact_sum(np.array(values)) == by_hand(values)


@given(lists, lists)
@example([_LEAST] * 5, [_LARGEST] * 5)
def test_values_in_order(one: list[float], other: list[float]) -> None:
    rising, falling = (np.sort(np.abs(np.array(values))) for values in (one, other))
    falling = falling[::-1].copy()
    assert ordered_sum(rising, falling[::-1]) == by_hand([*rising.tolist(), *falling.tolist()])


@pytest.mark.slow
@given(lists, st.randoms())
def test_neither_order_nor_grouping_matter(values: list[float], random: object) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    middle = len(shuffled) // 2
    parts = exact_sum(np.array(shuffled[:middle])) + exact_sum(np.array(shuffled[middle:]))
    assert parts == exact_sum(np.array(values))


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, 1, 33, (1 << 11) - 1, (1 << 11) + 1, 40_000])
@pytest.mark.parametrize("scale", [1e-320, 1.0, 1e307])
def test_many_values(size: int, scale: float) -> None:
    values = np.random.default_rng(size).normal(size=size) * scale
    spread = values * np.exp2(np.random.default_rng(1).integers(-40, 0, size))
    # Equal values are the longest runs there are, and no significand is greater than the second's.
    equal = (np.full(size, 0.1 * scale), np.full(size, math.nextafter(2.0, 0.0)))
    for given_ in (values, spread, *equal, values[::-1], values[::3]):
        assert exact_sum(given_) == by_hand(given_.tolist())
