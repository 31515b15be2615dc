"""Names, sizes and times of the newest commit files in a Delta log, listed with few requests."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aporia_provider.errors import AuthenticationError, NotFoundError, TransientError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import botocore_errors_converted, local_path, response_error, split_s3_uri

_COMMIT = re.compile(r"(\d{20})\.json")
_NUMBERED = re.compile(r"(\d{20})\.")
_PAGE = 1000
_LAST_DIGIT = 10**20 - 1


@dataclass(frozen=True)
class CommitFile:
    """
    File of a commit.

    :param version: Version that the commit creates.
    :param size: Size in bytes.
    :param modified: Time at which the file was written.
    :param identifier: String that differs if the file is replaced.
    """

    version: int
    size: int
    modified: datetime
    identifier: str


@dataclass(frozen=True)
class CommitFiles:
    """
    The newest commit files of a log.

    :param files: The files, oldest first.
    :param has_older: Whether the log may contain older commits that are not listed.
    """

    files: tuple[CommitFile, ...]
    has_older: bool


def latest_commit_files(
    uri: str, credentials: AwsCredentials, limit: int, *, since: int | None = None, client: Any = None
) -> CommitFiles:
    """
    Return the newest commit files of a table.

    On S3, this takes one request if the log has fewer than about 1,000 files after ``since``; otherwise the
    last version is found by a search that takes about 20 requests.

    :param uri: The table.
    :param credentials: Credentials for S3.
    :param limit: Maximum number of files.
    :param since: Version of the oldest file to return, if it is among the newest. Default: no restriction.
    :param client: A boto3 client. Default: a new one.
    :raises aporia_provider.errors.NotFoundError: if the table has no log.
    :raises aporia_provider.errors.AporiaError: if S3 or the file system denies access, or S3 does not
        respond.
    """
    if uri.startswith("s3://"):
        files, is_complete = _S3Log(uri, credentials, client or credentials.client()).latest(
            limit, since or 0
        )
    else:
        files, is_complete = _local_files(uri, since or 0), True
    if not files and not since:
        raise NotFoundError(f"There is no Delta table at {uri}: its _delta_log contains no commit")
    newest = tuple(sorted(files, key=lambda file: file.version)[-limit:])
    return CommitFiles(newest, not is_complete or len(files) > limit or (since or 0) > 0)


def _local_files(uri: str, since: int) -> list[CommitFile]:
    files = []
    try:
        with os.scandir(Path(local_path(uri), "_delta_log")) as entries:
            for entry in entries:
                match = _COMMIT.fullmatch(entry.name)
                if match and int(match[1]) >= since:
                    status = entry.stat()
                    modified = datetime.fromtimestamp(status.st_mtime, UTC)
                    identifier = f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
                    files.append(CommitFile(int(match[1]), status.st_size, modified, identifier))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise AuthenticationError(f"{uri} could not be read: {error.strerror}") from None
    return files


class _S3Log:
    """Listing of the log of a table on S3, whose keys are sorted by version."""

    def __init__(self, uri: str, credentials: AwsCredentials, client: Any) -> None:
        self._uri, self._credentials, self._client = uri, credentials, client
        self._bucket, key = split_s3_uri(uri)
        self._prefix = f"{key}/_delta_log/".lstrip("/")

    def latest(self, limit: int, since: int) -> tuple[list[CommitFile], bool]:
        """Return files that include the newest ones, and whether all since a version are among them."""
        entries, is_truncated = self._list(_name(since), _PAGE)
        if not is_truncated:
            return list(_commit_files(entries)), True
        first, last = _numbers(entries)[0], _numbers(entries)[-1]
        start = max(first, _last_where(self._has_since, last) - limit + 1)
        if start > first:
            entries, is_truncated = self._list(_name(start), _PAGE)
        while is_truncated:
            more, is_truncated = self._list(next(reversed(entries)), _PAGE)
            entries |= more
        return list(_commit_files(entries)), start == first

    def _has_since(self, version: int) -> bool:
        """Return whether the log has a file of a version or of a later one."""
        entries, _ = self._list(_name(version), 1)
        return bool(_numbers(entries))

    def _list(self, after: str, count: int) -> tuple[dict[str, Any], bool]:
        """Return the entries after a name by their names, and whether more belong to versions."""
        from botocore.exceptions import ClientError

        try:
            with botocore_errors_converted(self._uri, self._credentials):
                listing = self._client.list_objects_v2(
                    Bucket=self._bucket, Prefix=self._prefix, StartAfter=self._prefix + after, MaxKeys=count
                )
        except ClientError as error:
            denied = response_error(error, self._bucket, self._prefix, "s3:ListBucket", self._credentials)
            raise denied or TransientError(f"{self._uri} could not be listed") from None
        entries = {item["Key"].removeprefix(self._prefix): item for item in listing.get("Contents", [])}
        last = next(reversed(entries), "")
        # The names that follow the versions begin with other characters.
        return entries, bool(listing.get("IsTruncated")) and _NUMBERED.match(last) is not None


def _last_where(holds: Callable[[int], bool], lowest: int) -> int:
    """Return the last integer for which a condition holds that holds up to it, and for a known one."""
    step = 1
    while lowest + step <= _LAST_DIGIT and holds(lowest + step):
        lowest, step = lowest + step, 2 * step
    low, high = lowest, lowest + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _name(version: int) -> str:
    """Return a name that sorts between the files of the previous version and of this version."""
    return f"{version:020}"


def _numbers(names: Iterable[str]) -> list[int]:
    return [int(match[1]) for match in map(_NUMBERED.match, names) if match]


def _commit_files(entries: dict[str, Any]) -> Iterable[CommitFile]:
    for name, entry in entries.items():
        if match := _COMMIT.fullmatch(name):
            yield CommitFile(int(match[1]), entry["Size"], entry["LastModified"], entry["ETag"])
