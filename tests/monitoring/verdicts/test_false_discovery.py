"""Weighted Benjamini-Hochberg, and the conversions of promised rates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from aporia_provider.monitoring.verdicts.false_discovery import adjusted_p_values
from aporia_provider.monitoring.verdicts.promised_rate import level_of_bucket, rate_of_sensitivity

P = np.random.default_rng(2).uniform(size=(7, 30)) ** 3


@pytest.mark.parametrize("weights", [None, np.ones(30), np.full(30, 0.2)])
def test_equal_weights_are_plain_benjamini_hochberg(weights: np.ndarray | None) -> None:
    np.testing.assert_allclose(adjusted_p_values(P, weights), false_discovery_control(P, axis=1), rtol=1e-12)


def test_a_p_value_is_divided_by_its_weight() -> None:
    # Weights 2, 1, 0 have the mean 1: weighted p-values 0.01, 0.03 and infinity, times 3/1, 3/2 and 3/3.
    np.testing.assert_allclose(adjusted_p_values([0.02, 0.03, 0.0], [4, 2, 0]), [0.03, 0.045, 1.0])


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 2.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_invalid_weights_are_rejected(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must be finite, not negative, and not all zero"):
        adjusted_p_values([0.1, 0.2], weights)


def test_no_hypotheses() -> None:
    assert adjusted_p_values([]).shape == (0,)


@pytest.mark.parametrize(("sensitivity", "rate"), [(0, 0.1), (0.5, 1.0954451), (1, 12)])
def test_the_sensitivity_is_a_rate(sensitivity: float, rate: float) -> None:
    assert rate_of_sensitivity(sensitivity) == pytest.approx(rate)


@pytest.mark.parametrize("sensitivity", [-0.1, 1.1, float("nan")])
def test_a_sensitivity_is_from_0_to_1(sensitivity: float) -> None:
    with pytest.raises(ValueError, match="sensitivity must be between 0 and 1"):
        rate_of_sensitivity(sensitivity)


def test_the_level_of_a_bucket() -> None:
    assert level_of_bucket(2, 8) == 0.25
    assert level_of_bucket(12, 4) == 1
    with pytest.raises(ValueError, match="must be positive, not 0 and 365"):
        level_of_bucket(0, 365)
