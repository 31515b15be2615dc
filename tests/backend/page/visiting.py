"""Browsers of the page: clients that keep cookies, and send the headers that browsers send."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

SAME_SITE = {"Sec-Fetch-Site": "same-origin"}
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@contextmanager
def browser(url: str, **headers: str) -> Iterator[httpx2.Client]:
    """A client of the server at a URL, that follows no redirects."""
    with httpx2.Client(
        base_url=url, headers={**HTML, **SAME_SITE, **headers}, trust_env=False, verify=False, timeout=60
    ) as client:
        yield client


def sign_in(client: httpx2.Client, token: str) -> httpx2.Response:
    """Send the form with a token."""
    return client.post("/page/login", data={"token": token})


@contextmanager
def signed_in(url: str, token: str) -> Iterator[httpx2.Client]:
    """A client with a session."""
    with browser(url) as client:
        assert sign_in(client, token).status_code == 303
        yield client
