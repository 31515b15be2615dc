"""The first commit that added rows of a time range."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from aporia_provider.errors import NotFoundError
from aporia_provider.lake.log import commit_history
from aporia_provider.lake.log.first_commits import first_commit
from aporia_provider.lake.log.table import DeltaLog

pytestmark = pytest.mark.fast

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_commit_that_is_too_long_to_read_and_those_before_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour, text in ((0, ""), (1, "x" * 50_000), (1, "")):
        rows = pa.table({"at": pa.array([NOON + timedelta(hours=hour)], pa.timestamp("us", "UTC"))})
        metadata = CommitProperties(custom_metadata={"note": text})
        write_deltalake(tmp_path, rows, mode="append", commit_properties=metadata)
    log = DeltaLog(f"file://{tmp_path}")
    start = int((NOON + timedelta(minutes=30)).timestamp() * 1e6)
    wanted = (log, "at", start, start + 3_600_000_000)
    found = first_commit(*wanted)
    assert (found.summary.version, found.note) == (1, None)
    monkeypatch.setattr(commit_history, "MAX_BYTES", 20_000)
    found = first_commit(*wanted)
    assert (found.summary.version, found.note) == (2, "commits before version 2 are not read")
    monkeypatch.setattr(commit_history, "MAX_BYTES", 10)
    with pytest.raises(NotFoundError, match="of these windows; commits before version 3 are not read"):
        first_commit(*wanted)
