"""The views of segments in a real browser: dark and light, on a phone and a wide screen, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser

from tests.backend.page.segmented_model import DAYS, NOWHERE, WORSE, segmented_model
from tests.backend.running import Served, serving, token_for
from tests.browser.visits import Visitor
from tests.processes import starts_process

CHOSEN = f"segment=cities&value={WORSE}"


@pytest.fixture(scope="module")
def segmented_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('segments')}/aporia.db"
    with segmented_model(url):
        return url


@pytest.fixture(scope="module")
@starts_process()
def segmented_server(segmented_url: str) -> Iterator[Served]:
    with serving(segmented_url, "--page") as served:
        yield served


@pytest.fixture(scope="module", params=["light", "dark"])
def visitor(
    request: pytest.FixtureRequest,
    chromium: Browser,
    axe: str,
    segmented_server: Served,
    segmented_url: str,
) -> Iterator[Visitor]:
    """A user who has signed in; nothing may go wrong in the browser."""
    context = chromium.new_context(color_scheme=request.param)
    with Visitor.visiting(context, axe, segmented_server.url) as found:
        found.page.goto(f"{segmented_server.url}/page/")
        found.page.get_by_label("Token").fill(token_for(segmented_url, "e"))
        found.page.get_by_role("button", name="Sign in").click()
        found.page.get_by_role("heading", name="Models", exact=True).wait_for()
        yield found
    context.close()


def test_the_heat_map_is_used_by_keyboard(visitor: Visitor) -> None:
    page = visitor.open(f"/models/m/segments?segment=cities&days={DAYS}")
    visitor.check_view()
    headers = page.get_by_role("rowheader").all_text_contents()
    assert [" ".join(text.split()) for text in headers[:2]] == ["all rows", f"{WORSE} ■ worse"]
    assert page.get_by_role("link", name=NOWHERE, exact=True).is_visible()
    page.get_by_role("group", name="auc_roc by value and day").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == WORSE
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.ariaLabel").startswith(f"{WORSE} on 2024-01-09: ")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="predictions.proba").wait_for()
    assert page.get_by_role("note").get_by_text("city = 'b'").is_visible()
    page.get_by_role("link", name="Show all rows").click()
    page.wait_for_load_state()
    assert page.get_by_role("note").count() == 0


@pytest.mark.parametrize(
    "path",
    [
        "/models/m/segments?metric=rows",
        f"/models/m/segments?metric={quote('custom: age per row')}",
        "/models/m/segments?segment=plans",
        f"/models/m?{CHOSEN}&days={DAYS}",
        f"/models/m/versions/v1/fields/features.plan?{CHOSEN}",
    ],
)
def test_view(visitor: Visitor, path: str) -> None:
    page = visitor.open(path)
    visitor.check_view()
    assert page.locator("script:not([src])").count() == 0


def test_the_segment_and_the_metric_are_chosen(visitor: Visitor) -> None:
    page = visitor.open("/models/m/segments")
    page.get_by_label("Metric").select_option("accuracy")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("heading", name="accuracy by value of cities").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert download.value.path().read_text().startswith("segment,value,version,metric,start,end,number")
