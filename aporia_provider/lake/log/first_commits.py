"""The first commit of a table that added rows of a time range."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.action_bounds import ActionBounds, UntraceableError
from aporia_provider.lake.log.commit_files import latest_commit_files
from aporia_provider.lake.log.commit_history import MAX_COMMITS, read_commits, within_size
from aporia_provider.lake.log.commit_summaries import CommitSummary, summarize
from aporia_provider.lake.log.commits import Commit, file_reader
from aporia_provider.lake.log.table import DeltaLog

RUN_KEYS: Final = ("dag_id", "run_id", "task_id")
"""
Names of the Airflow task in commits, with or without the prefix ``airflow_``: as keys of the
``commitInfo`` (custom metadata of ``deltalake``), or in a JSON object in its ``userMetadata`` (Spark).
"""
_MAX_TEXT = 250


@dataclass(frozen=True)
class AddingCommit:
    """
    A commit that added rows.

    :param summary: Summary of the commit; it has no rows of removed files.
    :param run: Values of :data:`RUN_KEYS`, as far as the commit has them.
    :param note: Which commits were not read, if any.
    """

    summary: CommitSummary
    run: Mapping[str, str]
    note: str | None = None


def first_commit(
    log: DeltaLog, column: str, start: int, end: int, credentials: AwsCredentials | None = None
) -> AddingCommit:
    """
    Return the first commit that added a file which may have rows of a time range.

    Bounds of the files in the log decide, and no data file is read. The newest :data:`.MAX_COMMITS` commits
    are read; a compaction counts as no addition.

    :param log: The table.
    :param column: Its timestamp column.
    :param start: Start of the range in microseconds since 1970.
    :param end: End, exclusive.
    :param credentials: Credentials for S3. Default: the credentials of the environment.
    :raises aporia_provider.errors.NotFoundError: if none of the commits did.
    :raises aporia_provider.errors.ValidationError: if the log has no statistics of the column.
    """
    credentials = credentials or AwsCredentials()
    client = credentials.client() if log.uri.startswith("s3://") else None
    listed = latest_commit_files(log.uri, credentials, MAX_COMMITS, client=client)
    files = [file for file in listed.files if file.version <= log.version]
    readable = within_size(files)
    commits = read_commits(log.uri, readable, file_reader(log.uri, credentials, client))
    bounds = ActionBounds(log.metadata, column)
    oldest = min(commits, default=log.version + 1)
    note = f"commits before version {oldest} are not read" if oldest else None
    for file in sorted(readable, key=lambda each: each.version):
        commit = commits.get(file.version)
        if commit is not None and _adds(commit, bounds, column, start, end):
            return AddingCommit(summarize(commit, file, {}), _run(commit.info), note)
    raise NotFoundError("no commit added rows of these windows" + (f"; {note}" if note else ""))


def _adds(commit: Commit, bounds: ActionBounds, column: str, start: int, end: int) -> bool:
    for action in commit.adds:
        if not action.data_change:
            continue
        try:
            file_bounds = bounds.of(action)
        except UntraceableError as error:
            raise ValidationError(str(error)) from None
        if file_bounds is None:
            raise ValidationError(
                f"the log has no statistics of {column!r} for files of version {commit.version}"
            )
        interval = file_bounds[0]
        if interval is not None and interval[0] < end and interval[1] > start:
            return True
    return False


def _run(info: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of :data:`RUN_KEYS` in a description of a commit."""
    entries = {**_json_object(info.get("userMetadata")), **info}
    texts = {key: entries.get(f"airflow_{key}", entries.get(key)) for key in RUN_KEYS}
    return {key: text[:_MAX_TEXT] for key, text in texts.items() if isinstance(text, str) and text}


def _json_object(text: Any) -> dict[str, Any]:
    try:
        value = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
