"""The views of a model, a field and the monitors, from a server."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, quote

import httpx2
import numpy as np
import pytest

from aporia_provider.backend.server.auth.tokens import create_token
from aporia_provider.models import Model
from aporia_provider.monitor_definitions import MonitorDefinition
from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import MonitoredModel, numbers, on, usual
from tests.backend.page.drawn_model import DRIFTED, LABELLED, rows_of
from tests.backend.page.visiting import signed_in
from tests.backend.running import serving, token_for
from tests.processes import starts_process

HOSTILE = "<script>alert(1)</script>/\"'&{{ 7*7 }}"
LONG = "x" * 250


@pytest.fixture(scope="module")
@starts_process()
def client(drawn: MonitoredModel) -> Iterator[httpx2.Client]:
    registry = drawn.registry
    for model_id in (HOSTILE, LONG, "empty"):
        registry.create_model(Model(id=model_id, name=model_id))
    registry.create_model_version(HOSTILE, HOSTILE, registry.get_schema("m", "v1"))
    url = registry.database.url.render_as_string(hide_password=False)
    with serving(url, "--page") as served, signed_in(served.url, token_for(url, "e")) as found:
        yield found


def get(client: httpx2.Client, address: str, **query: str) -> str:
    reply = client.get(f"/page{address}", params=query)
    assert reply.status_code == 200, (address, reply.text)
    return reply.text


def table(client: httpx2.Client, address: str, **query: str) -> list[dict[str, str]]:
    reply = client.get(f"/page{address}", params=query)
    assert reply.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(reply.text)))


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(text)
    return parser.found


VIEWS = (
    "/models/m",
    "/models/m?days=7&metric=f1&version=v1",
    "/models/m/versions/v2/fields/features.age",
    "/models/m/versions/v2/fields/features.plan?day=2024-01-28&compare=version:v1",
    "/models/m/monitors",
    "/models/empty",
    "/models/empty/monitors",
    f"/models/{LONG}",
    f"/models/{quote(HOSTILE, safe='')}",
    f"/models/{quote(HOSTILE, safe='')}/versions/{quote(HOSTILE, safe='')}/fields/features.age",
    f"/models/{quote(HOSTILE, safe='')}/monitors",
)


@pytest.mark.parametrize("address", VIEWS)
def test_views_fit_their_content_security_policy(client: httpx2.Client, address: str) -> None:
    text = get(client, address)
    for tag, attributes in tags(text):
        assert tag not in ("style", "iframe", "object", "base")
        assert not {name for name in attributes if name == "style" or name.startswith("on")}
        assert tag != "script" or (attributes.get("src") or "").startswith("/page/static/page.js")
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert "alert(1)</script>" not in text
    assert "49" not in re.findall(r"<title>(.*)</title>", text)[0]


def test_links_of_views_lead_to_views(client: httpx2.Client) -> None:
    """One link of each kind is followed."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = ["/page/models/m", f"/page/models/{quote(HOSTILE, safe='')}"]
    while waiting:
        address = waiting.pop(0)
        path, _, query = address.partition("#")[0].partition("?")
        kind = re.sub(r"(fields|versions|models)/[^/]+", r"\1", path), tuple(sorted(parse_qs(query)))
        if kind in seen:
            continue
        seen.add(kind)
        reply = client.get(address)
        assert reply.status_code == 200, address
        if reply.headers["content-type"].startswith("text/html"):
            links = (attributes.get("href") for tag, attributes in tags(reply.text) if tag == "a")
            waiting += [link for link in links if link and link.startswith("/page")]
    paths = {path for path, _ in seen}
    assert {"/page/models/performance.csv", "/page/models/versions/fields/bins.csv"} <= paths


def charts(text: str) -> list[str | None]:
    """Descriptions of the charts of a view."""
    return [
        attributes["aria-label"]
        for tag, attributes in tags(text)
        if tag == "svg" and attributes.get("class") == "marks"
    ]


def test_a_model_with_its_charts(client: httpx2.Client) -> None:
    text = get(client, "/models/m")
    assert charts(text)[:2] == [
        "Registration and serving data of 2 versions",
        "auc_roc of 2 versions by day, realised and expected",
    ]
    assert "champion: v2" in text
    assert "table version 7" in text
    assert "2 commits" in text
    levels = re.findall(r'class="heat-(\d)" title="[^"]*"><a [^>]*aria-label="([^"]+)"', text)
    assert ("6", "features.age on 2024-01-28: 6") in levels


def test_the_numbers_of_the_charts_of_a_model(client: httpx2.Client) -> None:
    performance = table(client, "/models/m/performance.csv", metric="accuracy")
    found = next(
        row
        for row in performance
        if (row["version"], row["day"], row["kind"]) == ("v2", "2024-01-16", "realised")
    )
    accuracy = ((rows_of(15)["score"] >= 0.5) == rows_of(15)["label"]).mean()
    assert float(found["value"]) == pytest.approx(accuracy)
    assert (found["metric"], found["reliable"]) == ("accuracy", "True")
    drift = {(row["field"], row["day"]): row for row in table(client, "/models/m/drift.csv")}
    assert int(drift["features.age", "2024-01-28"]["values"]) == rows_of(DRIFTED)["age"].notna().sum()
    rows = {(row["version"], row["day"]): row for row in table(client, "/models/m/rows.csv")}
    assert float(rows["v2", "2024-01-30"]["rows"]) == len(rows_of(29))
    assert rows["v2", f"2024-01-{LABELLED + 1}"]["label_coverage"] == ""
    assert rows["v2", "2024-01-30"]["table_version"] == "7"


