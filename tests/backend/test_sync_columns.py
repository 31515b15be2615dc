"""States go with the columns that they were computed from, not with the names of those."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import ValidationError
from aporia_provider.monitoring.states.number_state import NumericState
from aporia_provider.preflight.checks import preflight
from tests.backend.mapped import MappedTable
from tests.backend.syncing import NOWHERE, SCHEMA, SyncedVersion, labelled
from tests.sizes import sized

pytestmark = pytest.mark.process

COLUMNS = {
    "id": "string",
    "at": "timestamp",
    "age": "double",
    "city": "string",
    "vip": "boolean",
    "score": "double",
    "other": "double",
}
OTHERS = "columns that are read were replaced, or their type changed: "
GONE = "columns that are read were dropped or renamed: "


def rows(first: int, count: int, **values: Any) -> list[dict[str, Any]]:
    """Rows of 1 January 2024."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    given = {"age": 1.5, "city": "Rome", "vip": True, "score": 0.5, "other": 7.0, **values}
    return [{"id": f"i{n}", "at": start + timedelta(seconds=n), **given} for n in range(first, first + count)]


@pytest.fixture(params=["name", "id"])
def table(request: pytest.FixtureRequest, monitored: SyncedVersion) -> MappedTable:
    made = MappedTable(Path(monitored.path("serving")), request.param).create(COLUMNS)
    made.append(rows(0, 6))
    return made


def counted(monitored: SyncedVersion, key: str = "features.age") -> tuple[int, int, float | None]:
    """Rows, nulls and the greatest value."""
    (state,) = monitored.states(key).values()
    assert isinstance(state, NumericState)
    return state.rows, state.nulls, state.greatest


def told(table: MappedTable, **more: Any) -> list[str]:
    """What preflight says of the table."""
    source = S3DataSource(object_path=str(table.folder), object_format="delta", **more)
    dataset = DatasetConnection(role="serving", data_source=source, id_column="id", timestamp_column="at")
    return preflight(dataset, SCHEMA, credentials=None).problems


def test_dropped_and_added_again(monitored: SyncedVersion, table: MappedTable) -> None:
    monitored.connect("serving")
    monitored.sync()
    assert counted(monitored) == (6, 0, 1.5)
    table.alter(drop=["age"], age="double")
    status = monitored.sync()
    assert (status["reason"], counted(monitored)) == (f"{OTHERS}'age'", (6, 6, None))
    monitored.check()


def test_dropped_and_synced_and_added_again(monitored: SyncedVersion, table: MappedTable) -> None:
    monitored.connect("serving")
    monitored.sync()
    before = monitored.stored()
    table.alter(drop=["age"])
    with pytest.raises(ValidationError) as error:
        monitored.sync()
    assert told(table) == error.value.problems
    assert "no column 'age'" in error.value.problems[0]
    assert (monitored.status()["status"], monitored.stored()) == ("failed", before)
    table.alter(age="double")
    table.append(rows(6, 1, age=8.5))
    monitored.sync()
    assert (monitored.status()["status"], counted(monitored)) == ("synced", (7, 6, 8.5))
    monitored.check()


def test_renamed(monitored: SyncedVersion, table: MappedTable) -> None:
    monitored.connect("serving")
    monitored.sync()
    table.alter(rename={"age": "years"})
    with pytest.raises(ValidationError) as error:
        monitored.sync()
    assert told(table) == error.value.problems
    table.alter(rename={"other": "age"})
    status = monitored.sync()
    assert (status["reason"], counted(monitored)) == (f"{OTHERS}'age'", (6, 0, 7.0))
    monitored.check()


def test_what_nobody_reads_costs_nothing(monitored: SyncedVersion, table: MappedTable) -> None:
    monitored.connect("serving")
    monitored.sync()
    table.alter(drop=["other"], more="double")
    table.alter(rename={"more": "other"})
    assert monitored.sync(engine=NOWHERE)["changed"] is False
    monitored.check()


def test_columns_that_expressions_reach(monitored: SyncedVersion, table: MappedTable) -> None:
    kept = ["id", "at", "age + other AS age", "city", "vip", "score"]
    monitored.connect("serving", select_expr=kept)
    monitored.sync()
    assert counted(monitored) == (6, 0, 8.5)
    table.alter(drop=["other"], other="double")
    assert monitored.sync()["reason"] == f"{OTHERS}'other'"
    assert counted(monitored) == (6, 6, None)
    before = monitored.stored()
    table.alter(rename={"other": "another"})
    with pytest.raises(ValidationError):
        monitored.sync()
    assert (monitored.status()["status"], monitored.stored()) == ("failed", before)


