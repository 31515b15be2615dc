"""The commits of a Delta table, one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.failures import local_path
from aporia_provider.lake.s3.objects import get_object

_AT_ONCE = 8
_SPACE = re.compile(r"\s*")


class LogExpiredError(NotFoundError):
    """A commit that was asked for has been cleaned out of the log."""


@dataclass(frozen=True)
class FileAction:
    """
    A file that a commit adds or removes.

    :param path: Path as the log writes it.
    :param data_change: Whether the rows of the table change by it.
    :param partition_values: Partition column (physical name) to value, as text.
    :param stats: Statistics by physical names, as the log writes them; often missing for removed files.
    :param deleted: Rows that its deletion vector hides.
    """

    path: str
    data_change: bool
    partition_values: Mapping[str, str | None]
    stats: Mapping[str, Any] | None
    deleted: int


@dataclass(frozen=True)
class Commit:
    """
    One version of the table.

    :param version: Its number.
    :param timestamp: When it was made; ``None`` if its writer left that out.
    :param operation: What its writer called it, such as ``WRITE`` or ``OPTIMIZE``.
    :param adds: Files it adds.
    :param removes: Files it removes.
    :param changes_metadata: Whether it changes the schema or the properties.
    """

    version: int
    timestamp: datetime | None
    operation: str | None
    adds: tuple[FileAction, ...]
    removes: tuple[FileAction, ...]
    changes_metadata: bool

    @property
    def data_change(self) -> bool:
        """Whether the rows of the table change; compaction changes none."""
        return any(action.data_change for action in (*self.adds, *self.removes))


def commits_since(uri: str, credentials: AwsCredentials, since: int, until: int) -> list[Commit]:
    """
    Read the commits after ``since`` up to ``until``, oldest first.

    :param uri: The table.
    :param credentials: Credentials for S3.
    :param since: Last version that is known.
    :param until: Latest version.
    :raises LogExpiredError: if one of them is not in the log any more.
    :raises aporia_provider.errors.ValidationError: if the table has gone back behind ``since``, or a commit
        is broken.
    """
    if until < since:
        raise ValidationError(f"{uri} is at version {until}, but version {since} was seen: it was made anew")
    read = reader(uri, credentials)

    def one(version: int) -> Commit:
        content = read(f"_delta_log/{version:020}.json")
        if content is None:
            raise LogExpiredError(f"Version {version} of {uri} has been cleaned out of its log")
        return _parse(uri, version, content)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(one, range(since + 1, until + 1)))


def reader(uri: str, credentials: AwsCredentials) -> Callable[[str], bytes | None]:
    """
    A function that reads a file of the table, or answers ``None`` if there is none.

    delta-rs could read it too, but holds Python's lock until S3 has answered.
    """
    if not uri.startswith("s3://"):
        return lambda name: _read_local(Path(local_path(uri), name))
    client = credentials.client()
    return lambda name: get_object(client, uri, name, credentials)


def _read_local(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _parse(uri: str, version: int, content: bytes) -> Commit:
    try:
        actions = json_values(content)
        info: dict[str, Any] = next(_of_kind("commitInfo", actions), {})
        return Commit(
            version=version,
            timestamp=_time(info.get("inCommitTimestamp", info.get("timestamp"))),
            operation=info.get("operation"),
            adds=tuple(map(_file, _of_kind("add", actions))),
            removes=tuple(map(_file, _of_kind("remove", actions))),
            changes_metadata=any(_of_kind("metaData", actions)),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValidationError(
            f"Version {version} of {uri} is broken: its log holds no valid actions ({type(error).__name__})"
        ) from None


def json_values(content: bytes) -> list[Any]:
    """
    The JSON values of a commit: usually one to a line, but readers accept any white space between them.

    :raises ValueError: if there is anything else.
    """
    try:
        return [json.loads(line) for line in content.splitlines() if line.strip()]
    except ValueError:
        return list(_values_in(content.decode("utf-8-sig")))


def _values_in(text: str) -> Iterator[Any]:
    decoder, place = json.JSONDecoder(), 0
    while rest := _SPACE.match(text, place):
        if rest.end() == len(text):
            return
        value, place = decoder.raw_decode(text, rest.end())
        yield value


def _of_kind(kind: str, actions: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    return (action[kind] for action in actions if action.get(kind) is not None)


def _time(milliseconds: Any) -> datetime | None:
    """A time since 1970; None for what is none: the times of commits serve for display only."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _file(action: Mapping[str, Any]) -> FileAction:
    vector = action.get("deletionVector")
    return FileAction(
        path=action["path"],
        data_change=bool(action.get("dataChange", True)),
        partition_values=action.get("partitionValues") or {},
        stats=_statistics(action.get("stats")),
        deleted=int(vector["cardinality"]) if vector else 0,
    )


def _statistics(text: str | None) -> Mapping[str, Any] | None:
    """What a file's statistics say; None for those that cannot be read, as if there were none."""
    try:
        stats = json.loads(text) if text else None
    except ValueError:
        return None
    return stats if isinstance(stats, dict) else None
