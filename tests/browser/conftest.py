"""A real browser, and a server with models that it shows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

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


@pytest.fixture(params=["light", "dark"])
def visitor(
    request: pytest.FixtureRequest, chromium: Browser, axe: str, server: Served, database_url: str
) -> Iterator[Visitor]:
    """A signed-in user whose browser is light or dark; nothing may go wrong in it."""
    with Visitor.signed_in(chromium, axe, server.url, token_for(database_url, "e"), request.param) as found:
        yield found
