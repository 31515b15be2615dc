"""Inspection of a data source without reading its data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aporia_provider.data_sources import DataSource
from aporia_provider.engine.error_messages import (
    EngineAuthenticationError,
    PartialFileError,
    reject_shallow_clone,
)
from aporia_provider.engine.readers import check_readable
from aporia_provider.engine.readers import columns as engine_columns
from aporia_provider.engine.session import EMBEDDED, is_embedded, is_sail, spark_session
from aporia_provider.engine.source_paths import key_fault
from aporia_provider.engine.sql.expressions import check_select_expr, unchanged_columns
from aporia_provider.errors import AporiaError, AuthenticationError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import access_error
from aporia_provider.lake.log.file_sizes import incomplete_file_error
from aporia_provider.lake.log.file_statistics import FileStatistics
from aporia_provider.lake.log.partition_values import describe_zoneless_times
from aporia_provider.lake.log.table import DeltaLog
from aporia_provider.lake.presence import is_delta_table

Columns = tuple[tuple[str, Any], ...]

_MAX_LISTED = 5
_CHANGE_FEED = frozenset(
    {
        "readchangefeed",
        "readchangedata",
        "startingversion",
        "endingversion",
        "startingtimestamp",
        "endingtimestamp",
    }
)


@dataclass(frozen=True)
class SourceProperties:
    """
    Properties of a data source that are known without reading its data.

    :param uri: Location of the data source; None if it does not consist of files.
    :param columns: Names and types (Spark's JSON form) of the columns, after ``select_expr``.
    :param version: Version of the Delta table.
    :param rows: Number of rows of the Delta table, if its log contains it.
    :param null_counts: Number of nulls by requested column, if the log contains it.
    :param warnings: Warnings about values that may be interpreted differently than intended.
    """

    uri: str | None
    columns: Columns
    version: int | None = None
    rows: int | None = None
    null_counts: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def inspect(
    source: DataSource,
    *,
    credentials: AwsCredentials | None = None,
    engine: str = EMBEDDED,
    nulls_of: Sequence[str] = (),
) -> SourceProperties:
    """
    Return the properties of a data source without reading its data.

    The columns of a Delta table without ``select_expr`` are taken from its log. With expressions, for other
    formats, and if the log has features that the engine may not support, the engine analyses the columns, and
    opens only what is required to determine their types.

    :param source: The data source.
    :param credentials: Credentials used to access S3; None for the credentials of the environment.
    :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster.
    :param nulls_of: Resulting columns whose nulls are counted.
    :raises aporia_provider.errors.AporiaError: if the data source cannot be read. A ``ValidationError`` lists
        all problems of its expressions.
    """
    check_readable(source)
    if faults := check_select_expr(source.select_expr or []):
        raise ValidationError("Some expressions are not allowed", problems=faults)
    version = requested_version(source)
    if source.delta_uri is None:
        if source.uri is not None and is_delta_table(source.uri, credentials):
            raise ValidationError(
                f"{source.uri} is a Delta table, since it has _delta_log/: write object_format='delta'. Read "
                f"as {source.plural_name}, it would also have its deleted and replaced rows"
            )
        return SourceProperties(source.uri, _analyse(source, credentials, engine))
    if is_embedded(engine) and (fault := key_fault(source)):
        raise ValidationError(fault)
    log = DeltaLog(source.delta_uri, credentials, version=version)
    origins = unchanged_columns(source.select_expr, [name for name, _ in log.metadata.columns])
    null_columns = {name: origins[name] for name in nulls_of if name in origins}
    files = log.files(sorted(set(null_columns.values())))
    columns = _columns(log, files, source, credentials, engine)
    log_counts = {name: files.null_count(origin) for name, origin in null_columns.items()}
    null_counts = {name: nulls for name, nulls in log_counts.items() if nulls is not None}
    warnings = tuple(
        describe_zoneless_times(
            log.metadata, set(origins.values()), lambda: files.paths, log.partition_values
        )
    )
    return SourceProperties(log.uri, columns, log.version, files.row_count, null_counts, warnings)


@contextmanager
def diagnosed_errors(source: DataSource, credentials: AwsCredentials | None) -> Iterator[None]:
    """Replace engine errors by more specific ones: the access that S3 denies, or the file that is damaged."""
    try:
        yield
    except EngineAuthenticationError:
        raise
    except PartialFileError as error:
        if not source.is_on_s3:
            raise
        raise _partial_file_error(source, error, credentials or AwsCredentials()) from None
    except AuthenticationError as error:
        used_credentials = credentials or AwsCredentials()
        denied = access_error(source.uri, used_credentials) if source.uri and source.is_on_s3 else None
        raise (denied or error) from None


def _partial_file_error(
    source: DataSource, error: PartialFileError, credentials: AwsCredentials
) -> AporiaError:
    is_delta = source.delta_uri is not None
    version = requested_version(source) if is_delta else None
    return incomplete_file_error(
        source.uri or "", error.message, credentials, is_delta=is_delta, version=version
    )


def _columns(
    log: DeltaLog,
    files: FileStatistics,
    source: DataSource,
    credentials: AwsCredentials | None,
    engine: str,
) -> Columns:
    """Return the columns of a Delta table, analysed by the engine only if the log is not sufficient."""
    external_files, unsupported = files.outside_paths, log.unsupported_entries()
    if not (external_files or unsupported or source.select_expr):
        return log.metadata.columns
    try:
        columns = _analyse(source, credentials, engine, external_files)
    except ValidationError as error:
        if not unsupported or external_files:
            raise
        message = f"{error.message}. Unusual features of the table: {'; '.join(unsupported[:_MAX_LISTED])}"
        raise ValidationError(message, problems=error.problems) from None
    return columns if source.select_expr else log.metadata.columns


def _analyse(
    source: DataSource, credentials: AwsCredentials | None, engine: str, external_files: Sequence[str] = ()
) -> Columns:
    embedded = is_embedded(engine)
    with diagnosed_errors(source, credentials), spark_session(engine, credentials) as spark:
        if embedded or is_sail(spark):
            reject_shallow_clone(source.label, external_files)
        return tuple(engine_columns(spark, source, embedded=embedded))


def requested_version(source: DataSource) -> int | None:
    """
    Return the version that the options of a Delta table name; None if they do not name one.

    :raises aporia_provider.errors.ValidationError: if the options select rows in an unsupported way, or name
        a version and the source is not a Delta table.
    """
    options = {key.lower(): (key, value) for key, value in (source.read_options or {}).items()}
    faults = list(_option_faults(source, options))
    if faults:
        raise ValidationError(f"{source.label} cannot be read with these read_options", problems=faults)
    version = options["versionasof"][1] if "versionasof" in options else None
    return None if version is None else int(version)


def _option_faults(source: DataSource, options: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    named = [options[name] for name in ("versionasof", "timestampasof") if name in options]
    if source.delta_uri is None:
        if named:
            names = " and ".join(key for key, _ in named)
            yield (
                f"{names} in read_options is for Delta tables, but {source.label} is read as "
                f"{source.plural_name}, whose reader would ignore it"
            )
        return
    if "timestampasof" in options:
        yield "timestampAsOf cannot be resolved in the log; name the version with versionAsOf"
    _, version = options.get("versionasof", ("", None))
    if version is not None and not re.fullmatch("[0-9]+", version):
        yield f"versionAsOf is {version!r}, which is not a version of a Delta table"
    changes = [key for name, (key, _) in options.items() if name in _CHANGE_FEED]
    if changes:
        yield (
            f"{' and '.join(changes)} in read_options select the changes of the table instead of its "
            "rows, which cannot be monitored. Remove it: syncs read only the changed buckets anyway"
        )