def test_the_predictions_that_labels_are_compared_with(monitored: SyncedVersion, table: MappedTable) -> None:
    monitored.connect("serving")
    monitored.connect("actuals")
    monitored.write("actuals", labelled(2, {f"i{n}": True for n in range(6)}))
    monitored.sync("serving")
    monitored.sync("actuals")
    (outcome,) = monitored.outcomes().values()
    assert (outcome.labelled, outcome.unusable) == (6, 0)
    table.alter(drop=["score"], score="double")
    status = monitored.sync("actuals")
    (outcome,) = monitored.outcomes().values()
    assert status["changed_parts"] == ["performance"]
    assert (outcome.rows, outcome.labelled) == (6, 0)
    monitored.sync("serving")
    monitored.check()


def test_a_field_inside_of_a_struct(monitored: SyncedVersion) -> None:
    columns = {**COLUMNS, "parts": {"x": "double", "y": "double"}}
    table = MappedTable(Path(monitored.path("serving"))).create(columns)
    table.append(rows(0, 6, parts={"x": 1.5, "y": 2.5}))
    monitored.connect("serving", select_expr=["id", "at", "parts.x AS age", "city", "vip", "score"])
    monitored.sync()
    assert counted(monitored) == (6, 0, 1.5)
    table.retype("parts", {"y": "double"})
    table.retype("parts", {"x": "double", "y": "double"})
    assert monitored.sync()["reason"] == f"{OTHERS}'parts'"
    assert counted(monitored) == (6, 6, None)
    monitored.check()


def test_a_wider_type(monitored: SyncedVersion) -> None:
    table = MappedTable(Path(monitored.path("serving"))).create({**COLUMNS, "age": "integer"})
    table.append(rows(0, 6, age=3))
    monitored.connect("serving")
    monitored.sync()
    table.retype("age", "long")
    table.append(rows(6, 1, age=2**40))
    assert monitored.sync()["reason"] == f"{OTHERS}'age'"
    assert counted(monitored) == (7, 0, 2.0**40)
    monitored.check()


READ = ("age", "score")
NAMES = (*READ, "other", "spare")


@dataclass(frozen=True)
class Change:
    """
    A commit.

    :param kind: ``append``, ``drop``, ``rename``, ``add``, or ``replace``: drop a column and add another one.
    :param name: The column.
    :param to: Its new name.
    :param synced: Whether it is synced before the next one comes.
    """

    kind: str
    name: str
    to: str
    synced: bool

    def apply(self, table: MappedTable, number: int) -> None:
        there, free = self.name in table.columns, self.to not in table.columns
        if self.kind == "append":
            table.append(rows(10 * number, 2, age=float(number), score=0.25, other=number + 0.5, spare=-1.0))
        elif self.kind == "drop" and there:
            table.alter(drop=[self.name])
        elif self.kind == "rename" and there and free:
            table.alter(rename={self.name: self.to})
        elif self.kind == "add" and not there:
            table.alter(**{self.name: "double"})
        elif self.kind == "replace" and there:
            table.alter(drop=[self.name], **{self.name: "double"})


changes = st.builds(
    Change,
    st.sampled_from(["append", "drop", "rename", "rename", "add", "add", "replace"]),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.integers(0, 3).map(bool),
)


@settings(max_examples=sized(3, 6), suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["name", "id"]), st.lists(changes, min_size=2, max_size=6))
def test_random_changes_of_columns(migrated: Path, engine: str, mode: str, drawn: list[Change]) -> None:
    with (
        TemporaryDirectory() as folder,
        EmbeddedRegistry(f"sqlite:///{shutil.copy(migrated, folder)}", "prod") as registry,
    ):
        monitored = SyncedVersion(Path(folder), registry, engine).register()
        table = MappedTable(Path(monitored.path("serving")), mode).create(COLUMNS)
        table.append(rows(0, 3))
        monitored.connect("serving")
        monitored.sync()
        for number, change in enumerate(drawn, 1):
            change.apply(table, number)
            if change.synced or number == len(drawn):
                synced(monitored, table)


def synced(monitored: SyncedVersion, table: MappedTable) -> None:
    """Sync, and hold the states against the rows; where a column is missing, nothing may change."""
    before = monitored.stored()
    if set(READ) <= set(table.columns):
        monitored.sync()
        for column, key in (("age", "features.age"), ("score", "predictions.score")):
            values = [row[column] for row in table.rows()]
            known = [value for value in values if value is not None]
            found = (len(values), len(values) - len(known), max(known, default=None))
            assert counted(monitored, key) == found
    else:
        with pytest.raises(ValidationError):
            monitored.sync()
        assert (monitored.status()["status"], monitored.stored()) == ("failed", before)
