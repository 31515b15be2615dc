"""Counts of invalid rows, computed by the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aporia_provider.columns.types import quoted
from aporia_provider.data_sources import DataSource
from aporia_provider.engine.error_messages import engine_errors
from aporia_provider.preflight.row_conditions import RowCheck

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class InvalidRows:
    """
    Invalid rows.

    :param count: Number of invalid rows.
    :param example: An invalid value as text; None if there are no invalid rows.
    """

    count: int
    example: str | None


@dataclass(frozen=True)
class ScanResult:
    """
    Result of a scan.

    :param rows: Number of rows.
    :param duplicates: Ids that occur more than once.
    :param faults: Invalid rows of each check, in the order of the checks.
    """

    rows: int
    duplicates: InvalidRows
    faults: list[InvalidRows]


def count_invalid_rows(
    frame: DataFrame, source: DataSource, checks: Sequence[RowCheck], *, id_column: str | None
) -> ScanResult:
    """
    Count the rows that meet the condition of each check, and the ids that occur more than once, in one scan.

    :param frame: The data, see :func:`aporia_provider.engine.readers.read`.
    :param source: Data source of the data, for error messages.
    :param checks: Checks to apply.
    :param id_column: Column of the id, if it exists.
    :raises aporia_provider.errors.AporiaError: if the engine fails.
    """
    from pyspark.sql import functions as F  # noqa: N812

    key = quoted(id_column) if id_column is not None else "cast(NULL AS string)"
    per_id = [F.expr("count(*)").alias("n")]
    total = [
        F.expr("coalesce(sum(n), 0)").alias("rows"),
        F.expr("count_if(n > 1 AND id IS NOT NULL)").alias("repeated"),
        F.expr("min(CASE WHEN n > 1 THEN cast(id AS string) END)").alias("repeated_id"),
    ]
    for index, check in enumerate(checks):
        shown = f"CASE WHEN {check.condition} THEN cast({check.example} AS string) END"
        per_id += [
            F.expr(f"count_if({check.condition})").alias(f"c{index}"),
            F.expr(f"min({shown})").alias(f"e{index}"),
        ]
        total += [
            F.expr(f"coalesce(sum(c{index}), 0)").alias(f"c{index}"),
            F.expr(f"min(e{index})").alias(f"e{index}"),
        ]
    with engine_errors(source):
        row = frame.groupBy(F.expr(key).alias("id")).agg(*per_id).agg(*total).collect()[0]
    faults = [InvalidRows(int(row[f"c{index}"]), row[f"e{index}"]) for index in range(len(checks))]
    return ScanResult(int(row["rows"]), InvalidRows(int(row["repeated"]), row["repeated_id"]), faults)
