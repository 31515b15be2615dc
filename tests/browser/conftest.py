"""A real browser, and a server with models that it shows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from tests.backend.page.alerted import alerted_model
from tests.backend.running import Served, serving, token_for
from tests.browser.visits import Visitor
from tests.processes import starts_process

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
@starts_process()
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        assert path is not None, "Chromium is missing: make test-browser installs it"
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    folder = Path(os.environ.get("APORIA_BROWSER_ENVIRONMENT", ROOT / ".venv-browser"))
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('browser')}/aporia.db"
    with alerted_model(url):
        return url


@pytest.fixture(scope="session")
@starts_process()
def server(database_url: str) -> Iterator[Served]:
    with serving(database_url, "--page") as served:
        yield served


@pytest.fixture(scope="session", params=["light", "dark"])
def session(
    request: pytest.FixtureRequest, chromium: Browser, server: Served, database_url: str
) -> Iterator[BrowserContext]:
    """A browser that is light or dark, with a user who has signed in by the form."""
    context = chromium.new_context(color_scheme=request.param)
    page = context.new_page()
    page.goto(f"{server.url}/page/")
    page.get_by_label("Token").fill(token_for(database_url, "e"))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Models", exact=True).wait_for()
    page.close()
    yield context
    context.close()


@pytest.fixture
def visitor(session: BrowserContext, axe: str, server: Served) -> Iterator[Visitor]:
    """A user with a page of the browser; nothing may go wrong in it."""
    with Visitor.visiting(session, axe, server.url) as found:
        yield found


@pytest.fixture
def stranger(chromium: Browser, axe: str, server: Served) -> Iterator[Visitor]:
    """A user who has not signed in."""
    context = chromium.new_context()
    with Visitor.visiting(context, axe, server.url) as found:
        yield found
    context.close()
