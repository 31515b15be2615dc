"""Trigger of the sensor of Delta tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aporia_provider.triggers.waiting import WaitingTrigger

if TYPE_CHECKING:
    from aporia_provider.lake.log.conditions import TableCheck


class DeltaTableTrigger(WaitingTrigger):
    """
    Trigger that waits until a Delta table meets conditions.

    A check of a table without new commits is one small request. Triggers that use the same connection share
    a client.

    :param table_uri: ``s3://bucket/key`` or ``file:///path``.
    :param aws_conn_id: AWS connection used to read the log.
    :param condition: JSON form of a :class:`~aporia_provider.lake.log.conditions.TableCondition`.
    :param kwargs: Parameters of :class:`~aporia_provider.triggers.waiting.WaitingTrigger`.
    """

    def __init__(
        self, *, table_uri: str, aws_conn_id: str | None, condition: Mapping[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.table_uri = table_uri
        self.aws_conn_id = aws_conn_id
        self.condition = condition
        self._earlier: TableCheck | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the table, the connection and the condition."""
        return {
            "table_uri": self.table_uri,
            "aws_conn_id": self.aws_conn_id,
            "condition": dict(self.condition),
        }

    async def check(self) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        """Check the condition at the latest version."""
        from aporia_provider.lake.log.conditions import TableCondition, check_table
        from aporia_provider.triggers.s3_access import s3_access

        condition = TableCondition.from_json(self.condition)
        access = s3_access(self.aws_conn_id)
        check = self._earlier = await access.call(check_table, self.table_uri, condition, self._earlier)
        return (None if check.unmet else check.to_json(self.table_uri)), check.unmet
