"""Trigger of the watchers of Delta tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from aporia_provider.base_model import is_template
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.locations import location_fault, location_uri
from aporia_provider.triggers.poll_intervals import interval_fault

if TYPE_CHECKING:
    from airflow.triggers.shared_stream import SharedStreamProducer

    from aporia_provider.lake.log.positions import CommitRange
    from aporia_provider.triggers.polled_table import Poll


class DeltaTableCommitTrigger(BaseEventTrigger):
    """
    Trigger of an ``AssetWatcher`` that emits an event when a Delta table has new commits.

    An event covers all commits between two polls. Its payload has ``table_uri``; ``from_version`` and
    ``to_version``, the versions that the first and the last of these commits have created; and
    ``recreated``, whether the table was created again, in which case the event covers all commits of the new
    table. Every commit after the watcher was first started belongs to exactly one event, also if the
    triggerer is restarted. If the triggerer is killed in the seconds in which an event is stored, the event
    may be repeated.

    The position of the watcher is kept in Airflow's state store of the asset. Before Airflow 3.3, which has
    no such store, the watcher starts at the version that the table has when the triggerer starts.

    With Airflow 3.3, all watchers of one table with the same connection and interval share one poll, which
    is one small request.

    :param table_uri: The table, see :class:`~aporia_provider.data_sources.S3DataSource`.
    :param aws_conn_id: AWS connection used to read the log; None uses the ambient credentials of the
        triggerer.
    :param poll_interval: Seconds between polls, at least 5.
    :param data_changes_only: Whether to emit no event if none of the commits changes rows, such as commits of
        OPTIMIZE. The commits are then read.
    :param asset_name: Name of the watched asset. It is required if several assets are watched with otherwise
        equal arguments, which Airflow would combine to one trigger.
    :raises aporia_provider.errors.ValidationError: if parameters are invalid; all are listed.
    """

    def __init__(
        self,
        table_uri: str,
        aws_conn_id: str | None = "aws_default",
        poll_interval: float = 60.0,
        data_changes_only: bool = True,
        asset_name: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        _check(table_uri, poll_interval)
        self.table_uri = location_uri(table_uri)
        self.aws_conn_id = aws_conn_id
        self.poll_interval = float(poll_interval)
        self.data_changes_only = data_changes_only
        self.asset_name = asset_name

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path of the class and its parameters."""
        return f"{__name__}.{type(self).__name__}", {
            "table_uri": self.table_uri,
            "aws_conn_id": self.aws_conn_id,
            "poll_interval": self.poll_interval,
            "data_changes_only": self.data_changes_only,
            "asset_name": self.asset_name,
        }

    def shared_stream_key(self) -> Hashable:
        """Return what watchers that share a poll have in common."""
        return ("aporia_delta", self.table_uri, self.aws_conn_id, self.poll_interval)

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """Return the producer of the polls of a table."""
        from aporia_provider.triggers.commit_producer import CommitProducer

        return CommitProducer(kwargs["table_uri"], kwargs["aws_conn_id"], kwargs["poll_interval"])

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Emit events, polling the table alone. Airflow calls this before version 3.3."""
        from aporia_provider.triggers.polled_table import PolledTable, settled_polls
        from aporia_provider.triggers.s3_access import s3_access

        table = PolledTable(self.table_uri, s3_access(self.aws_conn_id))
        async for event in self.filter_shared_stream(settled_polls(table, self.poll_interval)):
            yield event

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Poll]) -> AsyncIterator[TriggerEvent]:
        """Emit the events that follow from polls."""
        from aporia_provider.triggers.watermark import Watermark

        stores = getattr(self, "asset_state_store", None)
        watermark = Watermark(self.table_uri, stores, self.asset_name)
        await watermark.load()
        async for poll in shared_stream:
            await watermark.save_settled()
            if watermark.position is None:
                watermark.move(poll.position, poll)
                continue
            try:
                commits = await poll.table.commits_after(watermark.position)
                is_event = commits is not None and await self._is_event(poll, commits)
            except AporiaError as error:
                # Airflow would restart the trigger at once. The next poll repeats this.
                self.log.error("%s", error.message)
                continue
            if commits is None:
                continue
            if is_event:
                yield TriggerEvent(_payload(self.table_uri, commits))  # type: ignore[no-untyped-call]
            watermark.move(commits.end, poll)

    async def _is_event(self, poll: Poll, commits: CommitRange) -> bool:
        if commits.is_recreated or not self.data_changes_only:
            return True
        return await poll.table.changes_rows(commits)


def _payload(table_uri: str, commits: CommitRange) -> dict[str, Any]:
    return {
        "table_uri": table_uri,
        "from_version": commits.first,
        "to_version": commits.last,
        "recreated": commits.is_recreated,
    }


def _check(table_uri: str, poll_interval: float) -> None:
    problems = []
    if fault := location_fault(table_uri):
        problems.append(f"table_uri {fault}")
    elif is_template(table_uri):
        problems.append("table_uri is a template, but Airflow does not render watchers")
    if fault := interval_fault(poll_interval):
        problems.append(f"poll_interval {fault}")
    if problems:
        raise ValidationError("The table cannot be watched", problems=problems)
