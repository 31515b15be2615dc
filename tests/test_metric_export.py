"""Results of metrics as JSON, CSV and Parquet that other programs read."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import pyarrow.parquet as pq
import pytest

from aporia_provider.metric_export import COLUMNS, metric_rows, to_csv, to_json, to_parquet
from aporia_provider.metric_results import QueryResult, RangeResults
from aporia_provider.metrics import Metric, MetricsQuery

pytestmark = pytest.mark.fast


def rows(result: QueryResult, **query: Any) -> list[dict[str, Any]]:
    parameters = {"column": query.pop("column", "age")}
    datasets = {"data": {"dataset_type": "serving", "segment": query.pop("segment", None)}}
    metric = Metric(id="a", metric="mean", parameters=parameters, datasets=datasets)
    asked = MetricsQuery(**{"model_id": "m", **query}, metrics=[metric])
    return list(metric_rows(asked, [RangeResults(None, [result])]))


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_numbers_that_are_not_finite_are_null_in_json() -> None:
    histogram = {"edges": [-math.inf, 0.5, math.inf], "shares": (math.nan, 1.0), "n": 3, "name": "NaN"}
    expected = {"edges": [None, 0.5, None], "shares": [None, 1.0], "n": 3, "name": "NaN"}
    (row,) = rows(QueryResult(histogram, id="a"))
    assert json.loads(row["value_json"], parse_constant=refuse) == expected
    text = to_json([RangeResults(None, [QueryResult(histogram, id="a", low=-math.inf)]).to_json()], indent=2)
    ((result,),) = [item["metrics"] for item in json.loads(text, parse_constant=refuse)]
    assert (result["value"], result["low"]) == (expected, None)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_texts_are_no_formulas_in_csv_and_stay_in_parquet(start: str) -> None:
    """A spreadsheet takes a cell for a formula that begins with such a character, quoted or not."""
    text = f'{start}HYPERLINK("https://example.org","x"), a'
    found = rows(
        QueryResult(-1.5, id="a", model_version=text, error=text, samples=3), model_id=text, column=text
    )
    (cells,) = csv.DictReader(io.StringIO(to_csv(found), newline=""))
    for name in ("model_id", "model_version", "column", "error"):
        assert cells[name] == f"'{text}"
    # Numbers remain numbers.
    assert (cells["value"], cells["samples"]) == ("-1.5", "3")
    (stored,) = pq.read_table(io.BytesIO(to_parquet(found))).to_pylist()
    assert (stored["model_id"], stored["column"], stored["value"]) == (text, text, -1.5)


def test_rows_name_the_value_of_a_segment() -> None:
    found = rows(QueryResult(1.0, id="a"), segment={"id": "plan", "value": "=gold"})
    (cells,) = csv.DictReader(io.StringIO(to_csv(found)))
    assert (cells["segment"], cells["segment_value"]) == ("plan", "'=gold")
    (stored,) = pq.read_table(io.BytesIO(to_parquet(found))).to_pylist()
    assert (stored["segment"], stored["segment_value"]) == ("plan", "=gold")
    (whole,) = pq.read_table(io.BytesIO(to_parquet(rows(QueryResult(1.0, id="a"))))).to_pylist()
    assert (whole["segment"], whole["segment_value"]) == (None, None)


def test_other_texts_are_unchanged_in_csv() -> None:
    found = rows(QueryResult(1.0, id="a", model_version="2024-01-01", reason="a = b"), column="feature.a-b")
    (cells,) = csv.DictReader(io.StringIO(to_csv(found)))
    assert tuple(cells) == COLUMNS
    assert (cells["column"], cells["model_version"]) == ("feature.a-b", "2024-01-01")
    assert cells["reason"] == "a = b"
