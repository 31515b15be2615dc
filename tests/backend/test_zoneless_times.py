"""Partition values that are times without a zone are read as UTC, and preflight and the sync say so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from aporia_provider.lake.log.metadata import TableMetadata
from aporia_provider.lake.log.partition_values import describe_zoneless_times
from aporia_provider.models import Model
from aporia_provider.preflight.checks import preflight
from tests.backend.agreement import assert_reads, changed, rewrite
from tests.backend.syncing import JANUARY, MODEL, SCHEMA, VERSION, SyncedVersion, served


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("at=2024-01-01 05%3A00%3A00/f.parquet", True),
        ("at=2024-01-01%252005%253A00%253A00/f.parquet", True),
        ("x=1/at=2024-01-01 05:00:00.5/f.parquet", True),
        ("at=2024-01-01T05%3A00%3A00.000000Z/f.parquet", False),
        ("at=2024-01-01%252005%253A00%253A00.000000/f.parquet", False),
        ("at=__HIVE_DEFAULT_PARTITION__/f.parquet", False),
        ("x=2024-01-01 05:00:00/f.parquet", False),
        ("at=2024-01-01 05:00:00", False),
    ],
)
def test_what_is_told(path: str, told: bool) -> None:
    columns = (("at", "timestamp"), ("x", "string"))
    metadata = TableMetadata("file:///t", "id", 0, columns, ("at", "x"), {"at": "at", "x": "x"}, ())

    def texts(paths: Sequence[str]) -> Any:
        assert paths == ["at=2024-01-01 05:00:00"] or paths[0].startswith("x=2024"), "the paths do not tell"
        return {}

    assert bool(list(describe_zoneless_times(metadata, ["at", "x"], lambda: [path], texts))) is told
    assert not list(describe_zoneless_times(metadata, ["x"], lambda: [path], texts))


@pytest.mark.parametrize("checkpoint", [False, True])
def test_of_files_whose_paths_do_not_have_them(monitored: SyncedVersion, checkpoint: bool) -> None:
    monitored.write("serving", served(1.5), partition_by=["at"])
    monitored.connect("serving")
    table = Path(monitored.path("serving"))
    (data,) = table.glob("at=*/*.parquet")
    (table / "Xy").mkdir()
    data.rename(table / "Xy" / "part.parquet")
    rewrite(table, changed("add", path="Xy/part.parquet", partitionValues={"at": "2024-01-01 12:00:00"}))
    if checkpoint:
        DeltaTable(table).create_checkpoint()
        (table / "_delta_log" / f"{0:020}.json").unlink()
    (dataset,) = monitored.registry.get_datasets(MODEL, VERSION)
    (warning,) = preflight(dataset, SCHEMA, engine=monitored.engine).warnings
    assert "such as '2024-01-01 12:00:00'" in warning
    monitored.sync()
    assert monitored.status()["notes"] == [warning]


def test_by_preflight_and_by_the_sync(monitored: SyncedVersion, caplog: pytest.LogCaptureFixture) -> None:
    rows = served(1.5)
    monitored.write("serving", rows, partition_by=["at"])
    monitored.connect("serving")
    table = Path(monitored.path("serving"))
    (data,) = table.glob("at=*/*.parquet")
    local = "2024-01-01 12:00:00"
    (table / f"at={local.replace(':', '%3A')}").mkdir()
    data.rename(table / f"at={local.replace(':', '%3A')}" / data.name)
    path = f"at={local.replace(' ', '%20').replace(':', '%253A')}/{data.name}"
    rewrite(table, changed("add", path=path, partitionValues={"at": local}))
    (dataset,) = monitored.registry.get_datasets(MODEL, VERSION)
    report = preflight(dataset, SCHEMA, engine=monitored.engine)
    (warning,) = report.warnings
    assert "partition column 'at' has times without a zone, such as '2024-01-01 12:00:00'" in warning
    assert "to_utc_timestamp(at, 'zone') AS at" in warning
    assert_reads(monitored, rows)
    assert warning in caplog.text
    assert monitored.status()["notes"] == [warning]


def test_the_advice_gives_the_time_that_was_meant(monitored: SyncedVersion) -> None:
    """Noon of a clock in New York is 17:00 UTC in winter."""
    monitored.write("serving", served(1.5), partition_by=["at"])
    columns = ["id", "age", "city", "vip", "score", "to_utc_timestamp(at, 'America/New_York') AS at"]
    monitored.connect("serving", select_expr=columns)
    monitored.registry.create_model(Model(id="hourly", name="Hourly", aggregation_period="hourly"))
    monitored.registry.create_model_version("hourly", VERSION, SCHEMA)
    (dataset,) = monitored.registry.get_datasets(MODEL, VERSION)
    monitored.registry.connect_dataset("hourly", VERSION, dataset)
    monitored.registry.sync_dataset("hourly", VERSION, "serving", engine=monitored.engine)
    assert set(monitored.states("rows")) == {JANUARY + 17 * 3600}
