"""Quantiles from bins, against those of the values themselves by numpy's default method."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aporia_provider.metric_results import MetricResult
from aporia_provider.monitoring.bins.field_bins import NumericBins
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.monitoring.statistics.field_statistics import StatisticParameters, statistic
from aporia_provider.monitoring.statistics.quantiles import quantile
from tests.monitoring.histograms import bins_of

shares = st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.25, 0.5, 0.75, 0.9, 1.0])
columns = (
    st.lists(st.sampled_from([0.0, 1.0, 10.0, 1000.0, -3.5, 0.1]), min_size=1, max_size=60)
    | st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)
    | st.lists(st.integers(-4, 30).map(float) | st.floats(-5, 5), min_size=1, max_size=200)
    | st.lists(
        st.floats(allow_nan=False, allow_infinity=False, max_value=1e300, min_value=-1e300), min_size=1
    )
)


def metric_result(
    values: list[float] | np.ndarray, share: float, baseline: list[float] | None = None
) -> MetricResult:
    bins = bins_of(values if baseline is None else baseline)
    return quantile(NumericState.of(np.asarray(values, dtype=np.float64), 0, bins), bins, share)


def histogram_of(values: list[float]) -> dict[str, list[float]]:
    bins = bins_of(values)
    found: dict[str, list[float]] = statistic(
        "histogram", "numeric", NumericState.of(np.array(values), 0, bins), StatisticParameters(bins)
    ).value
    return found


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([0.0, 1.0], 0.5, 0.5),
        ([10.0] * 500 + [1000.0] * 500, 0.5, 505.0),
        ([0.0] * 95 + [7.5] * 5, 0.5, 0.0),
        ([0.0] * 95 + [7.5] * 5, 0.97, 7.5),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([3.0, 1.0, 2.0, 2.0], 0.9, 2.7),
        ([5.0], 0.3, 5.0),
        ([0.1] * 7, 0.7, 0.1),
    ],
)
def test_single_values_are_answered_exactly(values: list[float], share: float, expected: float) -> None:
    answer = metric_result(values, share)
    assert (answer.status, answer.bound) == ("ok", 0)
    assert answer.value == np.quantile(values, share) == pytest.approx(expected, rel=1e-15)


@pytest.mark.slow
@given(columns, columns | st.none(), shares)
def test_numpys_quantile_of_the_rows_is_within_the_bound(
    values: list[float], baseline: list[float] | None, share: float
) -> None:
    answer = metric_result(values, share, baseline)
    exact = float(np.quantile(values, share))
    assert answer.status == "ok"
    assert math.isfinite(answer.value)
    assert abs(answer.value - exact) <= answer.bound
    if baseline is None and len(set(values)) <= 50 and len(values) < 25:
        assert answer.value == exact
        assert answer.bound == 0 or max(map(abs, values)) >= 2**53


@pytest.mark.slow
@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 7.0]), min_size=1), shares)
def test_values_of_a_discrete_field_are_exact_whatever_their_number(
    values: list[float], share: float
) -> None:
    answer = metric_result(values, share, [0.0, 1.0, 2.0, 7.0])
    assert (answer.value, answer.bound) == (float(np.quantile(values, share)), 0)


def test_continuous_values_are_known_to_a_bin() -> None:
    values = np.random.default_rng(0).normal(size=24_000)
    for share in (0.01, 0.25, 0.5, 0.99):
        answer = metric_result(values, share)
        assert abs(answer.value - np.quantile(values, share)) <= answer.bound < 0.2


def test_without_bins_the_ends_are_known() -> None:
    state = NumericState.of(np.array([4.0, 1.0]), 0, None)
    assert [quantile(state, None, share).value for share in (0, 0.5, 1)] == [1.0, 2.5, 4.0]
    three = NumericState.of(np.array([4.0, 1.0, 2.0]), 0, None)
    assert quantile(three, None, 0.5).status == "undefined"
    # Counted before there were bins.
    assert quantile(three, NumericBins.of(np.array([1.0])), 0.5).status == "undefined"


def test_edges_of_a_histogram_are_values_and_no_neighbours_of_them() -> None:
    assert histogram_of([0.0, 1.0, 1.0]) == {"edges": [0.0, 0.0, 1.0, 1.0], "counts": [0, 1, 0, 2, 0]}
    found = histogram_of([10.0] * 500 + [1000.0] * 500)
    assert found == {"edges": [10.0, 10.0, 1000.0, 1000.0], "counts": [0, 500, 0, 500, 0]}
    mixed = histogram_of([0.0] * 900 + [float(value) for value in range(1, 101)])
    assert mixed["edges"][:2] == [0.0, 0.0]
    assert mixed["edges"][2:] == pytest.approx(np.quantile(np.arange(1, 101), np.arange(1, 10) / 10).tolist())
    assert mixed["counts"] == [0, 900, *[10] * 10]
