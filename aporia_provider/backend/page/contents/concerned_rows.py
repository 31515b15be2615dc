"""The Spark SQL that selects the rows of an alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aporia_provider.alerts import Alert
from aporia_provider.columns.types import quoted
from aporia_provider.datasets import SERVING, DatasetConnection
from aporia_provider.schema import VersionSchema

_LIMIT = 1000


@dataclass(frozen=True)
class ConcernedRows:
    """
    Rows of an alert.

    :param sql: Spark SQL; None if the data is not a Delta table.
    :param note: What the statement does not express, or why there is none.
    """

    sql: str | None
    note: str | None = None


def concerned_rows(
    alert: Alert, datasets: Mapping[str, DatasetConnection], schema: VersionSchema
) -> ConcernedRows:
    """
    Return the statement that selects the rows of the failed windows of an alert.

    :param alert: An alert of one version.
    :param datasets: The datasets of the version by role.
    :param schema: The schema of the version.
    """
    dataset = datasets.get(SERVING)
    if dataset is None:
        return ConcernedRows(None, "The version has no serving dataset.")
    source = dataset.data_source
    if source.delta_uri is None:
        return ConcernedRows(None, f"The serving dataset is not a Delta table, but {source.label}.")
    table = f"delta.{quoted(source.delta_uri)}"
    if source.select_expr:
        table = " ".join(["(SELECT", ", ".join(source.select_expr), "FROM", table + ")"])
    conditions = "\n  AND ".join(_conditions(alert, dataset, schema))
    # The statement is shown and not executed.
    sql = "\n".join(["SELECT *", f"FROM {table}", f"WHERE {conditions}", f"LIMIT {_LIMIT}"])
    sampled = source.sample_size != 1
    return ConcernedRows(sql, "The dataset is a sample of these rows." if sampled else None)


def _conditions(alert: Alert, dataset: DatasetConnection, schema: VersionSchema) -> list[str]:
    time = quoted(dataset.timestamp_column)
    conditions = [f"{time} >= {_timestamp(alert.start)}", f"{time} < {_timestamp(alert.end)}"]
    columns = {f"{category}.{name}": column for category, name, column in dataset.columns(schema)}
    missing = [
        f"{quoted(columns[verdict.field])} IS NULL"
        for verdict in alert.failed
        if verdict.metric.startswith("missing") and verdict.field in columns
    ]
    if missing:
        conditions.append(missing[0] if len(missing) == 1 else f"({' OR '.join(missing)})")
    return conditions


def _timestamp(text: str) -> str:
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return f"TIMESTAMP '{moment:%Y-%m-%dT%H:%M:%SZ}'"
