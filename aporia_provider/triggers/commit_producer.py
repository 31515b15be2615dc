"""Producer of the stream of polls that watchers share. Requires Airflow 3.3."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from aporia_provider.triggers.polled_table import Poll, PolledTable, polls
from aporia_provider.triggers.s3_access import s3_access


class CommitProducer(SharedStreamProducer):
    """
    Producer that polls a table once for all its watchers.

    :param table_uri: The table.
    :param aws_conn_id: Connection with which it is read.
    :param poll_interval: Seconds between polls.
    """

    def __init__(self, table_uri: str, aws_conn_id: str | None, poll_interval: float) -> None:
        self._table_uri, self._aws_conn_id, self._poll_interval = table_uri, aws_conn_id, poll_interval

    async def open_stream(self) -> AsyncIterator[tuple[Poll, Poll]]:
        """Yield each poll, as the event and as its own receipt."""
        table = PolledTable(self._table_uri, s3_access(self._aws_conn_id))
        async for poll in polls(table, self._poll_interval):
            yield poll, poll

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Settle polls whose events are stored."""
        for item in batch:
            await item.broker_payload.settle(is_stored=item.outcome.is_clean)
