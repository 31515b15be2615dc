"""Every view in a real browser: dark and light, on a phone and a wide screen, by keyboard."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from tests.backend.page.alerted import HOSTILE, LONG
from tests.backend.running import token_for
from tests.browser.visits import Visitor


def alert_path(database_url: str) -> str:
    with EmbeddedRegistry(database_url, "e") as registry:
        (alert,) = registry.get_alerts("m")
    return f"/models/m/alerts/{alert.id}"


def test_overview(visitor: Visitor) -> None:
    page = visitor.open("/")
    visitor.check_view()
    assert page.get_by_role("heading", name="Open alerts").is_visible()
    assert page.get_by_role("link", name=HOSTILE).is_visible()
    assert page.get_by_role("link", name=LONG).is_visible()
    assert page.get_by_role("img", name="Rows of the last 30 days with data").count() == 1
    expected = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}
    scheme = "dark" if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") else "light"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == expected[scheme]


def test_the_theme_of_airflow_takes_precedence(visitor: Visitor) -> None:
    visitor.open("/")
    for theme, background in (("dark", "rgb(20, 23, 27)"), ("light", "rgb(255, 255, 255)")):
        visitor.page.evaluate("theme => localStorage.setItem('theme', theme)", theme)
        visitor.open("/")
        assert visitor.page.evaluate("getComputedStyle(document.body).backgroundColor") == background
        assert visitor.violations() == []
    visitor.page.evaluate("localStorage.clear()")


def test_search_filter_and_sort(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.get_by_label("Search").fill("SCRIPT")
    page.get_by_role("button", name="Apply").click()
    assert page.get_by_role("heading", name="1 of 3 models").is_visible()
    page.get_by_label("Search").fill("")
    page.locator("select[name=state]").select_option("alert")
    page.get_by_role("button", name="Apply").click()
    assert page.get_by_role("rowheader").all_text_contents() == ["The <model>"]
    page.get_by_label("Search").fill("no such model")
    page.get_by_role("button", name="Apply").click()
    visitor.check_view()
    assert page.get_by_text("No model matches.").is_visible()


def test_local_times_are_shown_on_hover(visitor: Visitor) -> None:
    page = visitor.open("/")
    time = page.locator("time").first
    assert time.text_content().endswith("UTC")  # type: ignore[union-attr]
    assert len(time.get_attribute("title") or "") > 10


def test_alert(visitor: Visitor, database_url: str) -> None:
    page = visitor.open(alert_path(database_url))
    visitor.check_view()
    assert page.get_by_role("heading", name="Missing ages").is_visible()
    sql = page.locator("#rows-sql").text_content() or ""
    assert "`age` IS NULL" in sql
    assert "`t` >= TIMESTAMP '2024-01-31T00:00:00Z'" in sql
    page.get_by_text("Numbers of the chart").click()
    visitor.check_view()
    assert page.get_by_role("row").filter(has_text="fail").count() == 1
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("start,end,field,metric,value")
    assert lines[-1].split(",")[2:5] == ["features.age", "missing_ratio", "0.5"]


def test_an_alert_is_acknowledged_and_snoozed_by_keyboard(visitor: Visitor, database_url: str) -> None:
    page = visitor.open(alert_path(database_url))
    if page.get_by_role("button", name="Acknowledge").count():
        page.get_by_role("button", name="Acknowledge").focus()
        page.keyboard.press("Enter")
    page.get_by_text("acknowledged by test-").first.wait_for()
    page.get_by_label("Snooze for").focus()
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("snoozed until").first.wait_for()
    visitor.check_view()


def test_the_keyboard_reaches_the_content_first(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


@pytest.mark.parametrize("path", ["/no/such/view", "/models/m/alerts/none"])
def test_what_does_not_exist(visitor: Visitor, path: str) -> None:
    reply = visitor.page.goto(f"{visitor.url}/page{path}")
    assert reply is not None
    assert reply.status == 404
    assert visitor.violations() == []
    assert quote("none") not in (visitor.page.text_content("main") or "")
    # The browser itself reports the status of the document.
    visitor.messages.clear()


def test_signing_in_and_out(stranger: Visitor, database_url: str) -> None:
    page = stranger.page
    page.goto(f"{stranger.url}/page/models/m/monitors")
    stranger.check_view()
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    assert stranger.violations() == []
    # The browser itself reports the status of the document.
    stranger.messages.clear()
    page.get_by_label("Token").fill(token_for(database_url, "e"))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()
    assert page.url.endswith("/page/models/m/monitors")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()


PLACES = {
    "model": "/models/m",
    "model without versions": f"/models/{quote(HOSTILE, safe='')}",
    "model with a long name": f"/models/{LONG}",
    "version without data": "/models/m?version=v2",
    "numeric field": "/models/m/versions/v1/fields/features.age",
    "categorical field": "/models/m/versions/v1/fields/features.plan",
    "field without data": "/models/m/versions/v2/fields/features.age",
    "monitors": "/models/m/monitors",
    "monitors of none": f"/models/{LONG}/monitors",
    "summary": "/models/m/summary",
}


@pytest.mark.parametrize("path", PLACES.values(), ids=PLACES)
def test_view(visitor: Visitor, path: str) -> None:
    page = visitor.open(path)
    visitor.check_view()
    assert page.locator("script:not([src])").count() == 0
    assert "Traceback" not in (page.text_content("main") or "")


def test_the_numbers_of_a_model_are_loaded_when_it_is_visible(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.get_by_text("auc_roc 0.").or_(page.get_by_text("auc_roc 1")).first.wait_for()
    assert page.get_by_role("img", name="Realised and expected auc_roc of 30 days").count() == 1
    assert visitor.violations() == []


def test_charts_show_values_on_focus_and_hover(visitor: Visitor, database_url: str) -> None:
    page = visitor.open(alert_path(database_url))
    marks = page.locator(".chart [aria-label*='fail, limits']")
    assert marks.count() == 1
    marks.hover()
    assert "0.5, fail" in (page.locator(".tooltip").text_content() or "")
    color = marks.evaluate("mark => getComputedStyle(mark).fill")
    assert color not in ("none", "rgb(0, 0, 0)")
