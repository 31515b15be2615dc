"""Models that the tests of the page share, which must not change them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend.conftest import copied
from tests.backend.monitors.conftest import model, month  # noqa: F401
from tests.backend.monitors.monitored_model import MonitoredModel
from tests.backend.page.drawn_model import drawn_model
from tests.backend.page.segmented_model import segmented_model


@pytest.fixture(scope="session")
def drawn(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitoredModel]:
    """A model of drawn rows."""
    with drawn_model(migrated, tmp_path_factory.mktemp("drawn")) as found:
        yield found


@pytest.fixture(scope="session")
def segmented(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitoredModel]:
    """A model with segments."""
    with segmented_model(copied(migrated, tmp_path_factory.mktemp("segmented"))) as found:
        yield found
