"""The newest commits of a Delta table, summarized, and updated with one request if there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.commit_files import CommitFile, latest_commit_files
from aporia_provider.lake.log.commit_summaries import CommitSummary, summarize
from aporia_provider.lake.log.commits import Commit, file_reader, parse_commit
from aporia_provider.lake.log.schema_changes import describe_schema_change, logical_names

MAX_COMMITS: Final = 500
"""Default maximum number of commits in a history."""
MAX_BYTES: Final = 64 << 20
"""Maximum total size of the commits that one update reads."""
_MAX_THREADS = 8
_MAX_REMEMBERED_FILES = 100_000
HISTORY_FORMAT: Final = 1
"""Version of the structure of histories, which is raised when it changes."""

Reader = Callable[[str], bytes | None]


@dataclass(frozen=True, kw_only=True)
class CommitHistory:
    """
    The newest commits of a table.

    :param uri: The table.
    :param commits: Summaries of the commits, oldest first.
    :param last: File of the last commit.
    :param is_complete: Whether the history begins with the first commit of the table.
    :param schema: Schema after the last commit; None if no commit of the history contains it.
    :param rows_by_path: Rows of the data files that the commits added and none removed.
    :param notes: What is missing, and why.
    :param format: Version of this structure.
    """

    uri: str
    commits: tuple[CommitSummary, ...]
    last: CommitFile
    is_complete: bool
    schema: dict[str, Any] | None = None
    rows_by_path: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    format: int = HISTORY_FORMAT

    @property
    def version(self) -> int:
        """Version of the table after the last commit."""
        return self.last.version

    @property
    def data_commits(self) -> tuple[CommitSummary, ...]:
        """The commits that change rows of the table."""
        return tuple(commit for commit in self.commits if commit.data_change)

    @property
    def column_names(self) -> dict[str, str]:
        """Physical names of columns to their names, as far as they differ."""
        return {physical: name for physical, name in logical_names(self.schema).items() if physical != name}


def read_history(
    uri: str,
    credentials: AwsCredentials | None = None,
    *,
    earlier: CommitHistory | None = None,
    max_commits: int = MAX_COMMITS,
    client: Any = None,
) -> CommitHistory:
    """
    Return the newest commits of a table. No data file and no checkpoint is read.

    :param uri: The table, see :attr:`.S3DataSource.uri`.
    :param credentials: Credentials for S3. Default: the credentials of the environment.
    :param earlier: Result of an earlier call for the table. Only commits after it are read; on S3, if there
        are none, one request is sent.
    :param max_commits: Maximum number of commits in the result.
    :param client: A boto3 client for S3. Default: a new one.
    :raises aporia_provider.errors.NotFoundError: if the table does not exist.
    :raises aporia_provider.errors.ValidationError: if a commit is malformed.
    :raises aporia_provider.errors.AporiaError: if S3 or the file system denies access, or S3 does not
        respond.
    """
    uri, credentials = uri.rstrip("/"), credentials or AwsCredentials()
    if client is None and uri.startswith("s3://"):
        client = credentials.client()
    since = earlier.version if earlier is not None else None
    listed = latest_commit_files(uri, credentials, max_commits, since=since, client=client)
    read = file_reader(uri, credentials, client)
    if earlier is None:
        is_complete = not listed.has_older and listed.files[0].version == 0
        return _extended(_empty(uri, listed.files[0], is_complete), listed.files, read, max_commits)
    if not _continues(earlier, listed.files):
        # The table was created again, or log cleanup has deleted the last commit of the history.
        return read_history(uri, credentials, max_commits=max_commits, client=client)
    return _extended(earlier, listed.files[1:], read, max_commits)


def _continues(earlier: CommitHistory, files: Sequence[CommitFile]) -> bool:
    """Return whether the first of some files is the last commit of a history."""
    return bool(files) and files[0] == earlier.last


def _empty(uri: str, first: CommitFile, is_complete: bool) -> CommitHistory:
    return CommitHistory(uri=uri, commits=(), last=first, is_complete=is_complete)


def _extended(
    history: CommitHistory, files: Sequence[CommitFile], read: Reader, max_commits: int
) -> CommitHistory:
    """Return a history with the commits of some files after its own."""
    if not files:
        return history
    readable = within_size(files)
    parsed = read_commits(history.uri, readable, read)
    schema, rows_by_path = history.schema, dict(history.rows_by_path)
    summaries: list[CommitSummary] = []
    for file in files:
        commit = parsed.get(file.version)
        if commit is None:
            summaries.append(CommitSummary(version=file.version, time=file.modified, is_read=False))
            # Unread commits may have changed both.
            schema, rows_by_path = None, {}
            continue
        summary = summarize(commit, file, rows_by_path)
        if commit.schema is not None:
            change = describe_schema_change(schema, commit.schema) if schema is not None else None
            summary, schema = replace(summary, schema_change=change), dict(commit.schema)
        summaries.append(summary)
    commits = (*history.commits, *summaries)
    return replace(
        history,
        commits=commits[-max_commits:],
        last=files[-1],
        is_complete=history.is_complete and len(commits) <= max_commits,
        schema=schema,
        rows_by_path=dict(list(rows_by_path.items())[-_MAX_REMEMBERED_FILES:]),
        notes=_notes(commits[-max_commits:]),
    )


def within_size(files: Iterable[CommitFile]) -> list[CommitFile]:
    """Return the newest files up to the maximum total size, and none after one that exceeds it."""
    kept: list[CommitFile] = []
    total = 0
    for file in sorted(files, key=lambda file: -file.version):
        total += file.size
        if total > MAX_BYTES:
            break
        kept.append(file)
    return kept


def read_commits(uri: str, files: Sequence[CommitFile], read: Reader) -> Mapping[int, Commit]:
    """
    Return the commits by version, without those that log cleanup has deleted since they were listed.

    :param uri: The table.
    :param files: Files of the commits.
    :param read: Function that returns the content of a file.
    """

    def read_commit(file: CommitFile) -> Commit | None:
        content = read(f"_delta_log/{file.version:020}.json")
        return None if content is None else parse_commit(uri, file.version, content)

    if len(files) == 1 or not uri.startswith("s3://"):
        commits = list(map(read_commit, files))
    else:
        with ThreadPoolExecutor(_MAX_THREADS) as pool:
            commits = list(pool.map(read_commit, files))
    return {commit.version: commit for commit in commits if commit is not None}


def _notes(commits: Iterable[CommitSummary]) -> tuple[str, ...]:
    unread = [commit.version for commit in commits if not commit.is_read]
    if not unread:
        return ()
    return (
        f"{len(unread)} commits, the last of them version {unread[-1]}, were not read, since they were "
        f"deleted or more than {MAX_BYTES >> 20} MB would be read; each counts as a change of data",
    )
