"""Commits of a Delta table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import local_path
from aporia_provider.lake.s3.objects import get_object

_MAX_THREADS = 8
_WHITESPACE = re.compile(r"\s*")


class LogExpiredError(NotFoundError):
    """Error of a commit that log cleanup has deleted."""


@dataclass(frozen=True)
class FileAction:
    """
    A file that a commit adds or removes.

    :param path: Path as written in the log.
    :param data_change: Whether the action changes the rows of the table.
    :param partition_values: Physical names of partition columns to values as text.
    :param stats: Statistics as written in the log, with physical names; often missing for removed files.
    :param deleted: Number of rows deleted by its deletion vector.
    :param size: Size in bytes; None if the log does not contain it.
    """

    path: str
    data_change: bool
    partition_values: Mapping[str, str | None]
    stats: Mapping[str, Any] | None
    deleted: int
    size: int | None = None


@dataclass(frozen=True)
class Commit:
    """
    A commit, which creates one version of a table.

    :param version: Number of the version.
    :param timestamp: Time of the commit; None if the log does not contain it.
    :param operation: Operation of the writer, such as ``WRITE`` or ``OPTIMIZE``.
    :param adds: Files that the commit adds.
    :param removes: Files that the commit removes.
    :param changes_metadata: Whether the commit changes the schema or the properties.
    :param info: Description of the commit by its writer, whose keys depend on the writer.
    :param applications: Ids of the applications that recorded a transaction in the commit.
    :param schema: Schema in the metadata of the commit; None if it does not change the metadata.
    """

    version: int
    timestamp: datetime | None
    operation: str | None
    adds: tuple[FileAction, ...]
    removes: tuple[FileAction, ...]
    changes_metadata: bool
    info: Mapping[str, Any] = field(default_factory=dict)
    applications: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None

    @property
    def data_change(self) -> bool:
        """Whether the commit changes the rows of the table. Compaction does not."""
        return any(action.data_change for action in (*self.adds, *self.removes))


def commits_since(uri: str, credentials: AwsCredentials, since: int, until: int) -> list[Commit]:
    """
    Return the commits after ``since`` up to and including ``until``, oldest first.

    :param uri: The table.
    :param credentials: Credentials for S3.
    :param since: Version before the first commit.
    :param until: Version of the last commit.
    :raises LogExpiredError: if log cleanup has deleted one of them.
    :raises aporia_provider.errors.ValidationError: if ``until`` is less than ``since``, or a commit is
        malformed.
    """
    if until < since:
        raise ValidationError(
            f"{uri} is at version {until}, but version {since} was read before: the table was created again"
        )
    read_file = file_reader(uri, credentials)

    def read_commit(version: int) -> Commit:
        content = read_file(f"_delta_log/{version:020}.json")
        if content is None:
            raise LogExpiredError(f"Version {version} of {uri} was deleted by log cleanup")
        return parse_commit(uri, version, content)

    with ThreadPoolExecutor(_MAX_THREADS) as pool:
        return list(pool.map(read_commit, range(since + 1, until + 1)))


def file_reader(uri: str, credentials: AwsCredentials, client: Any = None) -> Callable[[str], bytes | None]:
    """
    Return a function that reads a file of the table by its name, and returns None if it does not exist.

    delta-rs could read it too, but holds the GIL until S3 responds.

    :param uri: The table.
    :param credentials: Credentials for S3.
    :param client: A boto3 client. Default: a new one.
    """
    if not uri.startswith("s3://"):
        return lambda name: _read_local(Path(local_path(uri), name))
    s3 = client or credentials.client()
    return lambda name: get_object(s3, uri, name, credentials)


def _read_local(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def parse_commit(uri: str, version: int, content: bytes) -> Commit:
    """
    Return a commit.

    :param uri: The table.
    :param version: Number of the version that the commit creates.
    :param content: Content of the commit's file.
    :raises aporia_provider.errors.ValidationError: if the content is malformed.
    """
    try:
        actions = json_values(content)
        info: dict[str, Any] = next(_actions_of_kind("commitInfo", actions), {})
        return Commit(
            version=version,
            timestamp=_commit_time(info.get("inCommitTimestamp", info.get("timestamp"))),
            operation=info.get("operation"),
            adds=tuple(map(_file_action, _actions_of_kind("add", actions))),
            removes=tuple(map(_file_action, _actions_of_kind("remove", actions))),
            changes_metadata=any(_actions_of_kind("metaData", actions)),
            info=info,
            applications=tuple(str(action["appId"]) for action in _actions_of_kind("txn", actions)),
            schema=_json_object(next(_actions_of_kind("metaData", actions), {}).get("schemaString")),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValidationError(
            f"Version {version} of {uri} is invalid: its log contains no valid actions "
            f"({type(error).__name__})"
        ) from None


def json_values(content: bytes) -> list[Any]:
    """
    Return the JSON values of a commit: usually one in each line, but readers accept any white space between
    them.

    :raises ValueError: if there is anything else.
    """
    try:
        return [json.loads(line) for line in content.splitlines() if line.strip()]
    except ValueError:
        return list(_decoded_values(content.decode("utf-8-sig")))


def _decoded_values(text: str) -> Iterator[Any]:
    decoder, position = json.JSONDecoder(), 0
    while whitespace := _WHITESPACE.match(text, position):
        if whitespace.end() == len(text):
            return
        value, position = decoder.raw_decode(text, whitespace.end())
        yield value


def _actions_of_kind(kind: str, actions: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    return (action[kind] for action in actions if action.get(kind) is not None)


def _commit_time(milliseconds: Any) -> datetime | None:
    """Return a time given in milliseconds since 1970; None if it is invalid, since it is for display only."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _file_action(action: Mapping[str, Any]) -> FileAction:
    vector = action.get("deletionVector")
    return FileAction(
        path=action["path"],
        data_change=bool(action.get("dataChange", True)),
        partition_values=action.get("partitionValues") or {},
        stats=_json_object(action.get("stats")),
        deleted=int(vector["cardinality"]) if vector else 0,
        size=size if isinstance(size := action.get("size"), int) else None,
    )


def _json_object(text: str | None) -> Mapping[str, Any] | None:
    """Return a JSON object in a string; None if the string is something else."""
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
