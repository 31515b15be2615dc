"""The latest verdicts on a version, from the registry and from a server."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pytest

from aporia_provider.backend.server.auth.tokens import create_token
from aporia_provider.client import AporiaClient
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.models import Monitor
from tests.backend.monitors.monitored_model import MonitoredModel, configuration, numbers, on, usual
from tests.backend.running import serving

LOW = numbers(np.arange(300) % 50)
MEAN = configuration("mean", {"name": "RANGE", "min": 40.0}, features=["age"])
UNION = configuration("mean", {"name": "RANGE", "min": 40.0}, features=["age"], version="all_versions")


def current_outcomes(model: MonitoredModel, **given: Any) -> list[tuple[str, str | None, str, str]]:
    found = model.registry.get_verdicts("m", "v1", **given)
    return [(each.monitor, each.model_version, each.end[:10], each.outcome) for each in found]


@pytest.fixture
def judged(model: MonitoredModel) -> MonitoredModel:
    """The mean is low on the last day only."""
    model.monitor("metric_change", MEAN, "mean")
    model.monitor("metric_change", UNION, "union")
    model.store({29: usual(age=LOW)})
    model.complete_until(on(30))
    model.evaluate(30, start=on(25))
    return model


def test_the_latest_window_before_a_time(judged: MonitoredModel) -> None:
    assert current_outcomes(judged) == [
        ("mean", "v1", "2024-01-31", "fail"),
        ("union", None, "2024-01-31", "fail"),
    ]
    before = [("mean", "v1", "2024-01-30", "pass"), ("union", None, "2024-01-30", "pass")]
    assert current_outcomes(judged, end=on(29.5)) == current_outcomes(judged, end=on(29)) == before
    assert current_outcomes(judged, end=on(20)) == []
    failed, _ = judged.registry.get_verdicts("m", "v1")
    assert (failed.failed_count, failed.passed, failed.insufficient_count) == (1, 0, 0)
    assert (failed.failed[0].field, failed.failed[0].value, failed.failed[0].low) == (
        *("features.age", pytest.approx(24.5)),
        40.0,
    )
    assert (failed.monitor_type, failed.severity, failed.reason) == ("metric_change", "LOW", None)


def test_verdicts_of_another_configuration_or_version_are_left_out(judged: MonitoredModel) -> None:
    judged.add_version("v2")
    (union,) = judged.registry.get_verdicts("m", "v2")
    assert union.monitor == "union"
    changed = configuration("mean", {"name": "RANGE", "min": 20.0}, features=["age"])
    monitor = Monitor(name="mean", type="metric_change", scheduling="0 * * * *", configuration=changed)
    judged.registry.apply_monitors("m", [monitor])
    assert [each[0] for each in current_outcomes(judged)] == ["union"]
    judged.evaluate(30)
    assert current_outcomes(judged)[0] == ("mean", "v1", "2024-01-31", "pass")
    judged.registry.apply_monitors("m", [monitor.model_copy(update={"is_active": False})])
    assert [each[0] for each in current_outcomes(judged)] == ["union"]


def test_what_does_not_exist_is_an_error(model: MonitoredModel) -> None:
    with pytest.raises(NotFoundError, match="v9"):
        model.registry.get_verdicts("m", "v9")
    with pytest.raises(ValidationError, match=r"end: .* is not a datetime with a time zone"):
        model.registry.get_verdicts("m", "v1", end=datetime(2024, 1, 1))  # noqa: DTZ001


@pytest.mark.process
def test_a_client_reads_the_verdicts_of_a_server(judged: MonitoredModel) -> None:
    token = create_token(judged.registry.database, "e", "test", read_only=True)
    url = judged.registry.database.url.render_as_string()
    with serving(url) as served, AporiaClient(served.url, token, "e") as client:
        assert client.get_verdicts("m", "v1") == judged.registry.get_verdicts("m", "v1")
        assert client.get_verdicts("m", "v1", end=on(20)) == []
        with pytest.raises(NotFoundError, match="v9"):
            client.get_verdicts("m", "v9")
        with pytest.raises(ValidationError, match="end"):
            client.get_verdicts("m", "v1", end=datetime(2024, 1, 1))  # noqa: DTZ001
