"""The Spark SQL that selects the rows of an alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from aporia_provider.alerts import Alert
from aporia_provider.backend.registration.version_segments import dataset_fields
from aporia_provider.columns.types import quoted
from aporia_provider.datasets import SERVING, DatasetConnection
from aporia_provider.monitoring.segments.condition_sql import condition_sql
from aporia_provider.monitoring.segments.conditions import condition_faults, parse_condition, resolve
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
    alert: Alert,
    datasets: Mapping[str, DatasetConnection],
    schema: VersionSchema,
    segment_condition: str | None = None,
) -> ConcernedRows:
    """
    Return the statement that selects the rows of the failed windows of an alert.

    :param alert: An alert of one version.
    :param datasets: The datasets of the version by role.
    :param schema: The schema of the version.
    :param segment_condition: Condition of the rows of the alert's segment; None if the alert is about all
        rows, or its segment was deleted.
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
    of_segment, note = _segment_sql(alert, dataset, schema, segment_condition)
    conditions = "\n  AND ".join([*_conditions(alert, dataset, schema), *of_segment])
    # The statement is shown and not executed.
    sql = "\n".join(["SELECT *", f"FROM {table}", f"WHERE {conditions}", f"LIMIT {_LIMIT}"])
    notes = [*note, *(["The dataset is a sample of these rows."] if source.sample_size != 1 else [])]
    return ConcernedRows(sql, " ".join(notes) or None)


def _segment_sql(
    alert: Alert, dataset: DatasetConnection, schema: VersionSchema, text: str | None
) -> tuple[list[str], list[str]]:
    """Return the condition of the segment, or why the statement does not have it; at most one of each."""
    if alert.segment is None:
        return [], []
    unrestricted = f"The statement does not select the rows of {alert.segment}"
    if text is None:
        return [], [f"{unrestricted}: the segment was deleted or changed."]
    condition, types = parse_condition(text), dataset_fields(dataset, schema)
    faults = condition_faults(condition, types)
    if faults:
        return [], [f"{unrestricted}: {'; '.join(faults)}."]
    names = {f"{category}.{name}": quoted(column) for category, name, column in dataset.columns(schema)}
    fields = {written: (names[key], types[key]) for written, key in resolve(condition, types).items()}
    return [condition_sql(condition, fields)], []


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
