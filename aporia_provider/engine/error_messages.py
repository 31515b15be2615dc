"""Conversion of engine errors to exceptions that name the fault and its remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from aporia_provider.data_sources import DataSource
from aporia_provider.errors import (
    AporiaError,
    AuthenticationError,
    NotFoundError,
    TransientError,
    ValidationError,
)
from aporia_provider.redaction import redact_text

APACHE_SPARK = "read it with Apache Spark (spark_conn_id, or engine sc://host:port)"
_MAX_LENGTH = 300
# Bare numbers are not matched, since stages, tasks and paths contain numbers too.
ACCESS_DENIED_CODES = ("UNAUTHENTICATED", "PERMISSION_DENIED")
"""gRPC status codes of a server that denies access."""
_CODE = re.compile(r"status = StatusCode\.(\w+)")
_DETAILS = re.compile(r'details = "((?:[^"\\]|\\.)*)')
_STATUS = r"[Ss]tatus\b[^\d\n]{1,30}"
_ERROR_TYPES: tuple[tuple[str, type[AporiaError]], ...] = (
    (
        rf"{_STATUS}403\b|Forbidden|AccessDenied|Access Denied|necessary privileges|ExpiredToken",
        AuthenticationError,
    ),
    (
        rf"tcp connect|dns error|lookup address|refused|timed? ?out|SlowDown|{_STATUS}50[234]\b|UNAVAILABLE",
        TransientError,
    ),
    (
        rf"NoSuchBucket|PATH_NOT_FOUND|FILE_NOT_EXIST|No commit files|No such file|{_STATUS}404\b"
        "|DELTA_TABLE_NOT_FOUND",
        NotFoundError,
    ),
    (
        # Errors of object stores for a response that ended early. Their other errors include a status.
        rf"Generic S3 error(?![^\n]*{_STATUS}\d)|response body|end of file before message|incomplete message"
        r"|(?:connection|stream) (?:was )?(?:closed|reset)|reset by peer|broken pipe|unexpected end of file"
        r"|error sending request",
        TransientError,
    ),
)
# Raised as ``PartialFileError``, which is converted to a transient error if the file proves to be complete.
_PARTIAL_FILE = re.compile(
    r"Corrupt footer|range was invalid|Parquet error|ParquetError|metadata requires|could only read|EOF\b"
    r"|Range length must match|range start must not|Invalid Parquet|failed to fill whole buffer|[Tt]hrift"
    r"|decompress|corrupt input|Unknown frame descriptor|panicked[^\n]*(?:[Rr]ange|buffer|slice|index)",
)
# Format of an unresolved name in errors of the embedded engine.
_UNKNOWN_COLUMN = re.compile(r"ObjectName\(\[(.+?)\]\) is missing from the schema")
_IDENTIFIER = re.compile(r'Identifier\("((?:[^"\\]|\\.)*)"\)')
_STACK_TRACE = re.compile(r"^[ \t]+(?:at |\.\.\. \d+ more|File \").*\n?", re.MULTILINE)
_CAUSE = re.compile(r"^Caused by: (.+)$", re.MULTILINE)
_EXCEPTION = re.compile(r"^[\w.]+: (.+)$", re.MULTILINE)


_CHECKPOINT_ADVICE = "Write a checkpoint (DeltaTable.create_checkpoint of the package deltalake)"
_INVALID_STATISTICS = "|".join(
    (
        r"EOF while parsing an? \w+ at line",
        r"expected value at line",
        r"invalid number at line",
        r"invalid (?:type|length|value).*(?:PartialStats|i64).* at line",
        r"duplicate field .* at line",
        r"Encountered unexpected '.' whilst parsing",
        r"Truncated record whilst reading",
        r"expected \{ got",
        r"whilst decoding field '(?:minValues|maxValues|nullCount)'",
        r"all columns in a record batch must have the same length",
    )
)


class StatisticsError(ValidationError):
    """Error of file statistics in a Delta log that are not valid JSON or have an unexpected form."""


class PartialFileError(ValidationError):
    """
    Error of an incomplete file: the file is damaged, or S3 sent only a part of it.

    See :func:`aporia_provider.lake.log.file_sizes.incomplete_file_error`, which distinguishes the two.
    """


class BeforeCheckpointError(ValidationError):
    """Error of reading a version of a Delta table before its last checkpoint. A later version can be read."""


class UnknownColumnError(ValidationError):
    """
    Error of an expression with a column that does not exist in the data.

    :param column: The column.
    """

    def __init__(self, message: str, column: str) -> None:
        super().__init__(message)
        self.column = column


class EngineAuthenticationError(AuthenticationError):
    """Error of a cluster that denies access. S3 was not accessed."""


class _KnownError(NamedTuple):
    """A known error of the embedded engine in reading a Delta table: its pattern and its explanation."""

    pattern: str
    meaning: str
    kind: type[AporiaError] = ValidationError


_KNOWN_ERRORS = (
    _KnownError(
        r"Failed to fetch metadata for file (.+?): .*Object at location .*not found",
        r"its log names the data file \1, which does not exist. Restore it, or remove it from the log "
        "(FSCK REPAIR TABLE, or DeltaTable.repair of the package deltalake)",
        NotFoundError,
    ),
    _KnownError(
        r"Failed to fetch metadata for file (.+?): .*(?:Corrupt footer|range was invalid)",
        r"the data file \1 is not a complete Parquet file, or its size differs from the log. Rewrite it",
        PartialFileError,
    ),
    _KnownError(
        r"^No such file or directory \(os error 2\)",
        "its log names a deletion vector that does not exist. Restore it, or rewrite the file",
        NotFoundError,
    ),
    _KnownError(
        r"Invalid JSON in log record, version=(\d+), Error at line (\d+)",
        r"line \2 of version \1 of its log is an entry that the embedded engine does not support. "
        f"{_CHECKPOINT_ADVICE}, after which that version is no longer read, or {APACHE_SPARK}",
    ),
    _KnownError(
        r"Missing commit file",
        "the embedded engine reads versions since the checkpoint that _delta_log/_last_checkpoint names. "
        f"Read the latest version, delete that file if it names a missing checkpoint, or {APACHE_SPARK}",
        BeforeCheckpointError,
    ),
    _KnownError(
        _INVALID_STATISTICS, "the statistics of a file in its log are not valid JSON", StatisticsError
    ),
    _KnownError(
        "untagged enum DataType",
        "a column has a type that the embedded engine does not support, such as void. "
        f"Drop the column or change its type, or {APACHE_SPARK}",
    ),
    _KnownError(
        "Encountered object with invalid path",
        "its log names files by absolute or invalid paths, as the log of a shallow clone does. "
        f"Make a deep clone of it, or {APACHE_SPARK}",
    ),
    _KnownError(
        "requires unsupported reader features|catalog-managed Delta tables|not support reader version",
        f"it requires features that the embedded engine does not support: {APACHE_SPARK}",
    ),
)


def reject_shallow_clone(uri: str, outside: Sequence[str]) -> None:
    """
    Raise an error if the files of a Delta table are outside of its folder.

    :param uri: The table.
    :param outside: Paths of these files, see
        :attr:`aporia_provider.lake.log.file_statistics.FileStatistics.outside_paths`.
    :raises aporia_provider.errors.ValidationError: if there are any, since the embedded engine cannot read
        them.
    """
    if outside:
        raise ValidationError(
            f"{uri} is a shallow clone: its log names files outside of its folder, such as "
            f"{redact_text(outside[0])}. The embedded engine cannot read them. "
            f"Make a deep clone, connect the table that it was cloned from, or {APACHE_SPARK}"
        )


@contextmanager
def engine_errors(source: DataSource) -> Iterator[None]:
    """
    Convert errors of the engine. Unknown errors keep the engine's message, with secrets removed.

    :raises StatisticsError: if the statistics in a log cannot be parsed. The rows can be read without them,
        see ``ignore_statistics`` of :func:`aporia_provider.engine.readers.read`.
    """
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        raise _explain(error, source) from None


def rpc_failure(error: Exception) -> tuple[str, str]:
    """Return the gRPC status code of a Spark Connect error, or an empty string, and the reason."""
    # gRPC errors have many lines: one contains the code, another one the reason.
    text = str(error)
    code, details = _CODE.search(text), _DETAILS.search(text)
    status_name = getattr(getattr(error, "_grpc_status_code", None), "name", "")
    reason = details[1].replace('\\"', '"') if details else text.partition("\n")[0]
    return code[1] if code else status_name, redact_text(reason)


def _explain(error: Exception, source: DataSource) -> AporiaError:
    label = source.label
    code, reason = rpc_failure(error)
    if code in ACCESS_DENIED_CODES:
        return EngineAuthenticationError(f"{label} could not be read: the cluster denies access: {reason}")
    text = _STACK_TRACE.sub("", str(error)).strip() or type(error).__name__
    # In gRPC errors, class names precede the reason.
    text = f"{reason}\n{text}" if _DETAILS.search(text) else text
    for known_error in _KNOWN_ERRORS if source.delta_uri is not None else ():
        if match := re.search(known_error.pattern, text):
            return known_error.kind(f"{label} could not be read: {match.expand(known_error.meaning)}")
    if match := _UNKNOWN_COLUMN.search(text):
        column = ".".join(_IDENTIFIER.findall(match[1]))
        return UnknownColumnError(f"{label} could not be read: there is no column {column!r}", column)
    kind = next((kind for pattern, kind in _ERROR_TYPES if re.search(pattern, text)), ValidationError)
    if kind is ValidationError and source.is_parquet and _PARTIAL_FILE.search(text):
        kind = PartialFileError
    return kind(f"{label} could not be read: {_first_line(text)}")


def _first_line(text: str) -> str:
    line = text.splitlines()[0]
    # Apache Spark's first line states that a job failed, and its last cause why.
    if line.startswith("Job aborted") and (causes := _CAUSE.findall(text)):
        line = causes[-1]
    # Exceptions of a Python function inside the engine are at the end of its traceback.
    elif "Python worker" in line and (exceptions := _EXCEPTION.findall(text)):
        line = exceptions[-1]
    line = redact_text(line.strip())
    # The parser of the embedded engine lists all expected tokens.
    line = re.sub(r"( expected )(?:'[^']*', )+.*", r"\1something else", line)
    return _shortened(line)


def _shortened(line: str) -> str:
    """Return a line without its middle if it is too long, since the reason may be at either end."""
    if len(line) <= _MAX_LENGTH:
        return line
    half = (_MAX_LENGTH - 5) // 2
    return f"{line[:half]} ... {line[-half:]}"
