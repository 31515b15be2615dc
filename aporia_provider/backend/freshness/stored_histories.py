"""Times of the commits of connected tables, stored in the database so that evaluations do not access S3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from aporia_provider.backend.store.monitor_tables import TableHistoryRow
from aporia_provider.backend.store.tables import DatasetRow
from aporia_provider.lake.log.commit_files import CommitFile
from aporia_provider.lake.log.commit_history import MAX_COMMITS, CommitHistory
from aporia_provider.lake.log.commit_summaries import CommitSummary

_FORMAT: Final = 1
_MAX_ERROR = 500


@dataclass(frozen=True)
class StoredHistory:
    """
    Commits of the table of a dataset, as they were last read.

    :param uri: The table.
    :param read_at: Time at which its log was read; None if that never succeeded.
    :param error: Why the last attempt failed; None if it succeeded.
    :param history: The newest commits that changed rows and, if it is known, the commit that created the
        table, with their times only; None if they are not known.
    """

    uri: str
    read_at: datetime | None = None
    error: str | None = None
    history: CommitHistory | None = None

    def times_until(self, moment: datetime) -> list[datetime]:
        """Return the times of the commits that changed rows until a time, ascending."""
        commits = self.history.data_commits if self.history is not None else ()
        return sorted(commit.time for commit in commits if commit.time <= moment)

    @property
    def created(self) -> datetime | None:
        """Time of the commit that created the table; None if it is not known."""
        first = self.history.commits[0] if self.history is not None and self.history.commits else None
        return first.time if first is not None and first.version == 0 else None


def stored_histories(session: Session, dataset_keys: Iterable[int]) -> dict[int, StoredHistory]:
    """Return the histories of datasets by key, if they are known."""
    query = select(TableHistoryRow).where(TableHistoryRow.dataset_key.in_(list(dataset_keys)))
    return {
        row.dataset_key: StoredHistory(row.uri, row.read_at, row.error, _read(row.uri, row.history))
        for row in session.scalars(query)
    }


def store_history(session: Session, dataset_key: int, read: StoredHistory) -> None:
    """
    Store the history of the table of a dataset, unless a newer history is stored.

    :param session: A session with a write transaction.
    :param dataset_key: Key of the dataset.
    :param read: The history; without one, the stored history remains, with the error.
    """
    # The lock keeps another process from creating the same row.
    if session.get(DatasetRow, dataset_key, with_for_update=True) is None:
        return
    row = session.scalar(select(TableHistoryRow).filter_by(dataset_key=dataset_key))
    if row is None:
        row = TableHistoryRow(dataset_key=dataset_key, uri=read.uri)
        session.add(row)
    if row.uri != read.uri:
        row.uri, row.read_at, row.history = read.uri, None, None
    row.error = None if read.error is None else read.error[:_MAX_ERROR]
    is_newer = row.read_at is None or (read.read_at is not None and read.read_at >= row.read_at)
    if read.history is not None and is_newer:
        row.read_at, row.history = read.read_at, _compact(read.history)


def _compact(history: CommitHistory) -> dict[str, Any]:
    last = history.last
    return {
        "format": _FORMAT,
        "complete": history.is_complete,
        "last": [last.version, last.size, last.modified.isoformat(), last.identifier],
        "created": [_milliseconds(commit) for commit in history.commits[:1] if commit.version == 0],
        "commits": [
            [commit.version, _milliseconds(commit)] for commit in history.data_commits[-MAX_COMMITS:]
        ],
    }


def _milliseconds(commit: CommitSummary) -> int:
    return round(commit.time.timestamp() * 1000)


def _read(uri: str, stored: Mapping[str, Any] | None) -> CommitHistory | None:
    if stored is None or stored.get("format") != _FORMAT:
        return None
    version, size, modified, identifier = stored["last"]
    numbers = {number for number, _ in stored["commits"]}
    created = [(0, milliseconds) for milliseconds in stored.get("created", ()) if 0 not in numbers]
    return CommitHistory(
        uri=uri,
        commits=tuple(
            CommitSummary(
                version=number,
                time=datetime.fromtimestamp(milliseconds / 1000, UTC),
                data_change=number in numbers,
            )
            for number, milliseconds in (*created, *stored["commits"])
        ),
        last=CommitFile(version, size, datetime.fromisoformat(modified), identifier),
        is_complete=stored["complete"],
    )
