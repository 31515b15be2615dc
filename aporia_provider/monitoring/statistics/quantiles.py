"""Quantiles of numbers, computed from bins."""

from __future__ import annotations

import math
from typing import NamedTuple

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.result import undefined
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.statistics.rounding_bounds import rounding_of


def quantile(state: NumericState, bins: NumericBins | None, share: float) -> MetricResult:
    """
    Return a quantile by numpy's default definition.

    For the ``n`` sorted values ``x``, it is the linear interpolation between ``x[i]`` and ``x[i + 1]`` at
    position ``(n - 1) * share``. The minimum, the maximum and the values of bins of a single value are exact.
    Others are assumed to be evenly distributed in their bins; the bound includes all their possible
    positions, and the rounding of integers beyond 2**53 to doubles.

    :param state: State of the values.
    :param bins: Bins of the state, if any.
    :param share: Probability, from 0 to 1.
    """
    if not state.finite or state.least is None or state.greatest is None:
        return undefined("there are no values")
    bins = bins if state.counts else None
    position = (state.finite - 1) * share
    before = math.floor(position)
    after = min(before + 1, state.finite - 1)
    if bins is None and not {before, after if position > before else before} <= {0, state.finite - 1}:
        return undefined("the field has no bins yet", state.finite)
    lower = _ordered(state, bins, before)
    upper = _ordered(state, bins, after) if position > before else lower
    estimate = _between(lower, upper, position - before) if position > before else lower
    if math.isinf(estimate.high - estimate.low):
        return undefined("the bin of the quantile is wider than the largest float", state.finite)
    rounding = 4 * rounding_of(max(lower.size, upper.size)) if position > before else rounding_of(lower.size)
    return MetricResult(estimate.value, samples=state.finite, bound=estimate.bound + rounding)


class _Estimate(NamedTuple):
    """A number with a lower and an upper bound."""

    value: float
    low: float
    high: float

    @property
    def size(self) -> float:
        """Maximum absolute value of the bounds."""
        return max(abs(self.low), abs(self.high))

    @property
    def bound(self) -> float:
        if self.low == self.high:
            return 0.0
        # The ends have the same rounding error as the value.
        rounding = 2 * math.ulp(self.size)
        return max(self.value - self.low, self.high - self.value) + rounding


def _ordered(state: NumericState, bins: NumericBins | None, index: int) -> _Estimate:
    """Return the value at an index of the sorted values."""
    assert state.least is not None  # noqa: S101
    assert state.greatest is not None  # noqa: S101
    if bins is None or index in (0, state.finite - 1):
        extreme = state.greatest if index else state.least
        return _Estimate(extreme, extreme, extreme)
    ends = [state.least, *bins.edges, math.nextafter(state.greatest, math.inf)]
    passed = 0
    for number, count in enumerate(state.counts):
        if index < passed + count:
            # The upper edge does not belong to the bin.
            low, high = max(ends[number], state.least), math.nextafter(ends[number + 1], -math.inf)
            high = max(low, min(high, state.greatest))
            return _Estimate(_on_line(low, high, (index - passed + 0.5) / count), low, high)
        passed += count
    raise ValueError(f"The bins contain {passed} values, so index {index} does not exist")


def _between(one: _Estimate, other: _Estimate, part: float) -> _Estimate:
    return _Estimate(*(_on_line(a, b, part) for a, b in zip(one, other, strict=True)))


def _on_line(low: float, high: float, part: float) -> float:
    """Return the linear interpolation between two numbers, rounded as numpy does."""
    way = high - low
    if math.isinf(way):
        return low * (1 - part) + high * part
    return low + way * part if part < 0.5 else high - way * (1 - part)
