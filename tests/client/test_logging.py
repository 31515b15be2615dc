"""What the HTTP library logs beside the client."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.client.calls import Ask


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """The logger of the HTTP library, as it is before a client was made."""
    logger = logging.getLogger("httpx2")
    before = logger.level
    logger.setLevel(logging.NOTSET)
    yield logger
    logger.setLevel(before)


def test_requests_are_not_logged(ask: Ask, library: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    root = logging.getLogger().level
    ask("get_model_tags", "m")
    assert not [record for record in caplog.records if record.name == library.name]
    assert logging.getLogger().level == root


def test_requests_are_logged_if_their_logger_was_given_a_level(
    ask: Ask, library: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=library.name)
    ask("get_model_tags", "m")
    assert [record for record in caplog.records if record.name == library.name]
