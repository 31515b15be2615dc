"""Visits of the page by a browser, which records what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request

PHONE, WIDE = {"width": 375, "height": 700}, {"width": 1600, "height": 1000}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@dataclass
class Visitor:
    """
    A user with a browser.

    :param page: The page of the browser.
    :param url: URL of the server.
    :param axe: The script of axe-core.
    """

    page: Page
    url: str
    axe: str
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def visiting(cls, context: BrowserContext, axe: str, url: str) -> Iterator[Visitor]:
        """Open a page of a browser, and check in the end that nothing went wrong."""
        page = context.new_page()
        page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        found = cls(page, url, axe)
        found.listen()
        yield found
        found.check_recorded()
        page.close()

    def listen(self) -> None:
        """Record messages of the console, errors of scripts, and requests."""
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", self._record)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.messages.append(message.text)

    def _record(self, request: Request) -> None:
        self.requests.append(request.url)

    def open(self, path: str) -> Page:
        """Open an address below the page."""
        reply = self.page.goto(f"{self.url}/page{path}", wait_until="networkidle")
        assert reply is not None
        assert reply.status == 200, path
        return self.page

    def violations(self) -> list[str]:
        """The rules of axe-core that the open view violates, with the elements."""
        self.page.evaluate(self.axe)
        options: dict[str, Any] = {"runOnly": {"type": "tag", "values": RULES}}
        found = self.page.evaluate("options => axe.run(document, options)", options)
        return [
            f"{rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    def check_view(self) -> None:
        """Check the open view: rules of accessibility, and no scrolling sideways, also on a phone."""
        assert self.violations() == []
        for size in (PHONE, WIDE):
            self.page.set_viewport_size(size)  # type: ignore[arg-type]
            width = self.page.evaluate("document.documentElement.scrollWidth")
            assert width <= size["width"], f"{self.page.url} is {width} pixels wide"

    def check_recorded(self) -> None:
        """Check that there were no errors and no requests to other hosts."""
        assert self.messages == []
        host = urlsplit(self.url).netloc
        others = {
            url for url in self.requests if urlsplit(url).netloc != host and not url.startswith("data:")
        }
        assert others == set()
