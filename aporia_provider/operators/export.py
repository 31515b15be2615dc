"""Operator that writes metrics of a model version to Delta tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aporia_provider.base_model import is_template
from aporia_provider.errors import ValidationError
from aporia_provider.operators.base import AporiaOperator, fail_without_retry
from aporia_provider.operators.health import run_time
from aporia_provider.operators.parameters import Choice, Flag
from aporia_provider.table_assets import delta_table_asset

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context

    from aporia_provider.hooks.metric_tables import ExportResult, MetricTablesHook

GRANULARITIES = ("1 hour", "1 day", "1 week", "1 month")
TABLES = ("_profile_metrics", "_drift_metrics")
"""Ends of the locations of the tables."""


class ExportMetricsOperator(AporiaOperator):
    """
    Write metrics of a model version to two Delta tables in the layout of Databricks' data profiling.

    The rows of the version and of the windows are replaced, each table in one commit. Repeated execution
    changes nothing else. Several models can share the tables. The tables are assets of the task, unless
    ``location`` is a template.

    :param model_id: Id of the model.
    :param location: Location of the tables: ``s3://bucket/key``, to which ``_profile_metrics`` and
        ``_drift_metrics`` are appended.
    :param model_version: Name of the version; None for the version that was registered last.
    :param start: Start of the range. Requires ``end``. Windows that overlap the range are written as a
        whole. Default: the data interval of the DAG run; if it has none, or one without length, the last
        window that ends at or before the time of the run.
    :param end: End of the range, exclusive.
    :param granularity: Length of the windows, in UTC: ``1 hour``, ``1 day``, ``1 week`` (from Monday) or
        ``1 month``.
    :param fields: Names of the fields; None for all. A name that fields of two categories share is preceded
        by the category, as in ``features.age``.
    :param segments: Names of segments, for each of whose terms rows are written besides those of all rows;
        True for all segments of the model.
    :param unreliable: Whether metrics that are not reliable, such as distances of too few values, are written
        as well; otherwise they are null.
    :param aws_conn_id: AWS connection with which the tables are written.
    :return: Dict of the attributes of :class:`~aporia_provider.hooks.metric_tables.ExportResult`.
    """

    template_fields = (
        *AporiaOperator.template_fields,
        *(
            "model_id",
            "location",
            "model_version",
            "start",
            "end",
            "granularity",
            "fields",
            "segments",
            "unreliable",
        ),
        "aws_conn_id",
    )
    ui_color = "#e8dcff"

    granularity = Choice[str](GRANULARITIES)
    unreliable = Flag()

    def __init__(
        self,
        *,
        model_id: str,
        location: str,
        model_version: str | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        granularity: str = "1 day",
        fields: Sequence[str] | None = None,
        segments: Sequence[str] | bool = False,
        unreliable: bool = False,
        aws_conn_id: str | None = "aws_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.location = location
        self.model_version = model_version
        self.start = start
        self.end = end
        self.granularity = granularity
        self.fields = fields
        self.segments = segments
        self.unreliable = unreliable
        self.aws_conn_id = aws_conn_id
        self.written: ExportResult | None = None
        if isinstance(location, str) and not is_template(location):
            uri = location.rstrip("/")
            self.outlets = [*self.outlets, *(delta_table_asset(f"{uri}{end_}") for end_ in TABLES)]

    @cached_property
    def aporia_hook(self) -> MetricTablesHook:
        """Return the hook for exports."""
        from aporia_provider.hooks.metric_tables import MetricTablesHook

        return MetricTablesHook(self.aporia_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the metrics."""
        with fail_without_retry():
            start, end = self._range(context)
            written = self.written = self.aporia_hook.export(
                self.model_id,
                self.model_version,
                self.location,
                start=start,
                end=end,
                granularity=self.granularity,
                fields=self.fields,
                segments=_segment_selection(self.segments),
                unreliable=self.unreliable,
                aws_conn_id=self.aws_conn_id,
            )
        self.log.info(
            "Version %r of model %r, %s to %s: %d rows in %s, %d rows in %s; %d of %d windows have no rows",
            *(written.model_version, written.model_id, written.start, written.end),
            *(written.profile_rows, written.profile_table, written.drift_rows, written.drift_table),
            *(written.windows_without_rows, written.windows),
        )
        return asdict(written)

    def _range(self, context: Context) -> tuple[datetime | str, datetime | str]:
        if self.start is not None and self.end is not None:
            return self.start, self.end
        if self.start is not None or self.end is not None:
            raise ValidationError("Give both start and end, or neither")
        end = run_time(context)
        if end is None:
            raise ValidationError("The run has no data interval: give start and end")
        return context.get("data_interval_start") or end, end

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the version as input and the tables as outputs."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        from aporia_provider.lineage import location_dataset, version_dataset

        if self.written is None:
            return OperatorLineage()
        written = self.written
        return OperatorLineage(
            inputs=version_dataset(written.environment, written.model_id, written.model_version, None),
            outputs=[
                *location_dataset(written.profile_table),
                *location_dataset(written.drift_table),
            ],
        )


def _segment_selection(segments: Any) -> Sequence[str] | bool:
    """Return which segments are exported; a rendered template is text."""
    if isinstance(segments, str):
        return {"true": True, "false": False, "": False}.get(segments.strip().lower(), [segments])
    return segments if isinstance(segments, bool) else list(segments or ())
