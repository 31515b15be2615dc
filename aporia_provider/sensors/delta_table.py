"""Sensor of Delta tables."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from aporia_provider.locations import location_fault, location_uri
from aporia_provider.sensors.deferrable import DeferrableSensor
from aporia_provider.sensors.rendered_values import RenderedValues

if TYPE_CHECKING:
    from aporia_provider.lake.log.conditions import TableCheck, TableCondition
    from aporia_provider.triggers.table_waiting import DeltaTableTrigger


class DeltaTableSensor(DeferrableSensor):
    """
    Wait until a Delta table meets all conditions at the same version.

    The conditions are checked in the log; no data is read. A check of a table without new commits is one
    small request. At least one condition is required. A missing table is an error.

    :param table_uri: The table, see :class:`~aporia_provider.data_sources.S3DataSource`.
    :param after_version: The table has a commit after this version. If the table is created again, it has to
        reach this version again.
    :param data_changes_only: Whether only commits that change rows count for ``after_version``.
    :param timestamp_column: Column of ``data_until``: a timestamp or a date.
    :param data_until: A row has this time or a later one in the timestamp column, according to the statistics
        of the files. They do not exclude deleted rows. A time without a time zone is in UTC. That a row has
        this time is no evidence that the rows before it are complete; the next two parameters are for that.
    :param allowed_lateness: How much later than a row an earlier one may arrive, as a timedelta or in
        seconds: ``data_until`` is reached once a row has a time which is later by this duration.
    :param quiet_period: No file that may have rows before ``data_until`` was written for this duration, a
        timedelta or seconds, by the clock of its writer.
    :param partition: Names of partition columns to values; None for null: this partition has rows.
        ``data_until`` and ``min_rows`` then refer to the partition.
    :param min_rows: The table has at least this number of rows.
    :param aws_conn_id: AWS connection used to read the log; None uses the ambient credentials.
    :param kwargs: See :class:`~aporia_provider.sensors.deferrable.DeferrableSensor`.
    :return: ``table_uri``, ``version``, ``rows`` (in the table or partition; None if unknown) and ``latest``,
        the latest time in the timestamp column.
    """

    template_fields = (
        "table_uri",
        "after_version",
        "timestamp_column",
        "data_until",
        "allowed_lateness",
        "quiet_period",
        "partition",
        "min_rows",
        "aws_conn_id",
    )

    def __init__(
        self,
        *,
        table_uri: str,
        after_version: int | str | None = None,
        data_changes_only: bool = True,
        timestamp_column: str | None = None,
        data_until: datetime | str | None = None,
        allowed_lateness: timedelta | float | str | None = None,
        quiet_period: timedelta | float | str | None = None,
        partition: Mapping[str, Any] | None = None,
        min_rows: int | str | None = None,
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table_uri = table_uri
        self.after_version = after_version
        self.data_changes_only = data_changes_only
        self.timestamp_column = timestamp_column
        self.data_until = data_until
        self.allowed_lateness = allowed_lateness
        self.quiet_period = quiet_period
        self.partition = partition
        self.min_rows = min_rows
        self.aws_conn_id = aws_conn_id
        self._earlier: TableCheck | None = None

    def check(self) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        """Check the conditions at the latest version."""
        from aporia_provider.hooks.delta_lake import DeltaLakeHook
        from aporia_provider.lake.log.conditions import check_table

        condition, uri = self._condition(), location_uri(self.table_uri)
        is_on_s3 = uri.startswith("s3://")
        credentials = DeltaLakeHook(self.aws_conn_id).get_credentials() if is_on_s3 else None
        client = credentials.client() if credentials is not None else None
        check = self._earlier = check_table(uri, condition, self._earlier, credentials, client=client)
        return (None if check.unmet else check.to_json(uri)), check.unmet

    def trigger(self, **waiting: Any) -> DeltaTableTrigger:
        """Return the trigger that checks the conditions."""
        from aporia_provider.triggers.table_waiting import DeltaTableTrigger

        return DeltaTableTrigger(
            table_uri=location_uri(self.table_uri),
            aws_conn_id=self.aws_conn_id,
            condition=self._condition().to_json(),
            **waiting,
        )

    def _condition(self) -> TableCondition:
        from aporia_provider.lake.log.conditions import TableCondition

        values = RenderedValues()
        condition = TableCondition(
            after_version=values.number("after_version", self.after_version, -1),
            data_changes_only=self.data_changes_only,
            timestamp_column=self.timestamp_column,
            data_until=values.time("data_until", self.data_until),
            allowed_lateness=values.duration("allowed_lateness", self.allowed_lateness) or timedelta(0),
            quiet_period=values.duration("quiet_period", self.quiet_period),
            partition=_as_texts(self.partition, values),
            min_rows=values.number("min_rows", self.min_rows, 1),
        )
        if fault := location_fault(self.table_uri):
            values.add(f"table_uri {fault}")
        if (self.timestamp_column is None) != (self.data_until is None):
            values.add("timestamp_column and data_until must be given together")
        if self.data_until is None:
            for name in ("allowed_lateness", "quiet_period"):
                if getattr(self, name) is not None:
                    values.add(f"{name} requires data_until")
        if (
            self.after_version is None
            and self.data_until is None
            and not self.partition
            and not self.min_rows
        ):
            values.add("at least one of after_version, data_until, partition and min_rows is required")
        values.check("The condition on the table")
        return condition


def _as_texts(partition: Any, values: RenderedValues) -> dict[str, str | None] | None:
    if not partition:
        return None
    if not isinstance(partition, Mapping):
        values.add(f"partition is {partition!r}, not a dict of columns to values")
        return None
    return {name: None if value is None else str(value) for name, value in partition.items()}
