"""The hook that syncs the datasets of the embedded backend."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aporia_provider import settings
from aporia_provider.choices import flag
from aporia_provider.errors import ValidationError
from aporia_provider.hooks.aporia import AporiaHook
from aporia_provider.hooks.spark_connect import engine_for

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.backend.registration.retirement import Retirement
    from aporia_provider.backend.sync.due.calls import DatasetTurn
    from aporia_provider.data_sources import DataSource
    from aporia_provider.datasets import Role
    from aporia_provider.lake.credentials import AwsCredentials


class SyncHook(AporiaHook):
    """
    Syncs the datasets that are connected in the embedded backend, whose database it has to reach.

    :param aporia_conn_id: See :class:`~aporia_provider.hooks.aporia.AporiaHook`; for the environment. A
        connection to a server is refused.
    :param aws_conn_id: AWS connection that reads the data; None uses the ambient credentials of the worker.
    :param spark_conn_id: Connection to the Spark Connect cluster that reads the data; see
        :func:`~aporia_provider.hooks.spark_connect.engine_for`. Without it, ``[aporia] engine`` does.
    """

    def __init__(
        self,
        aporia_conn_id: str = AporiaHook.default_conn_name,
        aws_conn_id: str | None = "aws_default",
        spark_conn_id: str | None = None,
    ) -> None:
        super().__init__(aporia_conn_id)
        self.aws_conn_id = aws_conn_id
        self.spark_conn_id = spark_conn_id

    def get_conn(self) -> EmbeddedRegistry:
        """
        Open the embedded backend; close it with ``with`` or ``close()``.

        :raises aporia_provider.errors.ValidationError: if the connection points at a server.
        """
        from aporia_provider.backend.embedded import EmbeddedRegistry

        server = self._server()
        if server.url is not None:
            raise ValidationError(
                f"Connection {self.aporia_conn_id!r} points at a server, and a server cannot be told to "
                "sync. To sync what our own server has registered, set [aporia] database_url to its "
                "database, and use no connection, or one without a host; another platform syncs by itself"
            )
        # What a server has registered is read here, so its restrictions hold here, too.
        folders = settings.allowed_local_folders() or None
        return EmbeddedRegistry(settings.database_url(), server.environment, folders)

    def environment(self) -> str:
        """The environment whose datasets are synced."""
        return self._server().environment

    def get_due_datasets(self) -> list[dict[str, str]]:
        """
        The datasets whose next sync is due, for tasks that are mapped over them. The log says how many are
        due and how many are not, and why.

        There are no more than Airflow maps over (``[core] max_map_length``). If more are due, those are
        chosen that have not been tried, or found to be up to date, for the longest time.

        The tables are looked at through the AWS connection, with one small request each; one that cannot be
        looked at is due, so that its sync says what is wrong.

        :return: ``model_id``, ``model_version`` and ``role`` of each, baselines first.
        """
        from airflow.providers.common.compat.sdk import conf

        with self.get_conn() as registry:
            return registry.get_due_datasets(
                limit=conf.getint("core", "max_map_length"), find_credentials=self._credentials
            )

    def explain_due_datasets(self) -> list[DatasetTurn]:
        """
        All datasets, each with ``model_id``, ``model_version``, ``role``, whether it is ``due``, the
        ``reason`` and the ``detail``; see
        :meth:`~aporia_provider.backend.sync.calls.Syncs.explain_due_datasets`.
        """
        with self.get_conn() as registry:
            return registry.explain_due_datasets(find_credentials=self._credentials)

    def get_table_uri(self, model_id: str, model_version: str, role: Role) -> str | None:
        """
        Where the data of a dataset lies.

        :return: Its URI; None if it does not lie on S3 or a local disk, or if no such dataset is connected.
        :raises aporia_provider.errors.NotFoundError: if there is no such model or version.
        """
        with self.get_conn() as registry:
            datasets = registry.get_datasets(model_id, model_version)
        return next((item.data_source.uri for item in datasets if item.role == role), None)

    def sync_dataset(
        self, model_id: str, model_version: str, role: Role, *, engine: str | None = None, full: bool = False
    ) -> dict[str, Any]:
        """
        Sync a dataset, unless its syncs are turned off.

        :param model_id: The model.
        :param model_version: The version.
        :param role: Role of the dataset.
        :param engine: ``embedded``, or the ``sc://host:port`` of a cluster, if the hook has no
            ``spark_conn_id``; the configured one without.
        :param full: Recompute everything, whatever the log says.
        :return: See :meth:`~aporia_provider.backend.sync.calls.Syncs.sync_dataset`, with ``model_id``,
            ``model_version``, the ``table_uri`` and the ``previous_table_version``.
        :raises aporia_provider.errors.AporiaError: if the data cannot be read or does not fit any more.
        """
        full = flag("full", full)
        with self.get_conn() as registry:
            before = registry.get_dataset_sync_status(model_id, model_version, role)
            datasets = registry.get_datasets(model_id, model_version)
            sources = {dataset.role: dataset.data_source for dataset in datasets}
            after = {**before, "changed": False}
            if before["enabled"]:
                # Its baseline and its labels are read as well.
                credentials = self._credentials_for(sources.values())
                chosen = engine_for(self.spark_conn_id, engine)
                after = registry.sync_dataset(
                    model_id,
                    model_version,
                    role,
                    credentials=credentials,
                    engine=chosen,
                    limits=settings.engine_limits(),
                    full=full,
                )
        return {
            "model_id": model_id,
            "model_version": model_version,
            "table_uri": sources[role].uri,
            "previous_table_version": before["table_version"],
            **after,
        }

    def retire_versions(
        self,
        model_id: str,
        *,
        keep: int | None = None,
        ended_for: timedelta | None = None,
        dry_run: bool = False,
    ) -> Retirement:
        """
        Turn the syncs of versions off that are no longer used; parameters, result and errors as of
        :meth:`~aporia_provider.backend.registration.retirement.Retirements.retire_versions`.
        """
        with self.get_conn() as registry:
            return registry.retire_versions(model_id, keep=keep, ended_for=ended_for, dry_run=dry_run)

    def _credentials(self) -> AwsCredentials:
        from aporia_provider.hooks.delta_lake import DeltaLakeHook

        return DeltaLakeHook(self.aws_conn_id).get_credentials()

    def _credentials_for(self, sources: Iterable[DataSource]) -> AwsCredentials | None:
        from aporia_provider.hooks.delta_lake import DeltaLakeHook

        return DeltaLakeHook(self.aws_conn_id).credentials_for(*sources)
