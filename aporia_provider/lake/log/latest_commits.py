"""Detection of new commits of Delta tables, with one small request for each table."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, ParamSpec

from aporia_provider.errors import AporiaError, AuthenticationError, TransientError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import botocore_errors_converted, local_path, response_error, split_s3_uri

P = ParamSpec("P")

MAX_THREADS: Final = 32
"""Number of tables that are checked concurrently."""
TIMEOUT_SECONDS: Final = 60.0
"""Seconds after which no further check is started."""

_VERSION = re.compile(r"(\d{20})\.")


@dataclass(frozen=True)
class LogEnd:
    """
    End of a table's log, relative to one of its versions.

    :param commit: A string that identifies the file of that version's commit; None if it does not exist.
    :param newer: Whether commits of later versions exist.
    """

    commit: str | None
    newer: bool


TableVersion = tuple[str, int]
"""URI of a table, and a version relative to which the end of its log is returned."""


def log_ends(
    tables: Iterable[TableVersion], find_credentials: Callable[[], AwsCredentials | None]
) -> Mapping[TableVersion, LogEnd | AporiaError]:
    """
    Return the ends of the logs of tables, read concurrently.

    :param tables: The tables, each with a version.
    :param find_credentials: Function that returns the credentials for S3; called only if a table is on S3.
    :return: For each table, the end of its log or the error. Errors of this package are not raised.
    """
    distinct_tables, deadline = set(tables), time.monotonic() + TIMEOUT_SECONDS
    s3_tables = [table for table in distinct_tables if table[0].startswith("s3://")]
    results: dict[TableVersion, LogEnd | AporiaError] = {
        table: _end_or_error(_local_end, *table) for table in distinct_tables.difference(s3_tables)
    }
    if not s3_tables:
        return results
    try:
        credentials = find_credentials() or AwsCredentials()
        client = credentials.client(connections=MAX_THREADS)
    except AporiaError as error:
        return results | dict.fromkeys(s3_tables, error)

    def read_s3_end(table: TableVersion) -> LogEnd | AporiaError:
        if time.monotonic() > deadline:
            return TransientError(f"{table[0]} was not checked within {TIMEOUT_SECONDS:.0f} s")
        return _end_or_error(_s3_end, client, credentials, *table)

    with ThreadPoolExecutor(MAX_THREADS) as pool:
        return results | dict(zip(s3_tables, pool.map(read_s3_end, s3_tables), strict=True))


def log_end(uri: str, version: int, credentials: AwsCredentials | None = None) -> LogEnd:
    """
    Return the end of a table's log.

    :param uri: The table.
    :param version: The version relative to which it is returned.
    :param credentials: Credentials for S3. Default: the credentials of the environment.
    :raises aporia_provider.errors.AporiaError: if S3 or the file system denies access, or S3 does not
        respond.
    """
    if not uri.startswith("s3://"):
        return _local_end(uri, version)
    credentials = credentials or AwsCredentials()
    return _s3_end(credentials.client(), credentials, uri, version)


def _end_or_error(read_end: Callable[P, LogEnd], *args: P.args, **kwargs: P.kwargs) -> LogEnd | AporiaError:
    try:
        return read_end(*args, **kwargs)
    except AporiaError as error:
        return error


def _local_end(uri: str, version: int) -> LogEnd:
    log = Path(local_path(uri), "_delta_log")
    try:
        status = (log / f"{version:020}.json").stat()
    except FileNotFoundError:
        commit = None
    except OSError as error:
        raise AuthenticationError(f"{uri} could not be read: {error.strerror}") from None
    else:
        commit = f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
    return LogEnd(commit, (log / f"{version + 1:020}.json").exists())


def _s3_end(client: Any, credentials: AwsCredentials, uri: str, version: int) -> LogEnd:
    from botocore.exceptions import ClientError

    bucket, key = split_s3_uri(uri)
    prefix = f"{key}/_delta_log/".lstrip("/")
    try:
        # The commit is the first key after this name, since the checkpoints of its version sort before it. If
        # the name of the next key begins with a number, it belongs to a later version.
        with botocore_errors_converted(uri, credentials):
            listing = client.list_objects_v2(
                Bucket=bucket, Prefix=prefix, StartAfter=f"{prefix}{version:020}.jso", MaxKeys=2
            )
    except ClientError as error:
        denied = response_error(error, bucket, prefix, "s3:ListBucket", credentials)
        raise denied or TransientError(f"{uri} could not be listed") from None
    entries = {entry["Key"].removeprefix(prefix): entry["ETag"] for entry in listing.get("Contents", [])}
    numbers = [int(match[1]) for match in map(_VERSION.match, entries) if match]
    return LogEnd(entries.get(f"{version:020}.json"), any(number > version for number in numbers))
