"""The view of segments, and the views of a model and a field of one of them, from a server."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape

import httpx2
import pandas as pd
import pytest

from tests.backend.monitors.monitored_model import MonitoredModel
from tests.backend.page.segmented_model import CITIES, DAYS, WORSE, WORSE_FROM, of_city, rows_of
from tests.backend.page.test_views import charts, get, table, tags
from tests.backend.page.visiting import signed_in
from tests.backend.running import serving, token_for
from tests.processes import starts_process


@pytest.fixture(scope="module")
@starts_process()
def client(segmented: MonitoredModel) -> Iterator[httpx2.Client]:
    url = segmented.registry.database.url.render_as_string(hide_password=False)
    with serving(url, "--page") as served, signed_in(served.url, token_for(url, "e")) as found:
        yield found


def links(text: str) -> list[str]:
    return [attributes["href"] or "" for tag, attributes in tags(text) if tag == "a"]


def test_the_heat_map_leads_to_the_views_of_its_values(client: httpx2.Client) -> None:
    assert any(link.startswith("/page/models/m/segments") for link in links(get(client, "/models/m")))
    text = get(client, "/models/m/segments", segment="cities", days=str(DAYS))
    names = [attributes.get("aria-label") for tag, attributes in tags(text) if tag == "a"]
    marked = [str(name) for name in names if name and name.startswith(f"{WORSE} on ")]
    assert len(marked) == DAYS - WORSE_FROM
    assert "alert(1)</script>" not in text
    followed = [link for link in links(text) if "value=" in link]
    assert len(followed) == len(CITIES) + DAYS - WORSE_FROM
    for link in (followed[0], followed[1], followed[-1]):
        reply = client.get(link)
        assert reply.status_code == 200, link
        assert "alert(1)</script>" not in reply.text
        assert 'role="note"' in reply.text


def test_the_numbers_of_the_heat_map(client: httpx2.Client) -> None:
    found = table(client, "/models/m/segments.csv", segment="cities", metric="accuracy", days=str(DAYS))
    numbers = {(row["value"], row["start"], row["end"]): row for row in found}
    frame = of_city(pd.concat([rows_of(day) for day in range(DAYS)]), WORSE)
    accuracy = ((frame["score"] >= 0.5) == frame["label"]).mean()
    whole = numbers[WORSE, "2024-01-01", "2024-01-15"]
    assert float(whole["number"]) == pytest.approx(accuracy)
    assert (whole["rows"], whole["segment"]) == (str(len(frame)), "cities")
    assert int(numbers[WORSE, "2024-01-14", ""]["level"]) > 0
    assert found[0]["value"] == ""


def test_the_views_of_a_segment_say_which_rows_they_show(client: httpx2.Client) -> None:
    chosen = {"segment": "cities", "value": WORSE}
    text = get(client, "/models/m", **chosen)
    assert "of segment <strong>cities</strong> are shown: <code>city = &#39;b&#39;</code>" in text
    assert "/page/models/m?days=30" in [unescape(link) for link in links(text)]
    text = get(client, "/models/m/versions/v1/fields/features.plan", day="2024-01-14", **chosen)
    assert charts(text)[0] == (
        "Distribution of serving of v1, 2024-01-14, b of cities beside training of v1, b of cities"
    )
    assert "day=2024-01-13" in unescape(text)
    assert all("segment=cities" in link for link in links(text) if "day=2024-01-13" in link)
    rows = table(client, "/models/m/rows.csv", **chosen)
    assert (rows[-1]["rows"], rows[-1]["segment"]) == (
        f"{len(of_city(rows_of(DAYS - 1), WORSE))}.0",
        "cities",
    )


def test_what_does_not_exist_or_is_not_valid(client: httpx2.Client) -> None:
    statuses = {
        "/models/m/segments?segment=none": 404,
        "/models/m/segments?metric=none": 400,
        "/models/m/segments?first=x": 400,
        "/models/m?segment=none&value=a": 404,
        "/models/m?segment=cities&value=none": 400,
        "/models/m?segment=cities": 400,
        f"/models/m?segment=cities&value={'x' * 600}": 400,
        "/models/m/versions/v1/fields/features.plan?value=a": 400,
        "/models/other/segments": 404,
    }
    assert {path: client.get(f"/page{path}").status_code for path in statuses} == statuses
