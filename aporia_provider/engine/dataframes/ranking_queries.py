"""Grouping of the candidates of ranking queries, executed by the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aporia_provider.engine.dataframes.times import bucket_start
from aporia_provider.monitoring.profiles.plan import ID, TIME, OutcomePlan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def group_queries(frame: DataFrame, outcome: OutcomePlan, seconds: int) -> DataFrame:
    """
    Return one row for each ranking query from one row for each candidate.

    Candidates of a query that are in different buckets form different queries, so that a bucket does not
    depend on the rows of others.

    :param frame: Columns, see :func:`~aporia_provider.engine.dataframes.profiling.profile_columns`.
    :param outcome: Prediction, label and query id columns.
    :param seconds: Length of a bucket in seconds.
    :return: The same columns as arrays, in descending order of score; the id orders candidates of equal
        score.
    """
    prediction, label = outcome.prediction, outcome.label
    candidates = frame.where(f"{outcome.query} IS NOT NULL").selectExpr(
        f"cast({outcome.query} AS string) AS query",
        f"{bucket_start(TIME, seconds)} AS bucket",
        TIME,
        f"struct({prediction}, {ID}, {label}) AS candidate",
        *([] if outcome.tied is None else [outcome.tied]),
    )
    tie_columns = [] if outcome.tied is None else [outcome.tied]
    queries = candidates.groupBy("query", "bucket").agg(
        _expression(f"min({TIME}) AS {TIME}"),
        _expression("sort_array(collect_list(candidate), false) AS candidates"),
        *(_expression(f"bool_or({name}) AS {name}") for name in tie_columns),
    )
    return queries.selectExpr(
        f"cast(NULL AS bigint) AS {ID}",
        TIME,
        f"candidates.{prediction} AS {prediction}",
        f"candidates.{label} AS {label}",
        *tie_columns,
    )


def _expression(text: str) -> Any:
    from pyspark.sql import functions

    return functions.expr(text)
