"""NaN beside one other value, which statistics take for a column of that value only."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.engine.dataframes import nan_statistics
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.monitoring.performance.states.regression_state import Regression
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.schema import VersionSchema
from tests import servers
from tests.backend.conftest import copied
from tests.backend.syncing import SyncedVersion, bucket, served, work
from tests.conftest import S3

pytestmark = pytest.mark.process

NAN = math.nan
TOLD = "some bounds in the log are not values, so all files are read"


@pytest.fixture
def read_whole(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """What was said of tables that had to be read as a whole."""
    said: list[str] = []
    with caplog.at_level(logging.INFO, "aporia_provider"):
        handler = logging.Handler()
        handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
        logger = logging.getLogger("aporia_provider.backend.sync.reading.dataset_rows")
        logger.addHandler(handler)
        yield said
        logger.removeHandler(handler)


def ages(*values: float | None, days: tuple[float, ...], type_: Any = None, seed: int = 0) -> pa.Table:
    return served(*days, seed=seed, age=pa.array(values, type_ or pa.float64()))


def counted(
    monitored: SyncedVersion, key: str = "features.age"
) -> dict[int | None, tuple[int, int, float | None]]:
    """Rows, NaN and least value of each bucket."""
    found = monitored.states(key)
    assert all(isinstance(state, NumericState) for state in found.values())
    return {place: (state.rows, state.nans, state.least) for place, state in found.items()}  # type: ignore[attr-defined]


@pytest.mark.parametrize("type_", [pa.float64(), pa.float32()])
def test_each_is_what_it_is(monitored: SyncedVersion, read_whole: list[str], type_: Any) -> None:
    monitored.connect("serving")
    monitored.write("serving", ages(0.5, NAN, 0.5, days=(1.1, 1.2, 2.1), type_=type_))
    assert monitored.sync()["rows"] == 3
    assert counted(monitored) == {bucket(1): (2, 1, 0.5), bucket(2): (1, 0, 0.5)}
    monitored.write("serving", ages(NAN, 0.25, days=(2.2, 2.3), type_=type_, seed=1))
    assert work(monitored.sync())[:3] == (True, 1, 3)
    assert TOLD in read_whole[0]
    assert counted(monitored) == {bucket(1): (2, 1, 0.5), bucket(2): (3, 1, 0.25)}
    monitored.check()


def test_only_the_files_that_are_read_matter(monitored: SyncedVersion, read_whole: list[str]) -> None:
    monitored.connect("serving")
    monitored.write("serving", ages(0.5, NAN, days=(1.1, 1.2)))
    monitored.sync()
    monitored.write("serving", ages(0.5, 0.5, days=(3.1, 3.2), seed=1))
    monitored.sync()
    assert read_whole == []
    assert counted(monitored) == {bucket(1): (2, 1, 0.5), bucket(3): (2, 0, 0.5)}
    monitored.check()


def test_for_columns_that_are_constant_no_other_files_are_read(
    monitored: SyncedVersion, read_whole: list[str]
) -> None:
    monitored.connect("serving")
    monitored.write("serving", ages(1.5, 2.5, 1.5, 2.5, days=(1.1, 1.2, 1.3, 1.4)))
    monitored.sync()
    monitored.write("serving", ages(0.0, -0.0, 0.0, days=(2.1, 3.2, 4.1), seed=1))
    assert work(monitored.sync())[:3] == (True, 3, 3)
    assert read_whole == []
    assert counted(monitored) == {bucket(1): (4, 0, 1.5), **{bucket(day): (1, 0, 0.0) for day in (2, 3, 4)}}


def test_of_columns_that_nobody_looks_at_nothing_is_read(
    monitored: SyncedVersion, read_whole: list[str]
) -> None:
    monitored.connect("serving")
    monitored.write("serving", served(1.1, 1.2, other=[1.0, NAN]))
    monitored.sync()
    assert read_whole == []


def test_computed_of_such_a_column(monitored: SyncedVersion) -> None:
    monitored.connect("serving", select_expr=["id", "at", "base * 2 AS age", "city", "vip", "score"])
    monitored.write("serving", served(1.1, 1.2, base=[0.5, NAN]))
    monitored.sync()
    assert counted(monitored) == {bucket(1): (2, 1, 1.0)}


def test_in_a_partition_of_any_name(monitored: SyncedVersion) -> None:
    monitored.connect("serving")
    strange = ["a b", "a b", "c*[d]%2F", "c*[d]%2F"]
    rows = ages(0.5, NAN, 1.5, NAN, days=(1.1, 1.2, 2.1, 2.2)).set_column(3, "city", pa.array(strange))
    monitored.write("serving", rows, partition_by=["city"])
    monitored.sync()
    assert counted(monitored) == {bucket(1): (2, 1, 0.5), bucket(2): (2, 1, 1.5)}


def test_more_files_than_are_asked_for_at_once(
    monitored: SyncedVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nan_statistics, "_FILES_PER_READ", 2)
    monitored.connect("serving")
    monitored.write("serving", ages(0.5, days=(1,)))
    monitored.sync()
    for day in range(1, 6):
        monitored.write("serving", ages(0.5, NAN if day == 5 else 0.5, days=(day, day + 0.5), seed=day))
    monitored.sync()
    assert counted(monitored) == {bucket(day): (2 + (day == 1), int(day == 5), 0.5) for day in range(1, 6)}


def test_deleted_rows(monitored: SyncedVersion) -> None:
    monitored.connect("serving")
    monitored.write("serving", ages(0.5, NAN, 7.5, days=(1.1, 1.2, 1.3)))
    monitored.sync()
    monitored.delta("serving").delete("age = 7.5")
    monitored.sync()
    assert counted(monitored) == {bucket(1): (2, 1, 0.5)}
    monitored.check()


def test_the_baseline_and_late_labels(tmp_path: Path, migrated: Path, engine: str) -> None:
    schema = VersionSchema(
        model_type="regression", features={"age": "numeric"}, predictions={"score": "numeric"}
    )
    with EmbeddedRegistry(copied(migrated, tmp_path), "prod") as registry:
        monitored = SyncedVersion(tmp_path, registry, engine).register(schema)
        monitored.connect("training")
        monitored.write("training", ages(0.5, NAN, 0.5, days=(1, 2, 3)))
        monitored.connect("serving")
        monitored.write("serving", served(1.1, 1.2, 1.3, ids=["a", "b", "c"], score=[0.5, NAN, 0.5]))
        monitored.connect("actuals")
        known = served(5, 5, 5).column("at")
        monitored.write(
            "actuals", pa.table({"id": ["a", "b", "c"], "known": known, "churned": [2.0, 2.0, NAN]})
        )
        for role in ("training", "serving", "actuals"):
            monitored.sync(role)
        (state,) = monitored.states("performance.score").values()
        assert isinstance(state, Regression)
        # a alone has both a prediction and a label: 0.5 - 2 is its error.
        assert (state.rows, state.labelled, state.unusable, state.absolute_errors) == (3, 1, 2, 1.5)
        monitored.check()


def test_files_without_a_log(monitored: SyncedVersion) -> None:
    (monitored.folder / "files").mkdir()
    parquet.write_table(ages(0.5, NAN, days=(1.1, 1.2)), monitored.folder / "files" / "1.parquet")
    monitored.connect("serving", path=str(monitored.folder / "files"), format="parquet")
    monitored.sync()
    assert counted(monitored) == {bucket(1): (2, 1, 0.5)}


def test_on_s3(s3: S3, monitored: SyncedVersion, s3_engine: str) -> None:
    monitored.place, monitored.options, monitored.engine = s3.uri("tables"), s3.delta_options, s3_engine
    monitored.credentials = AwsCredentials(
        servers.S3_KEY, servers.S3_SECRET, region=servers.S3_REGION, endpoint_url=s3.endpoint
    )
    monitored.connect("serving")
    monitored.write("serving", ages(0.5, NAN, days=(1.1, 1.2)), partition_by=["vip"])
    monitored.write("serving", ages(NAN, 1.0, NAN, days=(2.1, 2.2, 2.3), seed=1))
    monitored.sync()
    assert counted(monitored) == {bucket(1): (2, 1, 0.5), bucket(2): (3, 2, 1.0)}
