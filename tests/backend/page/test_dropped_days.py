"""Days whose states a retention has dropped are told from days without rows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.page.contents.field_page import field_page
from aporia_provider.backend.page.contents.model_page import model_page
from aporia_provider.backend.store.sync_tables import FIELDS, SyncRow
from aporia_provider.backend.store.tables import DatasetRow, utc_now
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from tests.backend.conftest import copied
from tests.backend.test_state_retention import NOW, Stored


@pytest.mark.parametrize("period", ["hourly", "daily"])
def test_dropped_days(period: Any, tmp_path: Path, migrated: Path) -> None:
    with EmbeddedRegistry(copied(migrated, tmp_path), "prod") as registry:
        stored = Stored(registry, period)
        stored.drop()
        source = S3DataSource(object_path="b/t", object_format="delta")
        training = DatasetConnection(role="training", data_source=source, id_column="i", timestamp_column="t")
        registry.connect_dataset("m", "v1", training)
        with registry.database.write_transaction() as session:
            key = session.query(DatasetRow).filter_by(role="training").one().key
            session.add(SyncRow(dataset_key=key, part=FIELDS, started_at=utc_now(), synced_at=utc_now()))
        found = model_page(registry, "m", days=120, now=NOW)
        assert found.drift is not None
        (row,) = (row for row in found.drift.rows if row.field.key == "features.a")
        notes = {cell.day: cell.note or "" for cell in row.cells}
        # Days are kept since the first of February: 45 days, and whole months.
        kept, dropped = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)
        assert notes[kept] == "there are no rows in the baseline"
        assert f"the retention of the model is {str(stored.retention)!r}" in notes[dropped]
        day = field_page(registry, "m", "v1", "features.a", day="2026-01-31", now=NOW)
        assert day.current.problem is not None
        assert "retention" in day.current.problem
        whole = field_page(registry, "m", "v1", "features.a", days=90, now=NOW)
        assert whole.current.note is not None
        assert "were dropped" in whole.current.note
        recent = field_page(registry, "m", "v1", "features.a", days=20, now=NOW)
        assert recent.current.note is None
        assert recent.days.end == datetime(2026, 3, 16, tzinfo=UTC)
