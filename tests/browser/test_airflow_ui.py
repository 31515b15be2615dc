"""The page inside Airflow's UI in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.airflow.api_server import ApiServer, api_server
from tests.airflow.conftest import migrate_airflow
from tests.backend.page.alerted import alerted_model
from tests.processes import starts_process


@pytest.fixture(scope="module")
@starts_process()
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    home = tmp_path_factory.mktemp("airflow")
    url = f"sqlite:///{home}/aporia.db"
    migrated = migrate_airflow(tmp_path_factory.mktemp("metadata") / "airflow.db")
    with (
        alerted_model(url, "default"),
        api_server(home, migrated, {"vera": "viewer"}, AIRFLOW__APORIA__DATABASE_URL=url) as running,
    ):
        yield running


def test_the_menu_of_airflow_opens_the_models(chromium: Browser, airflow: ApiServer) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{airflow.url}/aporia/")
    page.locator("input[name=username]").fill("vera")
    page.locator("input[name=password]").fill("vera")
    page.get_by_role("button", name="Sign in").click()
    # The form leads back to the page.
    page.get_by_role("heading", name="Open alerts").wait_for(timeout=60_000)
    page.goto(f"{airflow.url}/plugin/aporia")
    frame = page.frame_locator("iframe[title=Models]")
    frame.get_by_role("heading", name="Open alerts").wait_for(timeout=60_000)
    frame.get_by_role("link", name="The <model>").last.click()
    frame.get_by_role("heading", name="The <model>").wait_for()
    theme = page.evaluate("localStorage.getItem('theme')") or "system"
    assert theme in ("light", "dark", "system")
    context.close()
