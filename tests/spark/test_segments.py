"""The states of segments are equal on both engines, to the last bit, for all documented operators."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from aporia_provider.data_sources import S3DataSource
from aporia_provider.engine.dataframes.profiling import profile_columns, profile_frame
from aporia_provider.monitoring.profiles.plan import (
    FieldPlan,
    OutcomePlan,
    ProfilePlan,
    RowCondition,
    RowNumberPlan,
    SegmentTermPlan,
    SumsPlan,
)
from tests.conftest import S3
from tests.engine.test_condition_sql import check_statements
from tests.monitoring.columns import DAY
from tests.spark.conftest import Engine, Engines
from tests.spark.test_batches import delta

ROWS = 400
TYPES = {"age": "numeric", "price": "numeric", "plan": "categorical", "vip": "boolean", "seen": "datetime"}
COLUMNS = {"age": "c0", "price": "c1", "plan": "c2", "vip": "c3", "seen": "c4", "label": "c5"}
TERMS = {
    "age > 40": lambda row: row["age"] is not None and row["age"] > 40,
    "age < 40.5": lambda row: row["age"] is not None and row["age"] < 40.5,
    "age <= 40 and age >= 20": lambda row: row["age"] is not None and 20 <= row["age"] <= 40,
    "plan != 'Gold'": lambda row: row["plan"] not in (None, "Gold"),
    "plan = 'Gold' & vip = True": lambda row: row["plan"] == "Gold" and row["vip"] is True,
    "plan = 'it''s' | age is null": lambda row: row["plan"] == "it's" or row["age"] is None,
    "not (plan = 'Gold' or vip)": lambda row: row["plan"] not in (None, "Gold") and row["vip"] is False,
    "price is not null": lambda row: row["price"] is not None,
    "price > 9.99 or plan is null": lambda row: (
        (row["price"] is not None and row["price"] > Decimal("9.99")) or row["plan"] is None
    ),
    "seen >= '1970-01-02'": lambda row: row["seen"] is not None and row["seen"].toordinal() >= 719_164,
    "plan in ('Gold', 'é')": lambda row: row["plan"] in ("Gold", "é"),
    "age > price": lambda row: (
        row["age"] is not None and row["price"] is not None and row["age"] > row["price"]
    ),
    "age > 1000": lambda row: False,
}


def table() -> pa.Table:
    rng = np.random.default_rng(3)

    def nulled(array: Any, type_: pa.DataType | None = None) -> pa.Array:
        return pa.array(array, type_, mask=rng.random(ROWS) < 0.1)

    prices = [Decimal(int(cents)).scaleb(-2) for cents in rng.integers(1, 6_000, ROWS)]
    return pa.table(
        {
            "id": [f"id {place % 390}" for place in range(ROWS)],
            "at": nulled(rng.integers(0, 3 * DAY, ROWS), pa.timestamp("us", "UTC")),
            "age": nulled(rng.integers(0, 90, ROWS)),
            "price": pa.array([*prices[:-40], *[None] * 40], pa.decimal128(10, 2)),
            "plan": nulled(np.array(["Gold", "Silver", "it's", "é"])[rng.integers(0, 4, ROWS)].tolist()),
            "vip": nulled(rng.random(ROWS) < 0.5),
            "seen": nulled(rng.integers(-DAY, 2 * DAY, ROWS), pa.timestamp("us", "UTC")),
            "label": nulled(rng.random(ROWS) < 0.5),
        }
    )


def plan_of(whole: bool = True) -> ProfilePlan:
    fields = tuple(FieldPlan(f"features.{name}", type_, COLUMNS[name]) for name, type_ in TYPES.items())
    columns = tuple((name, COLUMNS[name], type_) for name, type_ in TYPES.items())
    terms = tuple(SegmentTermPlan(f"@1.{place}:", text, columns) for place, text in enumerate(TERMS))
    outcomes = (OutcomePlan("performance.vip", "binary", "c3", "c5"),)
    gold = RowCondition("plan = 'Gold'", columns)
    numbers = (
        RowNumberPlan("rows"),
        RowNumberPlan("value", "c1", "numeric", gold),
        RowNumberPlan("missing", "c2", "categorical"),
    )
    sums = (SumsPlan("@2.0:", RowCondition(), numbers), SumsPlan("@3.0:", gold, numbers))
    return ProfilePlan("daily", fields, outcomes, segments=terms, whole=whole, sums=sums)


def profiled(engine: Engine, source: S3DataSource, plan: ProfilePlan) -> dict[Any, str]:
    columns = profile_columns(engine.frame(source), "id", "at", {name: key for key, name in COLUMNS.items()})
    found = profile_frame(columns, plan, embedded=engine.embedded)
    return {place: json.dumps(state.to_json(), sort_keys=True) for place, state in found.items()}


def test_states_of_segments_are_equal(engines: Engines, s3: S3) -> None:
    written = table()
    source = delta(s3, written)
    on_spark, embedded = (profiled(engine, source, plan_of()) for engine in engines)
    assert on_spark == embedded
    listed = written.to_pylist()
    for place, holds in enumerate(TERMS.values()):
        counts = [
            json.loads(state)["rows"] for (_, key), state in embedded.items() if key == f"@1.{place}:rows"
        ]
        assert sum(counts) == sum(map(holds, listed))
    alone = profiled(engines.embedded, source, plan_of(whole=False))
    assert alone == {place: state for place, state in embedded.items() if place[1].startswith("@")}


def test_statements_of_conditions_select_their_rows(engines: Engines, tmp_path: Path) -> None:
    check_statements(engines.cluster.spark, tmp_path)
