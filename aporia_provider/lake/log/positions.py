"""Positions in the log of a Delta table, and the commits after them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.commit_files import CommitFile, latest_commit_files
from aporia_provider.lake.log.commits import file_reader, parse_commit

MAX_LISTED: Final = 10_000
"""Maximum number of commits that are listed after a position."""
MAX_READ: Final = 100
"""Maximum number of commits of a range that are read to find out whether one changes rows."""


@dataclass(frozen=True)
class TablePosition:
    """
    Position after a commit.

    :param version: Version that the commit creates; -1 if the table does not exist.
    :param commit: String that identifies the file of the commit. It differs if the table was created again.
    """

    version: int
    commit: str

    @classmethod
    def of(cls, file: CommitFile) -> TablePosition:
        """Return the position after the commit of a file."""
        return cls(file.version, file.identifier)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TablePosition:
        """Return a position from its JSON form."""
        return cls(int(value["version"]), str(value["commit"]))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"version": self.version, "commit": self.commit}


BEFORE_CREATION: Final = TablePosition(-1, "")
"""Position of a table that does not exist."""


@dataclass(frozen=True)
class CommitRange:
    """
    The commits after a position.

    :param first: Version of the first commit.
    :param end: Position after the last commit.
    :param is_recreated: Whether the table was created again since; the range then has all commits of the new
        table.
    """

    first: int
    end: TablePosition
    is_recreated: bool = False

    @property
    def last(self) -> int:
        """Version of the last commit."""
        return self.end.version


def latest_position(
    uri: str, credentials: AwsCredentials | None = None, *, client: Any = None
) -> TablePosition:
    """
    Return the position after the last commit of a table; :data:`BEFORE_CREATION` if it does not exist.

    :param uri: The table.
    :param credentials: Credentials for S3. Default: the credentials of the environment.
    :param client: A boto3 client. Default: a new one.
    :raises aporia_provider.errors.AporiaError: if S3 or the file system denies access, or S3 does not
        respond.
    """
    try:
        files = latest_commit_files(uri, credentials or AwsCredentials(), 1, client=client).files
    except NotFoundError:
        return BEFORE_CREATION
    return TablePosition.of(files[-1])


def commits_after(
    uri: str, position: TablePosition, credentials: AwsCredentials | None = None, *, client: Any = None
) -> CommitRange | None:
    """
    Return the commits after a position.

    On S3, this takes one small request if there are fewer than about 1,000, and two if the table was created
    again.

    :param uri: The table.
    :param position: The position.
    :param credentials: Credentials for S3. Default: the credentials of the environment.
    :param client: A boto3 client. Default: a new one.
    :return: None if there are none, or if the table does not exist.
    :raises aporia_provider.errors.AporiaError: if S3 or the file system denies access, or S3 does not
        respond.
    """
    credentials = credentials or AwsCredentials()
    try:
        # Without since, a missing table is an error.
        since = max(position.version, 0) or None
        files = latest_commit_files(uri, credentials, MAX_LISTED, since=since, client=client).files
    except NotFoundError:
        return None
    if not files:
        return _recreated(latest_position(uri, credentials, client=client), position)
    end = TablePosition.of(files[-1])
    known_file = next((file for file in files if file.version == position.version), None)
    # If log cleanup has deleted the commit of the position, the table was not created again: the commits of a
    # new table are too recent.
    if known_file is not None and known_file.identifier != position.commit:
        return _recreated(end, position)
    return None if end == position else CommitRange(position.version + 1, end)


def _recreated(end: TablePosition, position: TablePosition) -> CommitRange | None:
    if end == BEFORE_CREATION:
        return None
    return CommitRange(0, end, is_recreated=position != BEFORE_CREATION)


def changes_rows(
    uri: str, commits: CommitRange, credentials: AwsCredentials | None = None, *, client: Any = None
) -> bool:
    """
    Return whether a commit of a range changes rows of the table. Compaction does not.

    The commits are read, newest first, until one changes rows. A range of more than :data:`MAX_READ` commits
    counts as changing rows, as does a commit that was deleted or is malformed.

    :param uri: The table.
    :param commits: The range.
    :param credentials: Credentials for S3. Default: the credentials of the environment.
    :param client: A boto3 client. Default: a new one.
    :raises aporia_provider.errors.AporiaError: if S3 or the file system denies access, or S3 does not
        respond.
    """
    if commits.last - commits.first >= MAX_READ:
        return True
    read = file_reader(uri, credentials or AwsCredentials(), client)
    return any(
        _changes_rows(uri, version, read(f"_delta_log/{version:020}.json"))
        for version in range(commits.last, commits.first - 1, -1)
    )


def _changes_rows(uri: str, version: int, content: bytes | None) -> bool:
    try:
        return content is None or parse_commit(uri, version, content).data_change
    except ValidationError:
        return True
