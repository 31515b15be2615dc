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
from aporia_provider.preflight.inspection import Columns, TableFacts, inspect
from aporia_provider.preflight.other_datasets import compared
from aporia_provider.preflight.row_checks import scan
from aporia_provider.schema import VersionSchema

__all__ = ["Columns", "Report", "TableFacts", "inspect", "preflight"]

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
    :param credentials: Credentials used to access S3; None for those of the environment.
    :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster.
    :param limits: Limits of the embedded engine when it reads the data.
    :param check_rows: Whether to read the data and check it for duplicate ids, nulls and invalid values.
    :param others: Datasets that are connected to the version, whose types are compared.
    :raises aporia_provider.errors.TransientError: if S3 or the cluster does not respond.
    """
    faults = check_select_expr(dataset.data_source.select_expr or [])
    facts, lost = _try(lambda: _inspect(dataset, faults, credentials, engine))
    found = _check(dataset, schema, facts)
    problems = [*faults, *lost, *found.problems]
    warnings = [*_unstored(dataset), *(facts.warnings if facts else ()), *found.warnings]
    rows = facts.rows if facts else None
    if facts and schema and others:
        warnings += compared(dataset, schema, facts.columns, others, credentials=credentials, engine=engine)
    if check_rows and facts and not faults and _unambiguous(facts):
        look = partial(scan, credentials=credentials, engine=engine, limits=limits)
        seen, failed = _try(partial(look, dataset, schema, facts.columns))
        problems += failed
        if seen is not None:
            rows, of_rows = seen
            problems, warnings = _with_rows(problems, of_rows), [*warnings, *of_rows.warnings]
    version, known = (facts.version, facts.columns) if facts else (None, None)
    return Report(problems, warnings, version, rows, known)


def _unstored(dataset: DatasetConnection) -> Iterator[str]:
    if hidden := dataset.data_source.hidden_options:
        yield (
            f"read_options: the values of {', '.join(hidden)} are not stored, since they may be secrets, so "
            "that the syncs of the embedded backend read without them. Credentials belong into the AWS "
            "connection, or to the cluster"
        )


def _inspect(
    dataset: DatasetConnection, faults: Sequence[str], credentials: AwsCredentials | None, engine: str
) -> TableFacts:
    """Inspect a data source without its invalid expressions, whose columns have unknown types."""
    wanted, source = (dataset.id_column, dataset.timestamp_column), dataset.data_source
    if not faults:
        return inspect(source, credentials=credentials, engine=engine, nulls_of=wanted)
    good, unknown = _sorted_out(source)
    rest = source.model_copy(update={"select_expr": good or None})
    facts = inspect(rest, credentials=credentials, engine=engine, nulls_of=wanted)
    kept, nulls = (facts.columns, facts.null_counts) if good else ((), {})
    return TableFacts(facts.uri, (*kept, *unknown), facts.version, facts.rows, nulls, facts.warnings)


def _sorted_out(source: DataSource) -> tuple[list[str], Columns]:
    """Return the valid expressions, and the columns that the others would result in."""
    expressions = source.select_expr or []
    good = [expression for expression in expressions if not check_select_expr([expression])]
    names = (_NAME_AT_END.search(expression) for expression in expressions if expression not in good)
    return good, tuple((name[1] or name[2], None) for name in names if name)


def _try(look: Callable[[], Result]) -> tuple[Result | None, list[str]]:
    try:
        return look(), []
    except TransientError:
        raise
    except AporiaError as error:
        return None, [error.message]


def _check(dataset: DatasetConnection, schema: VersionSchema | None, facts: TableFacts | None) -> Findings:
    if facts is None:
        return check(dataset, schema, None)
    return check(
        dataset,
        schema,
        facts.columns,
        rows=facts.rows,
        null_ids=facts.null_counts.get(dataset.id_column),
        null_timestamps=facts.null_counts.get(dataset.timestamp_column),
    )


def _unambiguous(facts: TableFacts) -> bool:
    return len(dict(facts.columns)) == len(facts.columns)


def _with_rows(problems: list[str], found: Findings) -> list[str]:
    """Append the problems found in rows, without those about nulls already reported from the log."""
    known = {match[1] for line in problems if (match := _NULLS.match(line))}
    fresh = (line for line in found.problems if not (match := _NULLS.match(line)) or match[1] not in known)
    return [*problems, *fresh]