def test_a_field_with_its_charts(client: httpx2.Client) -> None:
    text = get(client, "/models/m/versions/v2/fields/features.age", day="2024-01-28")
    assert charts(text) == [
        "Distribution of serving of v2, 2024-01-28 beside training of v2",
        "Quantiles by day: 5, 25, 50, 75 and 95 %",
        "missing_ratio by day",
        "new_values by day",
    ]
    assert "day=2024-01-27" in unescape(text)
    bins = table(client, "/models/m/versions/v2/fields/features.age/bins.csv", day="2024-01-28")
    assert sum(float(row["psi"]) for row in bins) == pytest.approx(1)
    assert sum(float(row["current"]) for row in bins) == rows_of(DRIFTED)["age"].notna().sum()
    series = table(client, "/models/m/versions/v2/fields/features.age/series.csv")
    missing = {row["day"]: row["value"] for row in series if row["statistic"] == "missing_ratio"}
    assert float(missing["2024-01-28"]) == pytest.approx(rows_of(DRIFTED)["age"].isna().mean())


def test_what_is_missing_is_told(client: httpx2.Client) -> None:
    assert "The model has no versions." in get(client, "/models/empty")
    assert "The model has no monitors." in get(client, "/models/empty/monitors")
    hostile = quote(HOSTILE, safe="")
    assert "has no serving dataset" in get(client, f"/models/{hostile}")
    assert "There is no serving data to show" in get(
        client, f"/models/{hostile}/versions/{hostile}/fields/features.age"
    )


def test_what_does_not_exist_or_is_not_valid(client: httpx2.Client) -> None:
    statuses = {
        "/models/other": 404,
        "/models/m?version=v9": 404,
        "/models/m/versions/v2/fields/features.none": 404,
        "/models/m/versions/v9/fields/features.age": 404,
        "/models/m/monitors?monitor=none": 404,
        "/models/m/monitors/replay.csv": 404,
        "/models/m?metric=none": 400,
        "/models/m/versions/v2/fields/features.age?day=yesterday": 400,
        "/models/m/versions/v2/fields/features.age?compare=yesterday": 400,
    }
    assert {path: client.get(f"/page{path}").status_code for path in statuses} == statuses


@pytest.fixture(scope="module")
@starts_process()
def clients(
    month: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[httpx2.Client, httpx2.Client]]:
    """Clients of a model with an alert and monitors: of a user who may act, and of one who may only read."""
    with MonitoredModel(copied(month, tmp_path_factory.mktemp("judged")), "e") as model:
        learned = MonitorDefinition(
            name="learned & <b>", type="metric_change", metric="mean", features=["age"], false_alarms_a_year=3
        )
        limit = MonitorDefinition(
            name="limit", type="metric_change", metric="mean", features=["age"], min=40, severity="HIGH"
        )
        model.registry.apply_monitors("m", [each.to_monitor("m") for each in (learned, limit)])
        model.store({29: usual(age=numbers(np.arange(300) % 50))})
        model.complete_until(on(30))
        model.evaluate(30)
        url = model.registry.database.url.render_as_string(hide_password=False)
        reader = create_token(model.registry.database, "e", "reader", read_only=True)
        with (
            serving(url, "--page") as served,
            signed_in(served.url, token_for(url, "e")) as acting,
            signed_in(served.url, reader) as reading,
        ):
            yield acting, reading


@pytest.fixture
def judged(clients: tuple[httpx2.Client, httpx2.Client]) -> httpx2.Client:
    """The client of the user who may act."""
    return clients[0]


def test_alerts_of_a_model_can_be_acknowledged(clients: tuple[httpx2.Client, httpx2.Client]) -> None:
    judged, reader = clients
    text = get(judged, "/models/m")
    assert "▲ high" in text
    forms = [
        attributes["action"]
        for tag, attributes in tags(text)
        if tag == "form" and attributes.get("method") == "post"
    ]
    assert any(str(form).endswith("/acknowledge") for form in forms)
    assert any(str(form).endswith("/snooze") for form in forms)
    read = get(reader, "/models/m")
    assert "▲ high" in read
    assert "/acknowledge" not in read
    assert "/snooze" not in read


def test_monitors_with_their_verdicts_and_a_replay(judged: httpx2.Client) -> None:
    text = get(judged, "/models/m/monitors")
    assert "It fails if the value is below 40." in text
    assert "✗ fail" in text
    assert text.count('type="range"') == 1
    replayed = get(judged, "/models/m/monitors", monitor="learned & <b>", false_alarms_a_year="52")
    assert "With 52 false alarms a year (configured: 3)" in replayed
    assert "learned &amp; &lt;b&gt;" in replayed
    refused = judged.get("/page/models/m/monitors", params={"monitor": "limit"})
    assert (refused.status_code, "has fixed limits" in refused.text) == (400, True)


def test_the_first_day_of_the_calendar_is_refused(client: httpx2.Client) -> None:
    for query in ({"day": "0001-01-01"}, {"day": "0001-01-01", "dataset": "training"}):
        reply = client.get("/page/models/m/versions/v2/fields/features.age", params=query)
        assert reply.status_code == 400
        assert "0001-01-01 is not in the years 2 to 9998" in unescape(reply.text)


@pytest.mark.parametrize("days", ["abc", "0", "-1", "1000000000", "9" * 5000])
def test_a_number_of_days_that_is_not_possible_is_refused(client: httpx2.Client, days: str) -> None:
    for address in ("/models/m", "/models/m/versions/v2/fields/features.age"):
        reply = client.get(f"/page{address}", params={"days": days})
        assert reply.status_code == 400
        assert "is not a whole number from 1 to" in unescape(reply.text)
