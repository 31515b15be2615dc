"""The commits of a Delta table, one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.diagnosis import local_path, refusal, split, unanswered

_AT_ONCE = 8


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
    :param credentials: Whom to be on S3.
    :param since: Last version that is known.
    :param until: Latest version.
    :raises LogExpiredError: if one of them is not in the log any more.
    :raises aporia_provider.errors.ValidationError: if the table has gone back behind ``since``, or a commit
        is broken.
    """
    if until < since:
        raise ValidationError(f"{uri} is at version {until}, but version {since} was seen: it was made anew")
    read = _reader(uri, credentials)

    def one(version: int) -> Commit:
        content = read(f"_delta_log/{version:020}.json")
        if content is None:
            raise LogExpiredError(f"Version {version} of {uri} has been cleaned out of its log")
        return _parse(uri, version, content)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(one, range(since + 1, until + 1)))


def _reader(uri: str, credentials: AwsCredentials) -> Callable[[str], bytes | None]:
    """
    A function that reads a file of the table, or answers ``None`` if there is none.

    delta-rs could read it too, but holds Python's lock until S3 has answered.
    """
    if not uri.startswith("s3://"):
        return lambda name: _read_local(Path(local_path(uri), name))
    client = credentials.client()
    return lambda name: _read_s3(client, uri, name, credentials)


def _read_local(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _read_s3(client: Any, uri: str, name: str, credentials: AwsCredentials) -> bytes | None:
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = split(uri)
    try:
        content: bytes = client.get_object(Bucket=bucket, Key=f"{key}/{name}".lstrip("/"))["Body"].read()
    except ClientError as error:
        if (refused := refusal(error, bucket, key, "s3:GetObject", credentials)) is None:
            return None
        raise refused from None
    except BotoCoreError as error:
        raise unanswered(uri, credentials, error) from None
    return content


def _parse(uri: str, version: int, content: bytes) -> Commit:
    try:
        actions = [json.loads(line) for line in content.splitlines() if line.strip()]
        info: dict[str, Any] = next(
            (action["commitInfo"] for action in actions if "commitInfo" in action), {}
        )
        milliseconds = info.get("inCommitTimestamp", info.get("timestamp"))
        return Commit(
            version=version,
            timestamp=None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC),
            operation=info.get("operation"),
            adds=tuple(_file(action["add"]) for action in actions if "add" in action),
            removes=tuple(_file(action["remove"]) for action in actions if "remove" in action),
            changes_metadata=any("metaData" in action for action in actions),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValidationError(
            f"Version {version} of {uri} is broken: its log holds no valid actions ({type(error).__name__})"
        ) from None


def _file(action: Mapping[str, Any]) -> FileAction:
    stats, vector = action.get("stats"), action.get("deletionVector")
    return FileAction(
        path=action["path"],
        data_change=bool(action.get("dataChange", True)),
        partition_values=action.get("partitionValues") or {},
        stats=json.loads(stats) if stats else None,
        deleted=int(vector["cardinality"]) if vector else 0,
    )
