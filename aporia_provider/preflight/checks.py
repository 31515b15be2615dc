"""Validation of a dataset against its version. All problems are reported at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from aporia_provider.data_sources import DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.engine.limits import UNLIMITED, EngineLimits
from aporia_provider.engine.session import EMBEDDED
from aporia_provider.engine.sql.expressions import check_select_expr
from aporia_provider.errors import AporiaError, TransientError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.preflight.column_checks import Findings, check
from aporia_provider.preflight.inspection import Columns, SourceProperties, inspect
from aporia_provider.preflight.other_datasets import compare_types
from aporia_provider.preflight.row_checks import scan
from aporia_provider.schema import VersionSchema

__all__ = ["Columns", "Report", "SourceProperties", "inspect", "preflight"]

Result = TypeVar("Result")

_NULLS = re.compile(r"((?:id|timestamp)_column .* is null) in \d")
_NAME_AT_END = re.compile(r"\bAS\s+(?:`([^`]+)`|(\w+))\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Report(Findings):
    """
    Result of preflight.

    :param problems: Problems that have to be corrected, one line each.
    :param warnings: Possible problems, one line each.
    :param table_version: Version of the Delta table that was checked.
    :param rows: Number of rows, if known.
    :param columns: Columns after ``select_expr``, if known.
    """

    table_version: int | None = None
    rows: int | None = None
    columns: Columns | None = None


def preflight(
    dataset: DatasetConnection,
    schema: VersionSchema | None,
    *,
    credentials: AwsCredentials | None = None,
    engine: str = EMBEDDED,
    limits: EngineLimits = UNLIMITED,
    check_rows: bool = False,
    others: Sequence[DatasetConnection] = (),
) -> Report:
    """
    Validate a dataset against its version, and report all problems at once.

    :param dataset: The dataset.
    :param schema: Schema of the version; if None, only the columns named by the dataset are checked.
    :param credentials: Credentials used to access S3; None for the credentials of the environment.
    :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster.
    :param limits: Limits of the embedded engine when it reads the data.
    :param check_rows: Whether to read the data and check it for duplicate ids, nulls and invalid values.
    :param others: Datasets that are connected to the version, whose types are compared.
    :raises aporia_provider.errors.TransientError: if S3 or the cluster does not respond.
    """
    faults = check_select_expr(dataset.data_source.select_expr or [])
    properties, inspection_errors = _call_or_message(lambda: _inspect(dataset, faults, credentials, engine))
    findings = _check(dataset, schema, properties)
    problems = [*faults, *inspection_errors, *findings.problems]
    warnings = [
        *_hidden_option_warnings(dataset),
        *(properties.warnings if properties else ()),
        *findings.warnings,
    ]
    rows = properties.rows if properties else None
    if properties and schema and others:
        warnings += compare_types(
            dataset, schema, properties.columns, others, credentials=credentials, engine=engine
        )
    if check_rows and properties and not faults and _has_unique_columns(properties):
        scan_rows = partial(scan, credentials=credentials, engine=engine, limits=limits)
        scanned, scan_errors = _call_or_message(partial(scan_rows, dataset, schema, properties.columns))
        problems += scan_errors
        if scanned is not None:
            rows, row_findings = scanned
            problems, warnings = (
                _merge_row_problems(problems, row_findings),
                [*warnings, *row_findings.warnings],
            )
    version, columns = (properties.version, properties.columns) if properties else (None, None)
    return Report(problems, warnings, version, rows, columns)


def _hidden_option_warnings(dataset: DatasetConnection) -> Iterator[str]:
    if hidden := dataset.data_source.hidden_options:
        yield (
            f"read_options: the values of {', '.join(hidden)} are not stored, since they may be secrets, so "
            "that the syncs of the embedded backend read without them. Set credentials in the AWS "
            "connection, or in the cluster"
        )


def _inspect(
    dataset: DatasetConnection, faults: Sequence[str], credentials: AwsCredentials | None, engine: str
) -> SourceProperties:
    """Inspect a data source without its invalid expressions, whose columns have unknown types."""
    key_columns, source = (dataset.id_column, dataset.timestamp_column), dataset.data_source
    if not faults:
        return inspect(source, credentials=credentials, engine=engine, nulls_of=key_columns)
    valid, untyped = _valid_expressions(source)
    reduced = source.model_copy(update={"select_expr": valid or None})
    properties = inspect(reduced, credentials=credentials, engine=engine, nulls_of=key_columns)
    columns, nulls = (properties.columns, properties.null_counts) if valid else ((), {})
    return SourceProperties(
        properties.uri, (*columns, *untyped), properties.version, properties.rows, nulls, properties.warnings
    )


def _valid_expressions(source: DataSource) -> tuple[list[str], Columns]:
    """Return the valid expressions, and the columns that the others would result in."""
    expressions = source.select_expr or []
    valid = [expression for expression in expressions if not check_select_expr([expression])]
    names = (_NAME_AT_END.search(expression) for expression in expressions if expression not in valid)
    return valid, tuple((name[1] or name[2], None) for name in names if name)


def _call_or_message(call: Callable[[], Result]) -> tuple[Result | None, list[str]]:
    try:
        return call(), []
    except TransientError:
        raise
    except AporiaError as error:
        return None, [error.message]


def _check(
    dataset: DatasetConnection, schema: VersionSchema | None, properties: SourceProperties | None
) -> Findings:
    if properties is None:
        return check(dataset, schema, None)
    return check(
        dataset,
        schema,
        properties.columns,
        rows=properties.rows,
        null_ids=properties.null_counts.get(dataset.id_column),
        null_timestamps=properties.null_counts.get(dataset.timestamp_column),
    )


def _has_unique_columns(properties: SourceProperties) -> bool:
    return len(dict(properties.columns)) == len(properties.columns)


def _merge_row_problems(problems: list[str], findings: Findings) -> list[str]:
    """Append the problems found in rows, without those about nulls already reported from the log."""
    reported = {match[1] for line in problems if (match := _NULLS.match(line))}
    new_problems = (
        line for line in findings.problems if not (match := _NULLS.match(line)) or match[1] not in reported
    )
    return [*problems, *new_problems]
