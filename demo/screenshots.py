"""Take pictures of the page, for the documentation, with the data that the demo has left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

from aporia_provider.alerts import Alert
from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.server.auth.tokens import create_token
from aporia_provider.backend.store.database import Database

ROOT = Path(__file__).parent.parent
REGISTRY = ROOT / ".demo" / "airflow" / "aporia.db"
IMAGES = ROOT / "docs" / "images"
ENVIRONMENT, MODEL = "default", "employment"
DRIFT = "Standard: data drift"
WIDTH, HEIGHT = 1200, 800
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
)


def main() -> None:
    if not REGISTRY.exists():
        sys.exit(f"{REGISTRY} does not exist: run make demo first")
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # The demo's own registry gets no token.
        url = f"sqlite:///{shutil.copy(REGISTRY, folder)}"
        with EmbeddedRegistry(url, ENVIRONMENT) as registry:
            alert = next(each for each in registry.get_alerts(MODEL) if each.monitor == DRIFT)
        with Database(url) as database:
            token = create_token(database, ENVIRONMENT, "screenshots")
        with served(url) as base:
            take(base, token, alert)


@contextmanager
def served(url: str) -> Iterator[str]:
    """Serve the page; yields its address."""
    command = [Path(sys.executable).with_name("aporia-provider"), "serve", "--page", "--port", "0"]
    arguments = [*command, "--database-url", url]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env=os.environ) as server:
        assert server.stderr is not None
        try:
            lines = (line.partition("The page is ")[2].partition(";")[0] for line in server.stderr)
            yield next(line for line in lines if line).rstrip("/")
        finally:
            server.terminate()


def take(base: str, token: str, alert: Alert) -> None:
    """Take a picture of each view."""
    version, field = alert.model_version, alert.failed[0].field
    assert version is not None
    assert field is not None
    model = f"/models/{MODEL}"
    fields = f"{model}/versions/{quote(version)}/fields/{quote(field)}"
    views = {
        "overview": "/",
        "model": f"{model}?version={quote(version)}",
        "alert": f"{model}/alerts/{alert.id}",
        "field": f"{fields}?day={alert.end[:10]}",
        "monitors": f"{model}/monitors",
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))
        page = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}).new_page()
        page.goto(f"{base}/")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        for name, address in views.items():
            picture(page, base + address, IMAGES / f"page_{name}.png")
        browser.close()


def picture(page: Page, address: str, path: Path) -> None:
    """Take a picture of a view, once it has loaded its parts."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path, full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": 1600})


if __name__ == "__main__":
    main()
