"""Tables with each reader feature: the rows written are the rows read, and unknown features are named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.backend.agreement import Action, assert_reads, assert_refuses, changed, problems, rewrite
from tests.backend.syncing import NOWHERE, SyncedVersion, served, spread, times
from tests.lake import logs

pytestmark = pytest.mark.process


def with_features(*names: str) -> Callable[[list[Action]], list[Action]]:
    """A change that makes a commit's protocol need some features."""
    return lambda actions: [logs.protocol(*names) if "protocol" in action else action for action in actions]


def with_schema(change: Callable[[dict[str, Any]], dict[str, Any]], **configuration: str) -> Any:
    """A change of each field of the schema."""

    def do(actions: list[Action]) -> list[Action]:
        for action in actions:
            if "metaData" in action:
                schema = json.loads(action["metaData"]["schemaString"])
                schema["fields"] = [change(item) for item in schema["fields"]]
                action["metaData"]["schemaString"] = json.dumps(schema)
                action["metaData"]["configuration"] = configuration
        return actions

    return do


def only_file(table: Path) -> Path:
    (found,) = table.glob("*.parquet")
    return found


@pytest.fixture
def table(monitored: SyncedVersion) -> Path:
    monitored.connect("serving")
    return Path(monitored.path("serving"))


@pytest.mark.parametrize(
    "name", ["vacuumProtocolCheck", "v2Checkpoint", "typeWidening", "typeWidening-preview"]
)
def test_that_only_a_protocol_names(monitored: SyncedVersion, table: Path, name: str) -> None:
    monitored.write("serving", spread(1, 2, 4))
    rewrite(table, with_features(name))
    assert problems(monitored, engine=NOWHERE) == [], "the engine is not asked"
    assert_reads(monitored, spread(1, 2, 4))


def test_deletion_vectors(monitored: SyncedVersion, table: Path) -> None:
    rows = spread(1, 3, 4)
    monitored.write("serving", rows)
    rewrite(table, with_features("deletionVectors"))
    vector = logs.deletion_vector([0, 5, 11])
    rewrite(
        table,
        lambda actions: [
            {"add": {**action["add"], "deletionVector": vector}} if "add" in action else action
            for action in actions
        ],
    )
    assert_reads(monitored, rows.take([1, 2, 3, 4, 6, 7, 8, 9, 10]))


@pytest.mark.parametrize(
    "stats", ['{"numRecords":12,"minValues":{"score":NaN}}', '{"numRecords":12,"minValues":{"sco']
)
def test_deletion_vectors_beside_statistics_that_are_no_json(
    monitored: SyncedVersion, table: Path, stats: str
) -> None:
    rows = spread(1, 3, 4)
    monitored.write("serving", rows)
    rewrite(table, with_features("deletionVectors"))
    rewrite(table, changed("add", stats=stats, deletionVector=logs.deletion_vector([0, 5, 11])))
    assert_reads(monitored, rows.take([1, 2, 3, 4, 6, 7, 8, 9, 10]))


@pytest.mark.parametrize("stats", ["", "null", '{"numRecords":12'])
def test_deletion_vectors_without_a_number_of_rows(monitored: SyncedVersion, table: Path, stats: str) -> None:
    monitored.write("serving", spread(1, 3, 4))
    rewrite(table, with_features("deletionVectors"))
    rewrite(table, changed("add", stats=stats, deletionVector=logs.deletion_vector([0])))
    assert_refuses(monitored, "has a deletion vector, but its statistics lack numRecords", "REORG TABLE")


