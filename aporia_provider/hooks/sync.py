"""Hook that syncs datasets of the embedded backend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aporia_provider import settings
from aporia_provider.choices import parse_boolean
from aporia_provider.errors import ValidationError
from aporia_provider.hooks.aporia import AporiaHook
from aporia_provider.hooks.spark_connect import engine_for

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.backend.registration.retirement import Retirement
    from aporia_provider.backend.sync.due.calls import DueDataset
    from aporia_provider.datasets import Role
    from aporia_provider.hooks.dataset_syncs import DatasetSync, DatasetSyncs
    from aporia_provider.lake.credentials import AwsCredentials


class SyncHook(AporiaHook):
    """
    Hook that syncs datasets of the embedded backend. It requires access to the backend's database.

    :param aporia_conn_id: Connection that determines the environment, see
        :class:`~aporia_provider.hooks.aporia.AporiaHook`. Connections to a server are refused.
    :param aws_conn_id: AWS connection used to read the data; None uses the ambient credentials of the worker.
    :param spark_conn_id: Connection to the Spark Connect cluster that reads the data, see
        :func:`~aporia_provider.hooks.spark_connect.engine_for`. None uses ``[aporia] engine``.
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
        Open the embedded backend. Close it with ``with`` or ``close()``.

        :raises aporia_provider.errors.ValidationError: if the connection refers to a server.
        """
        from aporia_provider.backend.embedded import EmbeddedRegistry

        server = self._server()
        if server.url is not None:
            raise ValidationError(
                f"Connection {self.aporia_conn_id!r} refers to a server; syncs cannot be started through a "
                "server. To sync the datasets of 'aporia-provider serve', set [aporia] database_url to its "
                "database, and use no connection, or one without a host. Other servers start syncs themselves"
            )
        # A server that shares the database may have registered datasets, so its restrictions apply.
        folders = settings.allowed_local_folders() or None
        return EmbeddedRegistry(settings.database_url(), server.environment, folders)

    def get_due_datasets(self) -> list[dict[str, str]]:
        """
        Return the datasets whose next sync is due, for dynamic task mapping.

        At most ``[core] max_map_length`` datasets are returned. If more are due, those with the oldest last
        attempt or check are preferred. The numbers of datasets that are due and not due are logged with the
        reasons.

        The logs of the tables are checked with the AWS connection, with one small request per table. A
        dataset whose log cannot be read is due, so that its sync reports the error.

        :return: ``model_id``, ``model_version`` and ``role`` of each dataset, baselines first.
        """
        from airflow.providers.common.compat.sdk import conf

        with self.get_conn() as registry:
            return registry.get_due_datasets(
                limit=conf.getint("core", "max_map_length"), find_credentials=self._credentials
            )

    def explain_due_datasets(self) -> list[DueDataset]:
        """
        Return all datasets, whether they are due, and the reason.

        See :meth:`~aporia_provider.backend.sync.calls.Syncs.explain_due_datasets`.

        :return: ``model_id``, ``model_version``, ``role``, ``due``, ``reason`` and ``detail`` of each
            dataset.
        """
        with self.get_conn() as registry:
            return registry.explain_due_datasets(find_credentials=self._credentials)

    def get_table_uri(self, model_id: str, model_version: str, role: Role) -> str | None:
        """
        Return the location of a dataset's data.

        :return: The URI; None if the data is neither on S3 nor on a local disk, or if no such dataset is
            connected.
        :raises aporia_provider.errors.NotFoundError: if there is no such model or version.
        """
        with self.get_conn() as registry:
            datasets = registry.get_datasets(model_id, model_version)
        return next((item.data_source.uri for item in datasets if item.role == role), None)

    def sync_dataset(
        self, model_id: str, model_version: str, role: Role, *, engine: str | None = None, full: bool = False
    ) -> dict[str, Any]:
        """
        Sync a dataset, unless its syncs are disabled.

        :param model_id: Id of the model.
        :param model_version: Name of the version.
        :param role: Role of the dataset.
        :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster, if the hook has no
            ``spark_conn_id``. None uses the configured engine.
        :param full: Recompute everything, regardless of the log.
        :return: See :meth:`~aporia_provider.backend.sync.calls.Syncs.sync_dataset`; additionally
            ``model_id``, ``model_version``, ``table_uri`` and ``previous_table_version``.
        :raises aporia_provider.errors.AporiaError: if the data cannot be read or no longer matches the
            schema.
        """
        full = parse_boolean("full", full)
        with self._syncs(engine) as syncs:
            return syncs.sync(model_id, model_version, role, self.aws_conn_id, full=full)

    def sync_datasets(
        self, datasets: Sequence[Mapping[str, Any]], *, engine: str | None = None
    ) -> Iterator[DatasetSync]:
        """
        Sync datasets one after another, and yield each result or error.

        Datasets that are read with the same credentials share one embedded engine. Limits apply to each
        dataset.

        :param datasets: ``model_id``, ``model_version``, ``role`` and optionally ``aws_conn_id`` of each
            dataset. Default of ``aws_conn_id``: the connection of the hook.
        :param engine: See :meth:`sync_dataset`.
        :raises aporia_provider.errors.AporiaError: if the engine is invalid, or the backend cannot be opened.
        """
        # Faults of the configuration belong to no dataset.
        engine_for(self.spark_conn_id, engine), settings.engine_limits()
        with self._syncs(engine) as syncs:
            for dataset in datasets:
                yield syncs.attempt(dataset, dataset.get("aws_conn_id", self.aws_conn_id))

    @contextmanager
    def _syncs(self, engine: str | None) -> Iterator[DatasetSyncs]:
        from aporia_provider.backend.sync.calls import embedded_engines
        from aporia_provider.hooks.dataset_syncs import DatasetSyncs

        def choose_engine() -> str:
            return engine_for(self.spark_conn_id, engine)

        with self.get_conn() as registry, embedded_engines() as engines:
            yield DatasetSyncs(registry, engines, choose_engine)

    def retire_versions(
        self,
        model_id: str,
        *,
        keep: int | None = None,
        ended_for: timedelta | None = None,
        dry_run: bool = False,
    ) -> Retirement:
        """
        Disable the syncs of versions that are no longer used.

        For parameters, result and errors see
        :meth:`~aporia_provider.backend.registration.retirement.Retirements.retire_versions`.
        """
        with self.get_conn() as registry:
            return registry.retire_versions(model_id, keep=keep, ended_for=ended_for, dry_run=dry_run)

    def _credentials(self) -> AwsCredentials:
        from aporia_provider.hooks.delta_lake import DeltaLakeHook

        return DeltaLakeHook(self.aws_conn_id).get_credentials()
