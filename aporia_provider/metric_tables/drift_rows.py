"""Rows of the table of drift metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aporia_provider.metric_results import QueryResult
from aporia_provider.metric_tables.batched_queries import Key
from aporia_provider.metric_tables.table_layout import TABLE

_DELTAS = ("count", "avg", "percent_null", "percent_zeros", "percent_distinct")
_TESTS = ("ks_test", "chi_squared_test")

Rows = Sequence[Mapping[str, Any]]
"""Profile rows of a window."""


def drift_rows(
    current: Rows, compared: Rows, results: Mapping[Key, QueryResult], *, unreliable: bool
) -> list[dict[str, Any]]:
    """
    Return a row for the table, and one for each field; no rows if one of the sides has no rows.

    :param current: Profile of the window.
    :param compared: Profile of what it is compared with.
    :param results: Distances of the fields.
    :param unreliable: Whether distances that are not reliable are included.
    """
    others = {row["column_name"]: row for row in compared}
    rows = []
    for row in current:
        column = row["column_name"]
        if column not in others:
            continue
        deltas = {f"{name}_delta": _difference(row, others[column], name) for name in _DELTAS}
        by_name = {
            name: result for (result_column, name), result in results.items() if result_column == column
        }
        distances = {name: _distance(name, result, unreliable) for name, result in by_name.items()}
        rows.append({"column_name": column, "data_type": row.get("data_type"), **deltas, **distances})
        if column == TABLE:
            rows[-1]["non_null_columns_delta"] = _columns(row, others[column])
    return rows


def _difference(row: Mapping[str, Any], other: Mapping[str, Any], name: str) -> Any:
    now, before = row.get(name), other.get(name)
    return None if now is None or before is None else now - before


def _distance(name: str, result: QueryResult, unreliable: bool) -> Any:
    value = result.number if unreliable else result.value
    if name in _TESTS:
        return None if value is None else {"statistic": value, "pvalue": result.p_value}
    return value


def _columns(row: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, int]:
    now, before = set(row["non_null_columns"]), set(other["non_null_columns"])
    return {"added": len(now - before), "missing": len(before - now)}
