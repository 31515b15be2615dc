"""Gauges for Prometheus, read from the server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from aporia_provider.backend.monitors import version_gauges
from aporia_provider.backend.registry import Registry
from aporia_provider.backend.server.auth.tokens import create_token
from aporia_provider.backend.server.text_exposition import exposition
from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.sync_tables import SyncRow
from aporia_provider.backend.store.tables import utc_now
from aporia_provider.models import Model
from tests.backend.monitors.monitored_model import (
    MonitoredModel,
    configuration,
    labelled,
    numbers,
    on,
    rows,
    usual,
)
from tests.backend.running import Served, serving
from tests.processes import starts_process

SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
ODD = 'v"\\\n2'


def samples(text: str) -> dict[tuple[str, str], float]:
    """The samples of a response; each gauge has one help, one type, and samples after them."""
    found: dict[tuple[str, str], float] = {}
    declared = []
    for line in text.splitlines():
        if line.startswith("#"):
            declared.append(line.split()[1:3])
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        assert declared[-2:] == [["HELP", match[1]], ["TYPE", match[1]]]
        assert (match[1], match[2] or "") not in found
        found[match[1], match[2] or ""] = float(match[3])
    assert text.endswith("\n")
    return found


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two versions, of which one is synced, an open alert, and a model of another environment."""
    url = f"sqlite:///{tmp_path_factory.mktemp('gauges')}/aporia.db"
    with MonitoredModel(url, "prod") as model:
        days = {day: usual() for day in range(30)}
        model.store({**days, 29: usual(rows=rows(123)), 30: usual(age=numbers([5] * 300))})
        # 300 predictions with labels of 400.
        model.store({29: labelled()}, part="performance")
        limits = {"name": "RANGE", "min": 40.0}
        model.monitor("metric_change", configuration("mean", limits, features=["age"]))
        model.complete_until(on(31) - timedelta(hours=1))
        with model.registry.database.write_transaction() as session:
            (row,) = session.query(SyncRow).filter(SyncRow.report.is_not(None))
            row.position, row.latest_version = {"serving": {"version": 3}}, 7
            row.synced_at = utc_now() - timedelta(hours=2)
        model.complete_until(on(31))
        model.evaluate(31)
        model.complete_until(on(31) - timedelta(hours=1))
        model.add_version(ODD)
        Registry(model.registry.database, "other").create_model(Model(id="hidden", name="Hidden"))
    return url


@pytest.fixture(scope="module")
@starts_process()
def server(database_url: str) -> Iterator[Served]:
    with serving(database_url) as served:
        yield served


def test_gauges_are_those_of_the_environment(server: Served, database_url: str) -> None:
    with Database(database_url) as database:
        token = create_token(database, "prod", "scraper", read_only=True)
        other = create_token(database, "other", "scraper", read_only=True)
    reply = server.ask("GET", "/metrics", token)
    assert (reply.status_code, reply.headers["content-type"]) == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
    )
    found = samples(reply.text)
    version = 'model="m",version="v1"'
    # The day that has an hour left is not complete.
    assert found["aporia_version_latest_day_timestamp_seconds", version] == on(29).timestamp()
    assert found["aporia_version_rows", version] == 123
    assert found["aporia_version_sync_lag_versions", version] == 4
    assert 7_200 <= found["aporia_version_sync_age_seconds", version] < 7_320
    assert found["aporia_open_alerts", 'model="m",severity="LOW"'] == 1
    assert found["aporia_versions_left_out", ""] == 0
    # The other version was never synced; its row has no position.
    assert ("aporia_version_sync_lag_versions", 'model="m",version="v\\"\\\\\\n2"') not in found
    hidden = server.ask("GET", "/metrics", other)
    assert samples(hidden.text) == {("aporia_versions_left_out", ""): 0}


def test_a_token_is_required(server: Served) -> None:
    for token in (None, "wrong"):
        assert server.ask("GET", "/metrics", token).status_code == 401
    assert "/metrics" in server.ask("GET", "/openapi.json").json()["paths"]


@pytest.mark.slow
def test_the_response_is_bounded(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(version_gauges, "MAX_VERSIONS", 1)
    with Database(database_url) as database:
        text = exposition(Registry(database, "prod").get_gauges())
    found = samples(text)
    assert found["aporia_versions_left_out", ""] == 1
    # The version that was registered last remains.
    assert {labels for name, labels in found if name == "aporia_version_rows"} <= {
        'model="m",version="v\\"\\\\\\n2"'
    }
