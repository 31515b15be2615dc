"""A drop in one of many values of a segment, from tables on S3 to the alert and its explanation."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.monitors.alert_explanation import explain_alert
from aporia_provider.hooks.metrics import MetricsHook
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.monitor_definitions import MonitorDefinition
from aporia_provider.segments import Segment
from tests import servers
from tests.backend.conftest import copied
from tests.backend.syncing import MODEL, SyncedVersion, labelled, served
from tests.conftest import S3

pytestmark = pytest.mark.very_slow

CITIES = [f"c{number:02}" for number in range(40)]
PLANTED = "c17"
PER_DAY = 100
DAYS = (1, 2, 3)
"""On the last day, the predictions for one city are worse."""


def test_the_value_that_is_worse_is_named_by_the_alert_and_first_in_the_explanation(
    tmp_path: Path, s3: S3, s3_engine: str, migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(17)
    cities = np.repeat(CITIES, PER_DAY)
    tables, labels, right = [], {}, {}
    for day in DAYS:
        times = [day + place / len(cities) for place in range(len(cities))]
        ids = [f"{day}/{place}" for place in range(len(cities))]
        tables.append(served(*times, ids=ids, city=pa.array(cities)))
        said = tables[-1]["score"].to_numpy() >= 0.5
        is_right = random.random(len(cities)) < np.where((cities == PLANTED) & (day == 3), 0.5, 0.9)
        labels |= dict(zip(ids, (said == is_right).tolist(), strict=True))
        right[day] = is_right
    credentials = AwsCredentials(
        servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=s3.endpoint
    )
    url = copied(migrated, tmp_path)
    with EmbeddedRegistry(url, "prod") as registry:
        lake = SyncedVersion(
            tmp_path, registry, s3_engine, credentials, place=s3.uri("lake"), options=s3.delta_options
        ).register()
        registry.create_segment(MODEL, Segment(name="city", field="city", values=CITIES))
        lake.write("serving", pa.concat_tables(tables))
        lake.write("actuals", labelled(3.5, labels))
        lake.connect("serving")
        lake.connect("actuals")
        lake.sync("serving")
        lake.sync("actuals")
        monitor = MonitorDefinition(
            name="by city",
            type="performance_degradation",
            metric="accuracy",
            parameters={"threshold": 0.5},
            segment="city",
            min=0.7,
        )
        registry.apply_monitors(MODEL, [monitor.to_monitor(MODEL)])
        registry.evaluate_monitors(MODEL, now=datetime(2024, 1, 4, tzinfo=UTC))
        (alert,) = registry.get_alerts(MODEL)
        planted = cities == PLANTED
        after = right[3][planted].mean()
        assert (alert.segment, alert.failed[0].value) == (f"city = {PLANTED}", pytest.approx(after))
        before = np.mean([right[day][planted] for day in (1, 2)])
        told = explain_alert(registry, alert, find_credentials=lambda: credentials)
        assert (told.before, told.after) == pytest.approx((before, after))
        assert told.samples == PER_DAY
    monkeypatch.setenv("AIRFLOW__APORIA__DATABASE_URL", url)
    monkeypatch.setenv("AIRFLOW__APORIA__ENVIRONMENT", "prod")
    found = MetricsHook().explain_change(
        MODEL,
        "accuracy",
        start="2024-01-03",
        end="2024-01-04",
        baseline_start="2024-01-01",
        baseline_end="2024-01-03",
        threshold=0.5,
    )
    assert [term.value for term in found.named_terms] == [PLANTED]
    first = found.segments[0].terms[0]
    assert (first.value, first.before, first.after) == (
        PLANTED,
        pytest.approx(before),
        pytest.approx(after),
    )
    assert sum(term.contribution or 0 for term in found.segments[0].terms) == pytest.approx(found.change)
