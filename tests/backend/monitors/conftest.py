"""A model with a month of usual days."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backend.conftest import copied
from tests.backend.monitors.monitored_model import MonitoredModel, labelled, usual

DAYS = 30


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Path:
    """A database in which the days 0 to 29 are stored, to be copied; training data are ten usual days."""
    folder = tmp_path_factory.mktemp("month")
    with MonitoredModel(copied(migrated, folder), "e") as model:
        model.store({day: usual() for day in range(10)}, role="training")
        model.store({day: labelled() for day in range(10)}, role="training", part="performance")
        model.store({day: usual() for day in range(DAYS)})
        model.store({day: labelled() for day in range(DAYS)}, part="performance")
    return folder / "aporia.db"


@pytest.fixture
def model(tmp_path: Path, month: Path) -> Iterator[MonitoredModel]:
    """A copy of this model."""
    with MonitoredModel(copied(month, tmp_path), "e") as found:
        yield found
