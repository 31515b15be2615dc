"""Validation of a dataset's rows in one scan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.limits import UNLIMITED, EngineLimits
from aporia_provider.engine.readers import check_readable, read
from aporia_provider.engine.session import is_embedded, is_sail, spark_session
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.preflight.column_checks import Findings
from aporia_provider.preflight.inspection import Columns, diagnosed_errors
from aporia_provider.preflight.invalid_rows import InvalidRows, ScanResult, count_invalid_rows
from aporia_provider.preflight.row_conditions import RowCheck, row_checks
from aporia_provider.schema import VersionSchema


def scan(
    dataset: DatasetConnection,
    schema: VersionSchema | None,
    columns: Columns,
    *,
    credentials: AwsCredentials | None,
    engine: str,
    limits: EngineLimits = UNLIMITED,
) -> tuple[int, Findings]:
    """
    Read the data once with the engine, and check its rows.

    :param dataset: The dataset.
    :param schema: Schema of the version, if known.
    :param columns: Names and types (Spark's JSON form) of the existing columns.
    :param credentials: Credentials used to access S3; None for the credentials of the environment.
    :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster.
    :param limits: Limits of the embedded engine.
    :return: The number of rows, and the problems and warnings.
    :raises aporia_provider.errors.AporiaError: if the data cannot be read.
    """
    source = dataset.data_source
    check_readable(source)
    checks = row_checks(dataset, schema, columns, datetime.now(UTC))
    key = dataset.id_column if dataset.id_column in dict(columns) else None
    with diagnosed_errors(source, credentials), spark_session(engine, credentials, limits) as spark:
        embedded = is_embedded(engine)
        ignore_statistics = embedded or is_sail(spark)
        frame = read(spark, source, embedded=embedded, sample_by=key, ignore_statistics=ignore_statistics)
        result = count_invalid_rows(frame, source, checks, id_column=key)
    lines = [*_duplicate_ids(dataset, result), *_invalid_rows(checks, result)]
    problems = [line for is_error, line in lines if is_error]
    return result.rows, Findings(problems, [line for is_error, line in lines if not is_error])


def _duplicate_ids(dataset: DatasetConnection, result: ScanResult) -> Iterator[tuple[bool, str]]:
    if result.duplicates.count:
        # Repeated ids in actuals are valid: the latest label of a prediction is used.
        is_error = dataset.role != "actuals"
        line = f"{result.duplicates.count} values of id_column {dataset.id_column!r} occur more than once"
        yield is_error, line + _example(result.duplicates)


def _invalid_rows(checks: list[RowCheck], result: ScanResult) -> Iterator[tuple[bool, str]]:
    for check, fault in zip(checks, result.faults, strict=True):
        if fault.count:
            line = f"{check.fault} in {fault.count} of {result.rows} rows{_example(fault)}"
            yield check.is_error, line


def _example(invalid: InvalidRows) -> str:
    shown = (invalid.example or "")[:60]
    return f", for example {shown!r}" if shown else ""
