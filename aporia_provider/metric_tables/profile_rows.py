"""Rows of the table of profile metrics."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import sqrt
from typing import Any

from aporia_provider.metric_results import QueryResult
from aporia_provider.metric_tables.batched_queries import Key
from aporia_provider.metric_tables.exported_metrics import QUANTILES
from aporia_provider.metric_tables.table_layout import AVERAGED, TABLE, data_type

MOST_ITEMS = 100
"""Maximum number of frequent items."""

_SHARES = {
    "percent_null": "num_nulls",
    "percent_nan": "num_nan",
    "percent_zeros": "num_zeros",
    "percent_distinct": "distinct_count",
}


def profile_rows(
    results: Mapping[Key, QueryResult], fields: Mapping[str, str], *, unreliable: bool, positive: str
) -> list[dict[str, Any]]:
    """
    Return a row for the table, and one for each field; no rows if the window has no rows.

    :param results: Results of the window.
    :param fields: Types of the fields.
    :param unreliable: Whether values that are not reliable are included.
    :param positive: Name of the positive class of a binary model.
    """
    values = {key: result.number if unreliable else result.value for key, result in results.items()}
    if not values.get((None, "count")):
        return []
    rows = [
        {
            "column_name": column,
            "data_type": data_type(type_),
            **_profile(_values_of_column(values, column), type_),
        }
        for column, type_ in fields.items()
    ]
    table = _values_of_column(values, None)
    columns = [row["column_name"] for row in rows if row["count"]]
    performance = {name: _averages(table, name, positive) for name in AVERAGED}
    return [{**table, **performance, "column_name": TABLE, "non_null_columns": columns}, *rows]


def _values_of_column(values: Mapping[Key, Any], column: str | None) -> dict[str, Any]:
    return {name: value for (result_column, name), value in values.items() if result_column == column}


def _profile(values: dict[str, Any], type_: str) -> dict[str, Any]:
    rows, missing = values.pop("rows", None), values.pop("missing", None)
    if type_ == "datetime":
        values = {name: _seconds(value) for name, value in values.items()}
    if rows is None or missing is None:
        return {**values, "count": None}
    nulls = missing - (values.get("num_nan") or 0)
    row = {**values, "count": rows - nulls, "num_nulls": nulls}
    row |= {share: _percent(row.get(name), rows) for share, name in _SHARES.items()}
    if (variance := values.get("variance")) is not None:
        row["stddev"] = sqrt(variance)
    if "quantile 0.0" in values:
        quantiles = [values[f"quantile {place}"] for place in QUANTILES]
        row["quantiles"] = None if None in quantiles else quantiles
    if "frequent_items" in values:
        row["frequent_items"] = _frequent(values["frequent_items"])
    return row


def _percent(count: int | None, rows: int) -> float | None:
    return None if count is None or not rows else 100 * count / rows


def _seconds(time: Any) -> float | None:
    return datetime.fromisoformat(time).timestamp() if isinstance(time, str) else None


def _frequent(histogram: Any) -> list[dict[str, Any]] | None:
    counts = (histogram or {}).get("counts")
    if not isinstance(counts, Mapping):
        return None
    ordered = sorted(((count, str(item)) for item, count in counts.items() if count), key=_by_count)
    return [{"item": item, "count": count} for count, item in ordered[:MOST_ITEMS]]


def _by_count(counted: tuple[int, str]) -> tuple[int, str]:
    return -counted[0], counted[1]


def _averages(values: Mapping[str, Any], name: str, positive: str) -> dict[str, Any] | None:
    averages = {key: values.get(f"{name} {key}") for key in ("positive", "macro", "weighted")}
    if all(value is None for value in averages.values()):
        return None
    one = None if averages["positive"] is None else [(positive, averages["positive"])]
    return {"one_vs_all": one, "macro": averages["macro"], "weighted": averages["weighted"]}
