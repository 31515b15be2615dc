"""The kernel computes the states of numbers that numpy computes, to the last bit."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.profiles.plan import FieldPlan, ProfilePlan
from aporia_provider.monitoring.states.number_state import NumericState
from tests.kernel.comparing import assert_equal, with_kernel
from tests.monitoring.columns import DAY, KEY, table_of
from tests.sizes import sized

LARGEST, LEAST = 1.7976931348623157e308, 5e-324
Floats = NDArray[np.float64]


def _bits(rng: np.random.Generator, size: int) -> Floats:
    return rng.integers(0, 2**64, size, dtype=np.uint64, endpoint=False).view(np.float64)


DISTRIBUTIONS: dict[str, Any] = {
    "normal": lambda rng, size: rng.normal(3, 2, size),
    "far from zero": lambda rng, size: rng.normal(1e9, 1e-3, size),
    "lognormal": lambda rng, size: rng.lognormal(0, 4, size),
    "all magnitudes": lambda rng, size: rng.choice([-1, 1], size) * np.exp2(rng.uniform(-1074, 1023, size)),
    "few magnitudes apart": lambda rng, size: np.exp2(rng.integers(-60, 60, size)) * rng.random(size),
    "random bits": _bits,
    "subnormal": lambda rng, size: rng.integers(-(2**40), 2**40, size) * LEAST,
    "least normal": lambda rng, size: np.ldexp(rng.normal(0, 1, size), -1020),
    "greatest": lambda rng, size: rng.choice([LARGEST, -LARGEST, LARGEST / 2, 1.0], size),
    "squares overflow": lambda rng, size: rng.normal(0, 1e155, size),
    "squares underflow": lambda rng, size: rng.normal(0, 1e-160, size),
    "integers": lambda rng, size: rng.integers(-5, 6, size).astype(np.float64),
    "zeros": lambda rng, size: rng.choice([0.0, -0.0], size),
    "one value": lambda rng, size: np.full(size, rng.normal()),
    "powers of two": lambda rng, size: np.exp2(rng.integers(0, 55, size).astype(np.float64)),
    "just below a power": lambda rng, size: np.nextafter(
        np.exp2(rng.integers(0, 3, size).astype(np.float64)), 0
    ),
}
ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, LEAST, -LEAST, LARGEST, -LARGEST])
# Around the number of values that are processed together, 1024.
SIZES = [1, 2, 7, 63, 1023, 1024, 1025, 2048, 3000]


def numbers(kind: str, seed: int, size: int, odd: float) -> Floats:
    """Values of a distribution, some of them replaced by unusual ones."""
    rng = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        values: Floats = np.asarray(DISTRIBUTIONS[kind](rng, size), dtype=np.float64)
    return np.where(rng.random(size) < odd, rng.choice(ODD, size), values)


def column(values: Floats, seed: int, nulls: float, offset: int) -> pa.Array:
    """The values as a slice of a longer array, some of them null."""
    rng = np.random.default_rng(seed)
    mask = rng.random(len(values)) < nulls
    return pa.array(values, mask=mask if nulls else None).slice(offset)


def bins_of(kind: str, seed: int, size: int) -> NumericBins | None:
    with np.errstate(all="ignore"):
        return NumericBins.of(numbers(kind, seed, size, 0.0))


def plan_of(bins: NumericBins | None) -> ProfilePlan:
    return ProfilePlan("daily", (FieldPlan(KEY, "numeric", "c"),), (), {} if bins is None else {KEY: bins})


kinds = st.sampled_from(sorted(DISTRIBUTIONS))
seeds = st.integers(0, 2**32)
shares = st.sampled_from([0.0, 0.05, 0.5, 1.0])


@pytest.mark.slow
@settings(max_examples=sized(38, 150))
@given(
    kinds,
    seeds,
    st.sampled_from(SIZES),
    shares,
    shares,
    st.integers(0, 9),
    st.sampled_from(["none", *DISTRIBUTIONS]),
)
def test_any_distribution(
    kind: str, seed: int, size: int, odd: float, nulls: float, offset: int, of_bins: str
) -> None:
    array = column(numbers(kind, seed, size, odd), seed + 1, nulls, offset)
    # Mostly another sample of the same distribution, so that values are in the bins and outside of them.
    bins = None if of_bins == "none" else bins_of(of_bins, seed + 2, 400)
    times = np.random.default_rng(seed).integers(0, 3 * DAY, len(array)).tolist()
    assert_equal([table_of(array, times)], plan_of(bins))


@pytest.mark.slow
@settings(max_examples=sized(25, 100))
@given(kinds, seeds, st.sampled_from(SIZES), st.sampled_from([0, 1, 2, 5, 40, 300]))
def test_bins_of_the_same_distribution(kind: str, seed: int, size: int, known: int) -> None:
    bins = bins_of(kind, seed, known)
    values = numbers(kind, seed + 1, size, 0.0)
    if bins is not None:
        # Values at the edges, and beside them.
        edges = np.array(bins.edges)
        values = np.concatenate([values, edges, np.nextafter(edges, -np.inf), np.nextafter(edges, np.inf)])
    assert_equal([table_of(pa.array(values))], plan_of(bins))


doubles = st.floats(width=64) | st.integers(0, 2**64 - 1).map(
    lambda bits: float(np.uint64(bits).view(np.float64))
)
edges = st.lists(
    st.floats(-(2.0**1022), 2.0**1022), min_size=1, max_size=256, unique_by=lambda edge: edge + 0.0
).map(sorted)


@pytest.mark.slow
@settings(max_examples=sized(38, 150))
@given(
    st.lists(doubles, max_size=40),
    edges,
    st.floats(-(2.0**1022), 2.0**1022),
    st.integers(-1074, 1023).map(lambda power: math.ldexp(1.0, power)) | st.just(1.0),
)
@example([1.0], [0.0], 0.0, 1.0)
@example([-0.0, 0.0], [-1.0, 0.0], 0.0, 1.0)
@example([LARGEST, -LARGEST], [-(2.0**1022), 2.0**1022], -(2.0**1022), 2.0**-1074)
@example([0.0, LEAST, -LEAST], [-LEAST, 0.0, LEAST], 0.0, 2.0**-1074)
@example([0.5] * 3, [math.ldexp(1.0, -n) for n in range(255, -1, -1)], 0.0, 1.0)
def test_any_bins(values: list[float], edges: list[float], centre: float, unit: float) -> None:
    bins = NumericBins(tuple(edges), (), centre, unit)
    assert_equal([table_of(pa.array([*values, *edges], pa.float64()))], plan_of(bins))


def test_sums_of_many_equal_values() -> None:
    """All significands are the greatest that there are; the sums are known."""
    value, size = math.nextafter(2.0, 0.0), 300_000
    found = with_kernel([table_of(pa.array(np.full(size, value)))], plan_of(None))[0, KEY]
    assert isinstance(found, NumericState)
    assert found.positive_sum == Fraction(value) * size
    assert found.squares == Fraction(value * value) * size


def test_a_carry_through_a_whole_sum() -> None:
    """The sum of the first values has 200 bits, all of them one; the last value changes all."""
    values = [*(2.0**power for power in range(200)), 1.0]
    found = with_kernel([table_of(pa.array(values))], plan_of(None))[0, KEY]
    assert isinstance(found, NumericState)
    assert found.positive_sum == 2**200


def test_buffers_that_are_not_aligned() -> None:
    values = np.random.default_rng(1).normal(size=500)
    memory = np.zeros(500 * 8 + 1, dtype=np.uint8)
    memory[1:] = values.view(np.uint8)
    array = pa.Array.from_buffers(pa.float64(), 500, [None, pa.py_buffer(memory).slice(1)])
    assert array.buffers()[1].address % 8
    assert_equal([table_of(array)], plan_of(bins_of("normal", 1, 100)))
