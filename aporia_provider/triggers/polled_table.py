"""A Delta table that is polled once for all triggers that watch it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from aporia_provider.errors import AporiaError
from aporia_provider.lake.log.positions import (
    CommitRange,
    TablePosition,
    changes_rows,
    commits_after,
    latest_position,
)
from aporia_provider.triggers.poll_intervals import retry_delay
from aporia_provider.triggers.s3_access import S3Access

log = logging.getLogger(__name__)

_MAX_REMEMBERED = 16


class PolledTable:
    """
    A Delta table whose log is polled.

    :param uri: ``s3://bucket/key`` or ``file:///path``.
    :param access: Access to S3.
    """

    def __init__(self, uri: str, access: S3Access) -> None:
        self.uri = uri
        self._access = access
        self._position: TablePosition | None = None
        self._lock = asyncio.Lock()
        # Results for triggers with the same arguments after a poll.
        self._ranges: dict[TablePosition, CommitRange | None] = {}
        self._changing: dict[CommitRange, bool] = {}

    async def poll(self) -> TablePosition:
        """
        Return the position after the last commit. This takes one request, except for the first one.

        :raises aporia_provider.errors.AporiaError: if the log cannot be read.
        """
        async with self._lock:
            earlier = self._position
            if earlier is None or earlier.version < 0:
                self._position, self._ranges = await self._access.call(latest_position, self.uri), {}
            else:
                commits = await self._access.call(commits_after, self.uri, earlier)
                if commits is not None:
                    self._position, self._ranges = commits.end, {earlier: commits}
            assert self._position is not None  # noqa: S101
            return self._position

    async def commits_after(self, position: TablePosition) -> CommitRange | None:
        """
        Return the commits after a position; None if there are none.

        :raises aporia_provider.errors.AporiaError: if the log cannot be read.
        """
        async with self._lock:
            if position == self._position:
                return None
            if position not in self._ranges:
                self._ranges[position] = await self._access.call(commits_after, self.uri, position)
            return self._ranges[position]

    async def changes_rows(self, commits: CommitRange) -> bool:
        """
        Return whether a commit of a range changes rows.

        :raises aporia_provider.errors.AporiaError: if a commit cannot be read.
        """
        async with self._lock:
            if commits not in self._changing:
                for oldest in list(self._changing)[:-_MAX_REMEMBERED]:
                    del self._changing[oldest]
                self._changing[commits] = await self._access.call(changes_rows, self.uri, commits)
            return self._changing[commits]


@dataclass
class Poll:
    """
    A poll that found the table readable.

    :param table: The table.
    :param position: Position after the last commit.
    """

    table: PolledTable
    position: TablePosition
    is_settled: bool = False
    _writes: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def when_settled(self, write: Callable[[], Awaitable[None]]) -> None:
        """Call a function once Airflow has stored the events that followed from the poll."""
        self._writes.append(write)

    async def settle(self, *, is_stored: bool) -> None:
        """
        Mark the poll as handled by all triggers.

        :param is_stored: Whether the events of all triggers are stored. Otherwise nothing is written: each
            trigger that still runs finds the poll settled.
        """
        self.is_settled = True
        writes, self._writes = self._writes, []
        for write in writes if is_stored else ():
            await write()


async def polls(table: PolledTable, interval: float) -> AsyncIterator[Poll]:
    """
    Poll a table until the generator is closed.

    Errors are logged, and polls are delayed, see :func:`~.poll_intervals.retry_delay`. The generator does not
    raise errors of the package: Airflow would restart the trigger at once.

    :param table: The table.
    :param interval: Seconds between polls.
    """
    errors = 0
    while True:
        try:
            position = await table.poll()
        except AporiaError as error:
            errors += 1
            delay = retry_delay(interval, errors, error)
            log.error("%s; the next poll is in %.0f s", error.message, delay)
            await asyncio.sleep(delay)
            continue
        if errors:
            log.info("%s can be read again", table.uri)
        errors = 0
        yield Poll(table, position)
        await asyncio.sleep(interval)


async def settled_polls(table: PolledTable, interval: float) -> AsyncIterator[Poll]:
    """
    Poll a table for a single trigger. A poll is settled when the trigger requests the next one.

    For parameters see :func:`polls`.
    """
    async for poll in polls(table, interval):
        yield poll
        await poll.settle(is_stored=True)
