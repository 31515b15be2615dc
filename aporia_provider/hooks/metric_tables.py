"""Hook that writes metrics of a model version to Delta tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic import ValidationError as InvalidTime

from aporia_provider.choices import validated_choice
from aporia_provider.data_sources import S3DataSource
from aporia_provider.errors import AporiaError, ValidationError
from aporia_provider.hooks.aporia import AporiaHook
from aporia_provider.query_types import Time
from aporia_provider.registered_versions import latest_version

if TYPE_CHECKING:
    from aporia_provider.metric_tables.export_request import ExportRequest


@dataclass(frozen=True)
class ExportResult:
    """
    Summary of the rows that an export has written.

    :param environment: Environment of the model.
    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param start: Start of the first window, in ISO format.
    :param end: End of the last window, in ISO format.
    :param windows: Number of windows.
    :param windows_without_rows: Number of windows that have no serving rows, so that nothing is written.
    :param profile_table: URI of the table of profile metrics.
    :param profile_rows: Number of rows written to it.
    :param drift_table: URI of the table of drift metrics.
    :param drift_rows: Number of rows written to it.
    """

    environment: str
    model_id: str
    model_version: str
    start: str
    end: str
    windows: int
    windows_without_rows: int
    profile_table: str
    profile_rows: int
    drift_table: str
    drift_rows: int


class MetricTablesHook(AporiaHook):
    """
    Hook that writes metrics of a model version to Delta tables.

    Parameters: see :class:`~aporia_provider.hooks.aporia.AporiaHook`.
    """

    def export(
        self,
        model_id: str,
        model_version: str | None,
        location: str,
        *,
        start: datetime | str,
        end: datetime | str,
        granularity: str = "1 day",
        fields: Sequence[str] | None = None,
        segments: Sequence[str] | bool = False,
        unreliable: bool = False,
        aws_conn_id: str | None = "aws_default",
    ) -> ExportResult:
        """
        Replace the rows of the version and of the windows in the two tables.

        :param model_id: Id of the model.
        :param model_version: Name of the version; None for the version that was registered last.
        :param location: Location of the tables, to which ``_profile_metrics`` and ``_drift_metrics`` are
            appended.
        :param start: Start of the range. Windows that overlap the range are written as a whole.
        :param end: End of the range, exclusive. If it equals ``start``, the last window that ends at or
            before it is written.
        :param granularity: Length of the windows: ``1 hour``, ``1 day``, ``1 week`` or ``1 month``.
        :param fields: Names of the fields; None for all.
        :param segments: Names of segments, for each of whose terms rows are written besides those of all
            rows; True for all segments of the model.
        :param unreliable: Whether metrics that are not reliable are written as well; otherwise they are null.
        :param aws_conn_id: AWS connection with which the tables are written.
        :return: What was written.
        :raises aporia_provider.errors.ValidationError: if a parameter is not valid, the export is too large,
            or a table exists with other columns.
        :raises aporia_provider.errors.NotFoundError: if there is no such model or version.
        """
        from aporia_provider.metric_tables.export_request import GRANULARITIES, ExportRequest
        from aporia_provider.metric_tables.exporting import MetricsExport

        validated_choice("granularity", granularity, GRANULARITIES)
        first, last = _times(start, end)
        with self.get_conn() as api:
            version = latest_version(api, model_id) if model_version is None else model_version
            request = ExportRequest(model_id, version, granularity, first, last, unreliable)  # type: ignore[arg-type]
            export = MetricsExport(api, request, fields, segments)
            profile, drift = export.rows()
        return _write(location, aws_conn_id, request, export.key, profile, drift)


def _write(
    location: str,
    aws_conn_id: str | None,
    request: ExportRequest,
    key: dict[str, str],
    profile: list[dict[str, Any]],
    drift: list[dict[str, Any]],
) -> ExportResult:
    from aporia_provider.metric_tables.table_layout import drift_schema, profile_schema
    from aporia_provider.metric_tables.table_writing import replace_rows, replaced_rows

    profile_table, drift_table = table_uris(location)
    start, end = request.windows[0][0], request.windows[-1][1]
    for uri, rows, schema, kind in (
        (profile_table, profile, profile_schema(), "log_type"),
        (drift_table, drift, drift_schema(), ""),
    ):
        condition = replaced_rows(key, request.granularity, start, end, kind)
        with _errors_converted(uri, aws_conn_id) as options:
            replace_rows(uri, rows, schema, condition, options)
    starts = {row["window"]["start"] for row in profile if row["window"]}
    return ExportResult(
        **key,
        start=start.isoformat(),
        end=end.isoformat(),
        windows=len(request.windows),
        windows_without_rows=len(request.windows) - len(starts),
        profile_table=profile_table,
        profile_rows=len(profile),
        drift_table=drift_table,
        drift_rows=len(drift),
    )


def table_uris(location: str) -> tuple[str, str]:
    """
    Return the URIs of the table of profile metrics and of the table of drift metrics.

    :param location: Location to which the names of the tables are appended.
    :raises aporia_provider.errors.ValidationError: if it is not valid.
    """
    from aporia_provider.metric_tables.table_layout import DRIFT_SUFFIX, PROFILE_SUFFIX

    uri = S3DataSource(object_path=location, object_format="delta").uri
    return f"{uri}{PROFILE_SUFFIX}", f"{uri}{DRIFT_SUFFIX}"


@contextmanager
def _errors_converted(uri: str, aws_conn_id: str | None) -> Iterator[dict[str, str]]:
    """Yield options of delta-rs; convert its errors to errors of this package."""
    from aporia_provider.hooks.delta_lake import DeltaLakeHook
    from aporia_provider.lake.credentials import AwsCredentials
    from aporia_provider.lake.failures import delta_error

    on_s3 = uri.startswith("s3://")
    credentials = DeltaLakeHook(aws_conn_id).get_credentials() if on_s3 else AwsCredentials()
    try:
        yield credentials.delta_options() if on_s3 else {}
    except AporiaError:
        raise
    except Exception as error:
        raise delta_error(error, uri, credentials) from None


def _times(start: datetime | str, end: datetime | str) -> tuple[datetime, datetime]:
    """Return the range in UTC; both times may be equal."""
    given = TypeAdapter(tuple[Time, Time])
    try:
        first, last = given.validate_python((start, end))
    except InvalidTime as error:
        problems = [str(problem["msg"]).removeprefix("Value error, ") for problem in error.errors()]
        raise ValidationError("The range is not valid", problems=problems) from None
    if first > last:
        raise ValidationError(f"start {first.isoformat()} is after end {last.isoformat()}")
    return first, last
