"""What verdicts that pass would have found."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy.stats import norm

from aporia_provider.health.monitor_judging import judge_monitor
from tests.backend.monitors.monitored_model import MonitoredModel, configuration, on, usual

Z = norm.ppf(0.8)
MEAN_ERROR = math.sqrt(833.25 / 299)
"""Standard error of the mean of 300 ages, three times the numbers from 0 to 99."""


def detectable(model: MonitoredModel, type_: str, body: dict[str, Any]) -> dict[str, float]:
    """What the verdict on day 29, which passes, would have found."""
    model.monitor(type_, body)
    model.complete_until(on(30))
    model.evaluate(30)
    (found,) = model.registry.get_verdicts("m", "v1")
    assert found.outcome == "pass"
    return found.detectable


@pytest.mark.parametrize(("limits", "distance"), [({"min": 40.0, "max": 70.0}, 9.5), ({"max": 60.0}, 10.5)])
def test_limits_of_an_estimate(model: MonitoredModel, limits: dict[str, float], distance: float) -> None:
    """The mean is 49.5."""
    rule = {"name": "RANGE", **limits}
    found = detectable(model, "metric_change", configuration("mean", rule, features=["age"]))
    assert found == {"features.age": pytest.approx(distance + Z * MEAN_ERROR, abs=0.02)}


def test_a_ratio_has_the_errors_of_both_sides(model: MonitoredModel) -> None:
    """The baseline has 14 days, so its error is less by the square root of 14."""
    rule = {"name": "RATIO", "min": 0.5}
    body = configuration("mean", rule, baseline={}, features=["age"])
    error = math.hypot(MEAN_ERROR, 0.5 * MEAN_ERROR / math.sqrt(14))
    assert detectable(model, "metric_change", body) == {
        "features.age": pytest.approx(0.5 * 49.5 + Z * error, abs=0.02)
    }


def test_counts_are_exact(model: MonitoredModel) -> None:
    rule = {"name": "RATIO", "min": 0.5}
    body = configuration("count", rule, baseline={})
    assert detectable(model, "model_activity", body) == {"": 150.0}


def test_values_of_a_range_are_exact(model: MonitoredModel) -> None:
    """Ages are 0 to 99."""
    body = configuration("min_max", {"name": "VALUES_RANGE", "min": -10.0, "max": 105.0}, features=["age"])
    assert detectable(model, "values_range", body) == {"features.age": 6.0}


def test_the_health_of_a_version_tells_it(model: MonitoredModel) -> None:
    model.store({29: usual(latency=usual()["features.age"])})
    rule = {"name": "RANGE", "max": 0.2}
    model.monitor("missing_values", configuration("missing_ratio", rule, raw_inputs=["latency"]))
    model.complete_until(on(30))
    model.evaluate(30)
    verdicts = model.registry.get_verdicts("m", "v1")
    # Wilson's upper bound of 0 of 300 is z² / (300 + z²).
    error = 1.959964**2 / (300 + 1.959964**2) / 1.959964
    change = 0.2 + Z * error
    assert verdicts[0].detectable == {"raw_inputs.latency": pytest.approx(change, rel=1e-6)}
    (finding,) = judge_monitor("monitor", verdicts, None, "")
    assert finding.reason == f"would have found a change of {change:.3g} in raw_inputs.latency"
