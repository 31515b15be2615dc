"""Syncs of datasets of the embedded backend that share engines and credentials."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aporia_provider import settings
from aporia_provider.errors import AporiaError, TransientError
from aporia_provider.hooks.delta_lake import DeltaLakeHook

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry
    from aporia_provider.data_sources import DataSource
    from aporia_provider.datasets import Role
    from aporia_provider.engine.embedded.engines import EmbeddedEngines
    from aporia_provider.lake.credentials import AwsCredentials

log = logging.getLogger(__name__)

_CREDENTIALS_SECONDS = 300.0
"""Time in seconds after which credentials are fetched again, since credentials of an assumed role expire."""


@dataclass(frozen=True)
class DatasetSync:
    """
    A sync of one of several datasets: its result or its error.

    :param dataset: The dataset as given.
    :param table_uri: Location of its data, if known.
    :param result: Result, see :meth:`~aporia_provider.hooks.sync.SyncHook.sync_dataset`; None if it failed.
    :param error: The error; None if it succeeded.
    """

    dataset: Mapping[str, Any]
    table_uri: str | None
    result: dict[str, Any] | None = None
    error: Exception | None = None

    @property
    def model_id(self) -> str:
        """Id of the model."""
        return str(self.dataset["model_id"])

    @property
    def model_version(self) -> str:
        """Name of the version."""
        return str(self.dataset["model_version"])

    @property
    def role(self) -> Role:
        """Role of the dataset."""
        role: Role = self.dataset["role"]
        return role

    @property
    def description(self) -> str:
        """Role, version and model."""
        return f"{self.role} dataset of version {self.model_version!r} of model {self.model_id!r}"

    @property
    def is_permanent(self) -> bool:
        """Whether it failed with an error that a retry cannot fix."""
        return isinstance(self.error, AporiaError) and not isinstance(self.error, TransientError)


class DatasetSyncs:
    """
    Syncs of datasets that share engines and credentials.

    :param registry: The embedded backend.
    :param engines: The engines.
    :param choose_engine: Function that returns the engine, called when the first dataset is synced.
    """

    def __init__(
        self, registry: EmbeddedRegistry, engines: EmbeddedEngines, choose_engine: Callable[[], str]
    ) -> None:
        self._registry, self._engines, self._choose_engine = registry, engines, choose_engine
        self._credentials: dict[str | None, tuple[float, AwsCredentials]] = {}

    def attempt(self, dataset: Mapping[str, Any], aws_conn_id: str | None) -> DatasetSync:
        """
        Sync a dataset; return its result or its error.

        :param dataset: ``model_id``, ``model_version`` and ``role``.
        :param aws_conn_id: AWS connection used to read the data.
        """
        names = dataset["model_id"], dataset["model_version"], dataset["role"]
        try:
            result = self.sync(*names, aws_conn_id)
        except Exception as error:
            if not isinstance(error, AporiaError):
                log.exception("The %s dataset of version %r of model %r", *reversed(names))
            return DatasetSync(dataset, self._table_uri(*names), error=error)
        return DatasetSync(dataset, result["table_uri"], result)

    def sync(
        self, model_id: str, model_version: str, role: Role, aws_conn_id: str | None, *, full: bool = False
    ) -> dict[str, Any]:
        """
        Sync a dataset, unless its syncs are disabled.

        For parameters, result and errors see :meth:`~aporia_provider.hooks.sync.SyncHook.sync_dataset`.
        """
        before = self._registry.get_dataset_sync_status(model_id, model_version, role)
        sources = self._sources(model_id, model_version)
        after = {**before, "changed": False}
        if before["enabled"]:
            after = self._registry.sync_dataset(
                model_id,
                model_version,
                role,
                # The datasets of the baseline and the labels are read as well.
                credentials=self._credentials_for(aws_conn_id, sources.values()),
                engine=self._choose_engine(),
                limits=settings.engine_limits(),
                full=full,
                engines=self._engines,
            )
        return {
            "model_id": model_id,
            "model_version": model_version,
            "table_uri": sources[role].uri,
            "previous_table_version": before["table_version"],
            **after,
        }

    def _sources(self, model_id: str, model_version: str) -> dict[str, DataSource]:
        datasets = self._registry.get_datasets(model_id, model_version)
        return {dataset.role: dataset.data_source for dataset in datasets}

    def _table_uri(self, model_id: str, model_version: str, role: Role) -> str | None:
        try:
            source = self._sources(model_id, model_version).get(role)
        except AporiaError:
            # The sync has failed with the same error.
            return None
        return source.uri if source is not None else None

    def _credentials_for(
        self, aws_conn_id: str | None, sources: Iterable[DataSource]
    ) -> AwsCredentials | None:
        """Return the credentials of a connection if any data source is on S3."""
        if not any(source.is_on_s3 for source in sources):
            return None
        fetched_at, credentials = self._credentials.get(aws_conn_id, (0.0, None))
        if credentials is None or time.monotonic() - fetched_at > _CREDENTIALS_SECONDS:
            previous, credentials = credentials, DeltaLakeHook(aws_conn_id).get_credentials()
            if previous is not None and previous != credentials:
                self._engines.end(previous)
            self._credentials[aws_conn_id] = time.monotonic(), credentials
        return credentials
