"""Summaries of commits: rows, files, bytes, nulls, writer and changes of the schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from aporia_provider.lake.log.commit_files import CommitFile
from aporia_provider.lake.log.commits import Commit, FileAction

_MAX_TEXT = 200
_MAX_COLUMNS = 1000
_REWRITING = frozenset({"DELETE", "UPDATE", "MERGE", "RESTORE"})
# Clocks of writers and of S3 may differ slightly, and S3 rounds times to seconds.
_CLOCK_TOLERANCE = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class CommitSummary:
    """
    Summary of a commit. Values that the log does not contain are None.

    :param version: Version that the commit creates.
    :param time: Time of the commit.
    :param operation: Operation of the writer, such as ``WRITE`` or ``OPTIMIZE``.
    :param writer: Engine, user and applications that made the commit, as far as the log names them.
    :param data_change: Whether the commit changes the rows of the table; compaction does not.
    :param rows_added: Number of rows in the added files, without rows deleted by deletion vectors.
    :param rows_removed: Number of rows in the removed files.
    :param new_rows: Number of rows that the commit adds to the table: ``rows_added``, or for operations that
        rewrite files with rows they keep, the difference to ``rows_removed``, at least 0.
    :param files_added: Number of added files.
    :param files_removed: Number of removed files.
    :param bytes_added: Total size of the added files.
    :param null_counts: Physical names of columns to the numbers of nulls in the added rows; numbers of nested
        columns are joined by periods. Only columns whose number is known for each added file.
    :param changes_metadata: Whether the commit changes the schema or the properties.
    :param schema_change: Description of the changed columns; None if no column changed or it is unknown.
    :param is_read: Whether the commit was read; otherwise only its version and time are known.
    """

    version: int
    time: datetime
    operation: str | None = None
    writer: str | None = None
    data_change: bool = True
    rows_added: int | None = None
    rows_removed: int | None = None
    new_rows: int | None = None
    files_added: int | None = None
    files_removed: int | None = None
    bytes_added: int | None = None
    null_counts: Mapping[str, int] = field(default_factory=dict)
    changes_metadata: bool = False
    schema_change: str | None = None
    is_read: bool = True


def summarize(commit: Commit, file: CommitFile, rows_by_path: dict[str, int]) -> CommitSummary:
    """
    Return the summary of a commit, without ``schema_change``.

    :param commit: The commit.
    :param file: File of the commit.
    :param rows_by_path: Rows of the files that earlier commits added, to which the files of this commit are
        added, and from which those that it removes are removed.
    """
    adds = [action for action in commit.adds if action.data_change]
    removes = [action for action in commit.removes if action.data_change]
    removed = _total([_rows_of_removed(action, rows_by_path) for action in removes])
    _remember(commit, rows_by_path)
    added = _total(map(_rows, adds))
    return CommitSummary(
        version=commit.version,
        time=_time(commit, file),
        operation=_short(commit.operation),
        writer=_writer(commit),
        data_change=commit.data_change,
        rows_added=added,
        rows_removed=removed,
        new_rows=_new_rows(commit.operation, added, removed),
        files_added=len(adds),
        files_removed=len(removes),
        bytes_added=_total(action.size for action in adds),
        null_counts=_null_counts(adds),
        changes_metadata=commit.changes_metadata,
    )


def _time(commit: Commit, file: CommitFile) -> datetime:
    """Return the time of a commit, which is not later than its file unless the writers are synchronized."""
    if commit.timestamp is None:
        return file.modified
    if "inCommitTimestamp" in commit.info or commit.timestamp <= file.modified + _CLOCK_TOLERANCE:
        return commit.timestamp
    return file.modified


def _writer(commit: Commit) -> str | None:
    keys = ("engineInfo", "clientVersion", "userName")
    names = dict.fromkeys(str(commit.info[key]) for key in keys if commit.info.get(key))
    applications = [f"application {name}" for name in commit.applications]
    return _short(", ".join([*names, *applications]))


def _short(text: str | None) -> str | None:
    return str(text)[:_MAX_TEXT] if text else None


def _rows(action: FileAction) -> int | None:
    rows = (action.stats or {}).get("numRecords")
    return max(0, rows - action.deleted) if isinstance(rows, int) else None


def _rows_of_removed(action: FileAction, rows_by_path: Mapping[str, int]) -> int | None:
    row_count = rows_by_path.get(unquote(action.path))
    return _rows(action) if row_count is None else row_count


def _remember(commit: Commit, rows_by_path: dict[str, int]) -> None:
    # Files of a compaction are included, since a later commit may remove them.
    for action in commit.removes:
        rows_by_path.pop(unquote(action.path), None)
    for action in commit.adds:
        if (rows := _rows(action)) is not None:
            rows_by_path[unquote(action.path)] = rows


def _new_rows(operation: str | None, added: int | None, removed: int | None) -> int | None:
    if operation not in _REWRITING:
        return added
    return None if added is None or removed is None else max(0, added - removed)


def _total(values: Iterable[int | None]) -> int | None:
    counts = list(values)
    return None if None in counts else sum(value for value in counts if value is not None)


def _null_counts(adds: Iterable[FileAction]) -> dict[str, int]:
    """Return the nulls by column. A file with deleted rows counts only if it has none: see the log."""
    totals: dict[str, int] | None = None
    for action in adds:
        counts = dict(_flat((action.stats or {}).get("nullCount")))
        if action.deleted:
            counts = {name: count for name, count in counts.items() if count == 0}
        if totals is None:
            totals = counts
        else:
            totals = {name: total + counts[name] for name, total in totals.items() if name in counts}
    return dict(list((totals or {}).items())[:_MAX_COLUMNS])


def _flat(counts: Any, prefix: str = "") -> Iterator[tuple[str, int]]:
    for name, count in counts.items() if isinstance(counts, Mapping) else ():
        if isinstance(count, Mapping):
            yield from _flat(count, f"{prefix}{name}.")
        elif isinstance(count, int):
            yield f"{prefix}{name}", count
