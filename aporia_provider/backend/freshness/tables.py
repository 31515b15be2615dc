"""Verdicts on the freshness and volume of many Delta tables, without an engine and without their data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.lake.credentials import AwsCredentials
from aporia_provider.lake.log.commit_history import MAX_COMMITS, CommitHistory, read_history
from aporia_provider.lake.log.history_folder import HistoryFolder
from aporia_provider.monitoring.freshness import FreshnessSettings, TableHealth, judge_table
from aporia_provider.verdicts import Outcome, Verdict

MAX_TABLES: Final = 8
"""Number of tables whose logs are read concurrently."""
_CONNECTIONS = 64

FindCredentials = Callable[[], AwsCredentials | None]


@dataclass(frozen=True, kw_only=True)
class CheckedTable:
    """
    Verdicts on a table, or why there are none.

    :param uri: The table.
    :param version: Version of the table; None if its log could not be read.
    :param commits: Number of commits from which the expected values were learned.
    :param last_writer: Writer of the last commit that changed rows, if the log names it.
    :param health: The verdicts; None if the log could not be read.
    :param notes: What the log does not contain.
    :param error: Why the log could not be read; None if it was read.
    """

    uri: str
    version: int | None = None
    commits: int = 0
    last_writer: str | None = None
    health: TableHealth | None = None
    notes: tuple[str, ...] = ()
    error: AporiaError | None = None

    @property
    def late(self) -> Verdict:
        """Verdict on the time since the last write; ``insufficient`` if the log could not be read."""
        if self.health is not None:
            return self.health.verdict("late")
        reason = self.error.message if self.error is not None else None
        return Verdict(outcome="insufficient", metric="late", reason=reason)

    @property
    def outcome(self) -> Outcome:
        """See :attr:`.TableHealth.outcome`; ``insufficient`` if the log could not be read."""
        return self.health.outcome if self.health is not None else "insufficient"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, which a task can return."""
        health = self.health.to_json() if self.health is not None else {"outcome": self.outcome}
        return {
            "table_uri": self.uri,
            "version": self.version,
            "commits": self.commits,
            "last_writer": self.last_writer,
            **health,
            "notes": list(self.notes),
            "error": self.error.message if self.error is not None else None,
        }


def check_tables(
    uris: Iterable[str],
    find_credentials: FindCredentials = AwsCredentials,
    *,
    settings: FreshnessSettings | None = None,
    now: datetime | None = None,
    max_commits: int = MAX_COMMITS,
    histories: HistoryFolder | None = None,
) -> list[CheckedTable]:
    """
    Return verdicts on tables, in the given order. Their logs are read concurrently.

    :param uris: The tables, see :attr:`.S3DataSource.uri`.
    :param find_credentials: Function that returns the credentials for S3; called only if a table is on S3.
    :param settings: How the tables are judged.
    :param now: Time of the verdicts. Default: the current time.
    :param max_commits: Maximum number of commits of each table to learn from.
    :param histories: Folder in which the histories are stored. Default: all commits are read each time.
    :raises aporia_provider.errors.ValidationError: if ``now`` has no time zone.
    :raises aporia_provider.errors.AporiaError: if there are no credentials. Errors of single tables are
        returned.
    """
    tables, now = list(uris), now or datetime.now(UTC)
    if now.tzinfo is None:
        raise ValidationError(f"now={now.isoformat()} has no time zone: use a time with one, such as UTC")
    reader = HistoryReader(tables, find_credentials, max_commits, histories)

    def check(uri: str) -> CheckedTable:
        try:
            return judged(reader.read(uri), now, settings)
        except AporiaError as error:
            return CheckedTable(uri=uri, error=error)

    with ThreadPoolExecutor(MAX_TABLES) as pool:
        return list(pool.map(check, tables))


class Histories(Protocol):
    """What keeps histories of tables, so that only new commits are read."""

    def load(self, uri: str) -> CommitHistory | None:
        """Return the history of a table; None if there is none."""

    def store(self, history: CommitHistory) -> None:
        """Store the history of a table."""


class HistoryReader:
    """
    Reads histories of tables with one S3 client.

    :param uris: The tables.
    :param find_credentials: Function that returns the credentials for S3; called only if a table is on S3.
    :param max_commits: Maximum number of commits of each table.
    :param histories: Store of the histories; None to read all commits each time.
    """

    def __init__(
        self,
        uris: Iterable[str],
        find_credentials: FindCredentials,
        max_commits: int,
        histories: Histories | None,
    ) -> None:
        self._max_commits, self._histories = max_commits, histories
        self._credentials, self._client = AwsCredentials(), None
        if any(uri.startswith("s3://") for uri in uris):
            self._credentials = find_credentials() or AwsCredentials()
            self._client = self._credentials.client(connections=_CONNECTIONS)

    def read(self, uri: str) -> CommitHistory:
        """Return the history of a table, and store it if it has changed."""
        client = self._client if uri.startswith("s3://") else None
        earlier = self._histories.load(uri) if self._histories is not None else None
        history = read_history(
            uri, self._credentials, earlier=earlier, max_commits=self._max_commits, client=client
        )
        if self._histories is not None and history is not earlier:
            self._histories.store(history)
        return history


def judged(history: CommitHistory, now: datetime, settings: FreshnessSettings | None = None) -> CheckedTable:
    """
    Return the verdicts on a table whose log was read.

    :param history: Commits of the table.
    :param now: Time of the verdicts.
    :param settings: How the table is judged.
    """
    health = judge_table(
        history.commits,
        now,
        settings,
        is_complete=history.is_complete,
        column_names=history.column_names,
    )
    data_commits = [commit for commit in history.data_commits if commit.time <= now]
    return CheckedTable(
        uri=history.uri,
        version=history.version,
        commits=len(history.commits),
        last_writer=data_commits[-1].writer if data_commits else None,
        health=health,
        notes=history.notes,
    )


def summary(tables: Iterable[CheckedTable]) -> dict[str, Any]:
    """
    Return the JSON form of verdicts on several tables, which a task can return.

    :param tables: The tables.
    """
    checked = list(tables)
    outcomes = {table.late.outcome for table in checked}
    return {
        "outcome": "fail" if "fail" in outcomes else "pass" if "pass" in outcomes else "insufficient",
        "late": [table.uri for table in checked if table.late.outcome == "fail"],
        "unreadable": [table.uri for table in checked if table.error is not None],
        "tables": [table.to_json() for table in checked],
    }
