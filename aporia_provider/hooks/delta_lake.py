"""
Hook for Delta tables, which converts an Airflow AWS connection to credentials for delta-rs and the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from aporia_provider import settings
from aporia_provider.data_sources import DataSource, S3DataSource
from aporia_provider.errors import NotFoundError
from aporia_provider.hooks.base_hook import ProviderHook
from aporia_provider.hooks.connection_credentials import credentials_of
from aporia_provider.hooks.connection_lookup import creation_advice, missing_connection_message
from aporia_provider.hooks.spark_connect import engine_for

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    from aporia_provider.datasets import DatasetConnection
    from aporia_provider.lake.credentials import AwsCredentials
    from aporia_provider.lake.log.commits import Commit
    from aporia_provider.lake.log.file_statistics import FileStatistics
    from aporia_provider.lake.log.table import DeltaLog
    from aporia_provider.lake.s3.iam_roles import EnsuredRole
    from aporia_provider.preflight.checks import Report
    from aporia_provider.schema import VersionSchema


class DeltaLakeHook(ProviderHook):
    """
    Hook that reads the log of Delta tables without reading their data.

    Credentials are fetched from the connection for each use, because credentials of an assumed role expire.

    :param aws_conn_id: Airflow AWS connection with static keys, a session token, an assumed role, a profile
        or a web identity, and optionally a custom endpoint and region. None uses the ambient credentials of
        the worker.
    :param region_name: Region, if it is not set in the connection.
    :param spark_conn_id: Connection to the Spark Connect cluster that is used if the log is not sufficient,
        see :func:`~aporia_provider.hooks.spark_connect.engine_for`. None uses ``[aporia] engine``.
    """

    conn_name_attr = "aws_conn_id"
    default_conn_name = "aws_default"
    conn_type = "aws"
    hook_name = "Delta Lake on S3"

    def __init__(
        self,
        aws_conn_id: str | None = default_conn_name,
        region_name: str | None = None,
        spark_conn_id: str | None = None,
    ) -> None:
        super().__init__()
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self.spark_conn_id = spark_conn_id

    def get_conn(self) -> AwsBaseHook:
        """Return the Amazon provider's hook for the connection."""
        return self._aws_hook(self._connection())

    def get_credentials(self) -> AwsCredentials:
        """
        Fetch credentials. This call blocks.

        :raises aporia_provider.errors.NotFoundError: if the connection does not exist.
        :raises aporia_provider.errors.AuthenticationError: if the connection provides no credentials.
        :raises aporia_provider.errors.TransientError: if AWS is not reachable.
        """
        return credentials_of(self.get_conn())

    def delta_options(self) -> dict[str, str]:
        """
        Fetch credentials as ``storage_options`` of ``deltalake``, for tables that a task writes.

        The options are secret, and expire if a role is assumed: fetch them where they are used. For
        errors see :meth:`get_credentials`.
        """
        return self.get_credentials().delta_options()

    def credentials_for(self, *sources: DataSource) -> AwsCredentials | None:
        """
        Fetch credentials if any data source is on S3, or return None. For errors see :meth:`get_credentials`.
        """
        return self.get_credentials() if any(source.is_on_s3 for source in sources) else None

    async def get_credentials_async(self) -> AwsCredentials:
        """Fetch credentials without blocking the event loop. For errors see :meth:`get_credentials`."""
        connection = None
        if self.aws_conn_id is not None:
            try:
                connection = await self.aget_connection(self.aws_conn_id)
            except AirflowNotFoundException:
                self._refuse_unless_default()
        # The connection is passed in: looking it up inside the thread could deadlock the triggerer.
        return await asyncio.to_thread(credentials_of, self._aws_hook(connection))

    def open(self, object_path: str, *, version: int | None = None) -> DeltaLog:
        """
        Open the log of a Delta table.

        :param object_path: See :class:`~aporia_provider.data_sources.S3DataSource`.
        :param version: Version to open; None for the latest.
        :raises aporia_provider.errors.AporiaError: if the log cannot be read, see
            :class:`~aporia_provider.lake.log.table.DeltaLog`.
        """
        from aporia_provider.lake.log.table import DeltaLog

        source = S3DataSource(object_path=object_path, object_format="delta")
        log = DeltaLog(source.uri, self.credentials_for(source), version=version)
        self._report_read(source)
        return log

    def _report_read(self, source: S3DataSource) -> None:
        """Report a table that was read to the readers of Airflow's hook lineage, such as OpenLineage."""
        from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector

        collector: Any = get_hook_lineage_collector()  # type: ignore[no-untyped-call]
        if not source.is_on_s3:
            collector.add_input_asset(self, uri=source.uri)
            return
        bucket, _, key = source.uri.removeprefix("s3://").partition("/")
        collector.add_input_asset(self, scheme="s3", asset_kwargs={"bucket": bucket, "key": key})

    def get_schema(self, object_path: str) -> dict[str, Any]:
        """Return the types of the columns in Spark's JSON form."""
        return dict(self.open(object_path).metadata.columns)

    def get_version(self, object_path: str) -> int:
        """Return the latest version of the table."""
        return self.open(object_path).version

    def get_history(self, object_path: str, limit: int | None = None) -> list[dict[str, Any]]:
        """Return commit information, newest first."""
        return self.open(object_path).history(limit)

    def get_file_statistics(self, object_path: str, columns: Sequence[str] | None = None) -> FileStatistics:
        """
        Return row counts, null counts and bounds of the data files.

        :param columns: Columns to return statistics of; None for all.
        """
        return self.open(object_path).files(columns)

    def get_commits(self, object_path: str, since: int) -> list[Commit]:
        """Return the commits after version ``since``, oldest first."""
        return self.open(object_path).commits(since)

    def check_freshness(
        self,
        object_paths: str | Sequence[str],
        *,
        now: datetime | None = None,
        probability: float = 0.99,
        max_gap: timedelta | None = None,
        timezone: str = "UTC",
        period: Literal["hour", "day"] | None = None,
        history_folder: str | None = None,
    ) -> dict[str, Any]:
        """
        Return verdicts on the freshness and volume of Delta tables, learned from their logs alone.

        The tables need not be connected to a model. No data file is read, and no engine is needed.

        :param object_paths: One table or several, see :class:`~aporia_provider.data_sources.S3DataSource`.
        :param now: Time of the verdicts, with a time zone. Default: the current time.
        :param probability: Probability that a value that follows the past ones passes. With 0.99, one gap in
            100 of a table without any fault is late.
        :param max_gap: Longest allowed gap between writes. Default: learned for each table.
        :param timezone: Time zone of weekdays, days and hours.
        :param period: Length of the buckets in which rows, files and nulls are counted. Default: hours for
            tables with about three writes an hour or more, otherwise days.
        :param history_folder: Folder that keeps what was read, so that the next call reads only new commits.
            Default: the last 500 commits of each table are read.
        :return: ``outcome`` (``fail`` if a table is late, ``insufficient`` if no table has enough commits for
            a verdict, otherwise ``pass``), ``late`` with the URIs of the late tables, ``unreadable`` with
            those whose log could not be read, and ``tables`` with a dict for each table, in the given order.
        :raises aporia_provider.errors.ValidationError: if a parameter is invalid.
        """
        from aporia_provider.backend.freshness.tables import check_tables, summary
        from aporia_provider.lake.log.history_folder import HistoryFolder
        from aporia_provider.monitoring.freshness import FreshnessSettings

        paths = [object_paths] if isinstance(object_paths, str) else object_paths
        sources = [S3DataSource(object_path=path, object_format="delta") for path in paths]
        tables = check_tables(
            [source.uri for source in sources],
            self.get_credentials,
            settings=FreshnessSettings(
                probability=probability, max_gap=max_gap, timezone=timezone, period=period
            ),
            now=now,
            histories=HistoryFolder(history_folder) if history_folder is not None else None,
        )
        return summary(tables)

    def infer_schema(self, source: DataSource, **choices: Any) -> tuple[VersionSchema, int | None]:
        """
        Infer the schema of a version from a data source.

        :param choices: See :func:`aporia_provider.columns.inference.infer_schema`.
        :return: The schema, and the version of the table if it is a Delta table.
        """
        from aporia_provider.columns.inference import infer_schema
        from aporia_provider.preflight.inspection import inspect

        facts = inspect(
            source, credentials=self.credentials_for(source), engine=engine_for(self.spark_conn_id)
        )
        return infer_schema(facts.columns, **choices), facts.version

    def preflight(
        self,
        dataset: DatasetConnection,
        schema: VersionSchema | None,
        *,
        check_rows: bool = False,
        others: Sequence[DatasetConnection] = (),
    ) -> Report:
        """
        Validate a dataset against a schema before it is connected.

        :param dataset: The dataset.
        :param schema: Schema of the version; if None, only the columns named by the dataset are checked.
        :param check_rows: Whether to read and validate the rows as well.
        :param others: Datasets that are connected to the version, whose types are compared.
        :return: Problems, warnings, and properties of the table.
        """
        from aporia_provider.preflight.checks import preflight

        credentials = self.credentials_for(dataset.data_source)
        return preflight(
            dataset,
            schema,
            credentials=credentials,
            engine=engine_for(self.spark_conn_id),
            limits=settings.engine_limits(),
            check_rows=check_rows,
            others=others,
        )

    def grant_read_access(
        self, role_name: str, uris: Sequence[str], trust_policy: Mapping[str, Any], *, policy_name: str
    ) -> EnsuredRole:
        """
        Create or update an IAM role that permits reading the given prefixes and nothing else.

        :return: ``{"role_arn", "status"}`` with status ``created``, ``updated`` or ``unchanged``.
        """
        from aporia_provider.lake.s3.iam_policies import ensure_role, read_policy

        hook = self.get_conn()
        session = hook.get_session(region_name=hook.region_name)
        endpoint = hook.conn_config.get_service_endpoint_url("iam")
        iam = session.client("iam", endpoint_url=endpoint, config=hook.config, verify=hook.verify)
        return ensure_role(iam, role_name, read_policy(uris), trust_policy, policy_name=policy_name)

    def _connection(self) -> Any:
        if self.aws_conn_id is None:
            return None
        try:
            return self.get_connection(self.aws_conn_id)
        except AirflowNotFoundException:
            return self._refuse_unless_default()

    def _refuse_unless_default(self) -> None:
        if self.aws_conn_id != self.default_conn_name:
            raise NotFoundError(
                f"{missing_connection_message(str(self.aws_conn_id))}. Create it "
                f"({creation_advice(str(self.aws_conn_id), self.conn_type)}), or pass aws_conn_id=None to "
                "use the worker's own credentials"
            ) from None

    def _aws_hook(self, connection: Any) -> AwsBaseHook:
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
        from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper

        hook = AwsBaseHook(aws_conn_id=self.aws_conn_id, region_name=self.region_name, client_type="s3")
        # Set the hook's cached property, so that the connection is not looked up again.
        hook.__dict__["conn_config"] = AwsConnectionWrapper(conn=connection, region_name=self.region_name)
        return hook
