"""A model version, whose data can be connected, synced and queried."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aporia_provider.base_model import Name, PublicModel
from aporia_provider.datasets import ROLES, Role
from aporia_provider.errors import AporiaError, NotFoundError
from aporia_provider.sdk.core.types.words import word_of
from aporia_provider.sdk.datasets import Datasets
from aporia_provider.sdk.session import current_session
from aporia_provider.sdk.unsupported import RowLogging

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry


class ModelNames(PublicModel):
    """
    Names of a version.

    :param model_id: Id of the model.
    :param model_version: Name of the version.
    """

    model_id: Name
    model_version: Name


class Model(Datasets, RowLogging):
    """
    A registered version of a model. Creating the object sends no request.

    For the methods that connect data see :class:`~aporia_provider.sdk.datasets.Datasets`.

    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :raises aporia_provider.errors.ValidationError: if parameters are invalid; all are listed.
    """

    def __init__(self, model_id: str, model_version: str) -> None:
        ModelNames(model_id=model_id, model_version=model_version)
        super().__init__(model_id, model_version, current_session())

    def __repr__(self) -> str:
        return f"Model(model_id={self.model_id!r}, model_version={self.model_version!r})"

    def __getstate__(self) -> dict[str, str]:
        # The session may hold a token.
        return {"model_id": self.model_id, "model_version": self.model_version}

    def __setstate__(self, state: Mapping[str, str]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def set_sync_enabled(self, enabled: bool) -> None:
        """
        Enable or disable the syncs of all datasets of the version.

        :param enabled: Whether the syncs are enabled.
        :raises aporia_provider.errors.NotFoundError: if there is no such version.
        """
        with self._session.open() as api:
            api.set_sync_enabled(self.model_id, self.model_version, enabled)

    def get_dataset_sync_status(self, dataset: Role) -> dict[str, Any]:
        """
        Return the status of a dataset's syncs.

        :param dataset: Role of the dataset: ``serving``, ``training``, ``testing`` or ``actuals``.
        :raises aporia_provider.errors.NotFoundError: if there is no such version or dataset.
        """
        with self._session.open() as api:
            return api.get_dataset_sync_status(self.model_id, self.model_version, dataset)

    def set_feature_importance(self, feature_importance: Mapping[str, float]) -> None:
        """
        Set the importance of features.

        :param feature_importance: Importance by name of the feature.
        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        with self._session.open() as api:
            api.set_feature_importance(self.model_id, self.model_version, feature_importance)

    def upload_model_artifact(self, model_artifact: bytes, artifact_type: str) -> None:
        """
        Store the file of the model with the version. Requires the embedded backend.

        :param model_artifact: Content of the file.
        :param artifact_type: ``onnx`` or ``h5``.
        :raises aporia_provider.errors.AporiaError: if the session uses a server.
        """
        encoded = base64.b64encode(model_artifact).decode("ascii")
        with self._embedded("upload_model_artifact") as registry:
            registry.set_model_artifact(self.model_id, self.model_version, encoded, word_of(artifact_type))

    def log_index_to_word_mapping(self, index_to_word_mapping: Mapping[Any, Any]) -> None:
        """
        Store the words that the indexes of a text model represent. Requires the embedded backend.

        :param index_to_word_mapping: Words by index, or indexes by word.
        :raises aporia_provider.errors.AporiaError: if the session uses a server.
        """
        pairs = dict(index_to_word_mapping)
        if not all(str(index).isdecimal() for index in pairs):
            pairs = {index: word for word, index in pairs.items()}
        words = {str(index): word for index, word in pairs.items()}
        with self._embedded("log_index_to_word_mapping") as registry:
            registry.set_index_to_word_mapping(self.model_id, self.model_version, words)

    def flush(self, timeout: int | None = None) -> int:
        """Do nothing, because calls are synchronous. Return 0, the number of unfinished tasks."""
        return 0

    def sync(self, *roles: Role, full: bool = False, engine: str | None = None) -> list[dict[str, Any]]:
        """
        Sync datasets of the version in this process. Not in the platform's SDK.

        To sync on a schedule, use ``dags/monitor_models.py``.

        :param roles: Roles of the datasets; if none are given, all connected datasets.
        :param full: Recompute everything, regardless of the log.
        :param engine: ``embedded``, or the URL ``sc://host:port`` of a cluster, if ``init`` named no
            ``spark_conn_id``. None uses the configured engine.
        :return: The result for each dataset, see :meth:`~aporia_provider.hooks.sync.SyncHook.sync_dataset`.
        :raises aporia_provider.errors.ValidationError: if the session uses a server, which does not support
            this call.
        """
        from aporia_provider.sdk.hooks import SessionSyncHook

        hook = SessionSyncHook(self._session)
        return [
            hook.sync_dataset(self.model_id, self.model_version, role, full=full, engine=engine)
            for role in roles or self._connected(hook.get_conn())
        ]

    def get_metric(self, metric: str, **question: Any) -> list[dict[str, Any]]:
        """
        Query a metric of the version, computed from stored states. Not in the platform's SDK.

        :param metric: Name of the metric, such as ``missing_ratio``, ``drift_score`` or ``auc_roc``.
        :param question: See :meth:`~aporia_provider.hooks.metrics.MetricsHook.get_metric`: ``column``,
            ``dataset_type``, ``start``, ``end``, ``baseline``, ``aggregation_period`` …
        :return: See :meth:`~aporia_provider.hooks.metrics.MetricsHook.get_metric`.
        :raises aporia_provider.errors.ValidationError: if the metric can be computed for none of the ranges
            with rows.
        """
        from aporia_provider.sdk.hooks import SessionMetricsHook

        hook = SessionMetricsHook(self._session)
        return hook.get_metric(self.model_id, metric, model_version=self.model_version, **question)

    def _connected(self, registry: EmbeddedRegistry) -> list[Role]:
        with registry:
            roles = {dataset.role for dataset in registry.get_datasets(self.model_id, self.model_version)}
        if not roles:
            raise NotFoundError(f"No dataset is connected to {self.model_id} {self.model_version}")
        return [role for role in ROLES if role in roles]

    def _embedded(self, call: str) -> EmbeddedRegistry:
        from aporia_provider.backend.embedded import EmbeddedRegistry

        api = self._session.open()
        if isinstance(api, EmbeddedRegistry):
            return api
        api.close()
        raise AporiaError(f"{call} requires the embedded backend, but init connected to a server")
