"""A scripted server, and a client that waits or is awaited."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.client.calls import QUICK, Ask, ask_async, ask_sync
from tests.recording import RecordingServer, recording


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RecordingServer]:
    with recording() as running:
        yield running


@pytest.fixture
def server(shared_server: RecordingServer) -> RecordingServer:
    shared_server.answer()
    return shared_server


@pytest.fixture(params=[ask_sync, ask_async], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest, server: RecordingServer) -> Ask:
    """Make one call of a client that retries without waiting; ``client`` holds further client parameters."""

    def ask(
        method: str, *args: Any, url: str = "", client: dict[str, Any] | None = None, **kwargs: Any
    ) -> Any:
        options = {"retries": QUICK, **(client or {})}
        return request.param(url or server.url, method, *args, client=options, **kwargs)

    return ask
