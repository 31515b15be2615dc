"""What is synced are the values of the files, whatever the statistics of a log make of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.backend.sync.reading.dataset_table import ConnectedTable
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.session import spark_session
from aporia_provider.monitoring.performance.states.regression_state import Regression
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.schema import VersionSchema
from tests.backend.conftest import copied
from tests.backend.syncing import SyncedVersion, served, times
from tests.lake.columns import WRITERS, columns, write
from tests.sizes import sized

pytestmark = pytest.mark.process

START = 1_704_067_200
"""1 January 2024, in seconds since 1970."""


@pytest.fixture(scope="module")
def spark(engine: str) -> Iterator[Any]:
    with spark_session(engine) as opened:
        yield opened


def tables(files: list[list[Any]], type_: pa.DataType) -> list[pa.Table]:
    """A day for each file, with rows at the first and the last moment of it and in between."""
    made = []
    for day, values in enumerate(files):
        first = (START + day * 86_400) * 1_000_000
        moments = [first, first + 86_399_999_999, first + 3_600_000_000][: len(values)]
        made.append(
            pa.table(
                {
                    "id": [f"{day}/{place}" for place in range(len(values))],
                    "at": pa.array(moments, pa.int64()).cast(pa.timestamp("us", "UTC")),
                    "v": pa.array(values, type_),
                }
            )
        )
    return made


def told(value: Any) -> Any:
    """A value that equals itself and no other, such as NaN and either zero."""
    return repr(value) if isinstance(value, float) else value


@settings(max_examples=sized(15, 40), suppress_health_check=list(HealthCheck))
@given(columns(), st.sampled_from(WRITERS), st.booleans())
def test_rows_of_random_values(
    spark: Any, drawn: tuple[pa.DataType, list[list[Any]]], writer: str, whole: bool
) -> None:
    type_, files = drawn
    rows = tables(files, type_)
    wanted = rows if whole else rows[-1:]
    end = START + len(rows) * 86_400
    with TemporaryDirectory() as folder:
        write(Path(folder), writer, rows)
        source = S3DataSource(object_path=folder, object_format="delta")
        dataset = DatasetConnection(role="serving", data_source=source, id_column="id", timestamp_column="at")
        table = ConnectedTable(dataset, None, "embedded")
        intervals = None if whole else [(end - 86_400, end)]
        found = (
            table.rows.in_intervals(spark, ["at", "v"], intervals, whole)
            .select("id", "at", "v")
            .toArrow()
            .to_pylist()
        )
    expected = [
        (row["id"], row["at"].replace(tzinfo=None), told(row["v"]))
        for part in wanted
        for row in pa.table(part).to_pylist()
    ]
    assert Counter(map(str, expected)) == Counter(
        str((row["id"], row["at"].replace(tzinfo=None), told(row["v"]))) for row in found
    )


def numbers(monitored: SyncedVersion, key: str = "features.age") -> list[NumericState]:
    states = monitored.states(key).values()
    assert all(isinstance(state, NumericState) for state in states)
    return list(states)  # type: ignore[arg-type]


def appended(monitored: SyncedVersion, name: str, rows: pa.Table) -> None:
    """Each row in a file of its own."""
    for place in range(len(rows)):
        monitored.write(name, rows.slice(place, 1))


@pytest.mark.parametrize("full", [True, False])
def test_decimals_beyond_64_bits(monitored: SyncedVersion, full: bool) -> None:
    values = [Decimal(93 * 10**17 + place * 137 * 10**18) for place in range(5)]
    monitored.connect("serving")
    days = [1.1, 2.1, 3.1, 4.1, 5.1]
    rows = served(*days, age=pa.array(values, pa.decimal128(38, 0)))
    appended(monitored, "serving", rows.slice(0, 1))
    monitored.sync()
    appended(monitored, "serving", rows.slice(1))
    monitored.sync(full=full)
    assert sum(state.total for state in numbers(monitored)) == sum(int(float(value)) for value in values)
    monitored.check()


def test_doubles_of_seventeen_digits(monitored: SyncedVersion) -> None:
    """The engine reads this one from JSON as the double before it."""
    monitored.connect("serving")
    for day in (1.1, 2.1):
        monitored.write("serving", served(day, age=[0.9138306327822837]))
        monitored.sync()
    assert [state.greatest for state in numbers(monitored)] == [0.9138306327822837] * 2


@pytest.mark.parametrize("roles", [("serving", "actuals"), ("actuals", "serving")])
def test_ids_of_nineteen_digits(monitored: SyncedVersion, roles: tuple[str, str]) -> None:
    ids = [Decimal(1_234_567_890_123_456_780 + place) for place in range(4)]
    labels = pa.table(
        {"id": list(map(str, ids)), "known": times([9.0] * 4), "churned": [True, False, True, False]}
    )
    listed = pa.array(ids, pa.decimal128(38, 0))
    tables = {"serving": served(1.1, 1.2, 2.1, 2.2, ids=listed), "actuals": labels}
    expressions = {"serving": ["cast(id AS string) AS id", "at", "age", "city", "vip", "score"]}
    for role in roles:
        monitored.connect(role, select_expr=expressions.get(role))
        for rows in (tables[role].slice(0, 1), tables[role].slice(1)):
            appended(monitored, role, rows)
            monitored.sync(role)
    # Bins may have come from the dataset that was synced last.
    monitored.sync(roles[0])
    assert [(state.rows, state.labelled) for state in monitored.outcomes().values()] == [(2, 2)] * 2
    assert [state.to_json()["rows"] for state in monitored.states("rows").values()] == [2, 2]
    monitored.check()


def test_labels_whose_ids_are_in_a_range(tmp_path: Path, migrated: Path, engine: str) -> None:
    schema = VersionSchema(
        model_type="regression", features={"age": "numeric"}, predictions={"score": "numeric"}
    )
    values = [0.9138306327822837, 0.5]
    with EmbeddedRegistry(copied(migrated, tmp_path), "prod") as registry:
        monitored = SyncedVersion(tmp_path, registry, engine).register(schema)
        for role in ("serving", "actuals"):
            monitored.connect(role)
        for first, day in ((1, 1.1), (3, 2.1)):
            ids = [first, first + 1]
            monitored.write("serving", served(day, day, ids=ids, score=values))
            labels = pa.table({"id": ids, "known": times([9.0] * 2), "churned": values})
            appended(monitored, "actuals", labels)
            monitored.sync("serving")
        for state in monitored.states("performance.score").values():
            assert isinstance(state, Regression)
            assert (state.labelled, state.absolute_errors) == (2, 0)
        monitored.sync("actuals")
        monitored.check()