@pytest.mark.parametrize("mode", ["name", "id"])
def test_column_mapping(monitored: SyncedVersion, table: Path, mode: str) -> None:
    rows = spread(1, 3, 4)
    monitored.write("serving", rows)
    places = {name: place for place, name in enumerate(rows.column_names, 1)}

    def mapped(item: dict[str, Any]) -> dict[str, Any]:
        place = places[item["name"]]
        names = {"delta.columnMapping.id": place, "delta.columnMapping.physicalName": f"col-{place}"}
        return {**item, "metadata": names}

    rewrite(table, with_features("columnMapping"))
    rewrite(
        table,
        with_schema(
            mapped,
            **{"delta.columnMapping.mode": mode, "delta.columnMapping.maxColumnId": str(len(places))},
        ),
    )
    path = only_file(table)
    fields = [
        pa.field(f"col-{place}", rows.schema.field(name).type, metadata={"PARQUET:field_id": str(place)})
        for name, place in places.items()
    ]
    pq.write_table(pa.table(rows.columns, schema=pa.schema(fields)), path)
    size = path.stat().st_size
    rewrite(
        table,
        lambda actions: [
            {"add": {**action["add"], "size": size, "stats": None}} if "add" in action else action
            for action in actions
        ],
    )
    assert_reads(monitored, rows)


def test_times_without_a_zone(monitored: SyncedVersion, table: Path) -> None:
    days = (1.25, 2.5, 2.75)
    rows = served(*days).set_column(1, "at", times(days, pa.timestamp("us")))
    monitored.write("serving", rows)
    assert "timestampNtz" in monitored.delta("serving").protocol().reader_features
    monitored.sync()
    assert_reads(monitored, rows)


def test_widened_types(monitored: SyncedVersion, table: Path) -> None:
    ages = [pa.array(np.arange(8, dtype=np.int32) - 3), pa.array(np.arange(8, dtype=np.int64) + 2**40)]
    written = [spread(day, day + 1, 4, seed=day).set_column(2, "age", ages[day - 1]) for day in (1, 2)]
    monitored.write("serving", written[0])

    def widened(item: dict[str, Any]) -> dict[str, Any]:
        if item["name"] != "age":
            return item
        changes = [{"toType": "long", "fromType": "integer"}]
        return {**item, "type": "long", "metadata": {"delta.typeChanges": changes}}

    rewrite(table, with_features("typeWidening"))
    rewrite(table, with_schema(widened, **{"delta.enableTypeWidening": "true"}))
    extra = table / "wide.parquet"
    pq.write_table(written[1], extra)
    logs.commit(table, 1, [logs.add(extra.name, None, size=extra.stat().st_size)])
    everything = [rows.set_column(2, "age", rows["age"].cast(pa.int64())) for rows in written]
    assert_reads(monitored, pa.concat_tables(everything))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("catalogManaged", "managed by its catalogue"),
        ("catalogOwned-preview", "managed by its catalogue"),
        ("collations", "reader feature collations, which is not supported"),
        ("unheardOf", "reader feature unheardOf, which is not supported"),
    ],
)
def test_unknown_ones_are_refused(monitored: SyncedVersion, table: Path, name: str, told: str) -> None:
    monitored.write("serving", spread(1, 2, 4))
    rewrite(table, with_features(name))
    assert_refuses(monitored, told)


def test_ones_that_only_the_engine_does_not_know(monitored: SyncedVersion, table: Path) -> None:
    """The engine wants variantType beside variantShredding, delta-rs does not."""
    monitored.write("serving", spread(1, 2, 4))
    rewrite(table, with_features("variantShredding"))
    assert_refuses(monitored, "its protocol requires the reader feature variantShredding")


def test_columns_of_type_variant(monitored: SyncedVersion, table: Path) -> None:
    monitored.write("serving", spread(1, 2, 4))
    rewrite(table, with_features("variantType"))

    def more(actions: list[Action]) -> list[Action]:
        for action in actions:
            if "metaData" in action:
                schema = json.loads(action["metaData"]["schemaString"])
                schema["fields"].append(logs.field("payload", "variant"))
                action["metaData"]["schemaString"] = json.dumps(schema)
        return actions

    rewrite(table, more)
    assert_reads(monitored, spread(1, 2, 4))
