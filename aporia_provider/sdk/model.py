"""A model version, to connect data to, to sync and to ask."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from aporia_provider.api import IfExists, Role
from aporia_provider.data_sources import DataSource
from aporia_provider.datasets import ROLES, DatasetConnection
from aporia_provider.errors import AporiaError, NotFoundError
from aporia_provider.sdk.connecting import Options, connect
from aporia_provider.sdk.core.types.words import word_of
from aporia_provider.sdk.refusals import RowLogging
from aporia_provider.sdk.session import current_session, made
from aporia_provider.vocabulary import Name, Vocabulary

if TYPE_CHECKING:
    from aporia_provider.backend.embedded import EmbeddedRegistry

log = logging.getLogger(__name__)

Columns = Mapping[str, str] | None


class ModelNames(Vocabulary):
    """
    Names of a version.

    :param model_id: The model.
    :param model_version: The version.
    """

    model_id: Name
    model_version: Name


class _Wait(Vocabulary):
    http_timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None


def _connector(role: Role, what: str) -> Callable[..., dict[str, Any]]:
    """Make the method that connects data which holds the fields of the version."""

    def connect_fields(
        self: Model,
        data_source: DataSource,
        id_column: str,
        timestamp_column: str,
        predictions: Columns = None,
        features: Columns = None,
        labels: Columns = None,
        raw_inputs: Columns = None,
        http_timeout_seconds: float | None = None,
        schedule: str | None = None,
        *,
        preflight: bool | None = None,
        check_rows: bool = False,
        if_exists: IfExists = "match",
    ) -> dict[str, Any]:
        dataset = {
            "role": role,
            "data_source": data_source,
            "id_column": id_column,
            "timestamp_column": timestamp_column,
            "predictions": predictions,
            "features": features,
            "labels": labels,
            "raw_inputs": raw_inputs,
            "schedule": schedule,
        }
        options: Options = {"preflight": preflight, "check_rows": check_rows, "if_exists": if_exists}
        return self._connect(dataset, http_timeout_seconds, options)

    connect_fields.__name__ = f"connect_{role}"
    connect_fields.__qualname__ = f"Model.connect_{role}"
    connect_fields.__doc__ = f"""
        Connect {what}.

        :param http_timeout_seconds: Seconds to wait for a server that ``init`` named, if more than 600.
        :return: As :class:`Model` says. Further parameters as of
            :class:`~aporia_provider.datasets.DatasetConnection`.
        :raises aporia_provider.errors.ValidationError: naming every fault.
        """
    return connect_fields


class Model(RowLogging):
    """
    A version of a model, whether it was just registered or long ago. Making one sends nothing.

    The methods that connect data check it first, as the operators do: every fault is named at once, and
    nothing is connected. They return ``{"dataset", "status", "table_uri", "preflight", "table_version",
    "rows"}``. Three of their parameters are not in the platform's SDK: ``preflight`` (whether to check;
    what ``init`` says if it is None), ``check_rows`` (whether to read the rows for it), and ``if_exists``
    (``match``: the same again is a success, something different fails; ``skip``: keep what is there;
    ``fail``: fail even if it is the same).

    :param model_id: The model.
    :param model_version: Name of the version.
    :raises aporia_provider.errors.ValidationError: naming every fault.
    """

    def __init__(self, model_id: str, model_version: str) -> None:
        ModelNames(model_id=model_id, model_version=model_version)
        self.model_id = model_id
        self.model_version = model_version
        self._session = current_session()

    def __repr__(self) -> str:
        return f"Model(model_id={self.model_id!r}, model_version={self.model_version!r})"

    def __getstate__(self) -> dict[str, str]:
        # The session may hold a token.
        return {"model_id": self.model_id, "model_version": self.model_version}

    def __setstate__(self, state: Mapping[str, str]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    connect_serving = _connector("serving", "the predictions made in production")
    connect_training = _connector("training", "the training set, the baseline of drift")
    connect_testing = _connector("testing", "the test set, the baseline of performance")

    def connect_actuals(
        self,
        data_source: DataSource,
        id_column: str,
        timestamp_column: str,
        labels: Columns = None,
        http_timeout_seconds: float | None = None,
        schedule: str | None = None,
        *,
        preflight: bool | None = None,
        check_rows: bool = False,
        if_exists: IfExists = "match",
    ) -> dict[str, Any]:
        """
        Connect the labels that become known later; ``timestamp_column`` says when.

        :param labels: Prediction to the column of its true value; the column of the same name without.
        :return: As :class:`Model` says. Further parameters as of :meth:`connect_serving`.
        :raises aporia_provider.errors.ValidationError: naming every fault.
        """
        dataset = {
            "role": "actuals",
            "data_source": data_source,
            "id_column": id_column,
            "timestamp_column": timestamp_column,
            "labels": labels,
            "schedule": schedule,
        }
        options: Options = {"preflight": preflight, "check_rows": check_rows, "if_exists": if_exists}
        return self._connect(dataset, http_timeout_seconds, options)

    def set_sync_enabled(self, enabled: bool) -> None:
        """
        Turn the syncs of all datasets of the version on or off.

        :param enabled: Whether they run.
        :raises aporia_provider.errors.NotFoundError: if there is no such version.
        """
        with self._session.open() as api:
            api.set_sync_enabled(self.model_id, self.model_version, enabled)

    def get_dataset_sync_status(self, dataset: Role) -> dict[str, Any]:
        """
        What is known about the last sync of a dataset.

        :param dataset: Its role: ``serving``, ``training``, ``testing`` or ``actuals``.
        :raises aporia_provider.errors.NotFoundError: if there is no such version or dataset.
        """
        with self._session.open() as api:
            return api.get_dataset_sync_status(self.model_id, self.model_version, dataset)

    def set_feature_importance(self, feature_importance: Mapping[str, float]) -> None:
        """
        Set the importance of features.

        :param feature_importance: Feature name to its importance.
        :raises aporia_provider.errors.ValidationError: naming every fault.
        """
        with self._session.open() as api:
            api.set_feature_importance(self.model_id, self.model_version, feature_importance)

    def upload_model_artifact(self, model_artifact: bytes, artifact_type: str) -> None:
        """
        Keep the model itself beside the version, in the embedded backend.

        :param model_artifact: Its bytes.
        :param artifact_type: ``onnx`` or ``h5``.
        :raises aporia_provider.errors.AporiaError: if a server is reached.
        """
        encoded = base64.b64encode(model_artifact).decode("ascii")
        with self._embedded("upload_model_artifact") as registry:
            registry.set_model_artifact(self.model_id, self.model_version, encoded, word_of(artifact_type))

    def log_index_to_word_mapping(self, index_to_word_mapping: Mapping[Any, Any]) -> None:
        """
        Keep the words that the indexes of a text model mean beside the version, in the embedded backend.

        :param index_to_word_mapping: Index to word, or word to index.
        :raises aporia_provider.errors.AporiaError: if a server is reached.
        """
        pairs = dict(index_to_word_mapping)
        if not all(str(index).isdecimal() for index in pairs):
            pairs = {index: word for word, index in pairs.items()}
        words = {str(index): word for index, word in pairs.items()}
        with self._embedded("log_index_to_word_mapping") as registry:
            registry.set_index_to_word_mapping(self.model_id, self.model_version, words)

    def flush(self, timeout: int | None = None) -> int:
        """Do nothing: no call leaves anything to send. 0, the number of tasks that are not finished."""
        return 0

    def sync(self, *roles: Role, full: bool = False, engine: str | None = None) -> list[dict[str, Any]]:
        """
        Sync datasets of the version in this process; not in the platform's SDK.

        Scheduled, this is what ``dags/sync_datasets.py`` does.

        :param roles: Roles of the datasets; all that are connected without.
        :param full: Recompute everything, whatever the log says.
        :param engine: ``embedded``, or the ``sc://host:port`` of a cluster; the configured one without.
        :return: For each dataset, as of :meth:`~aporia_provider.hooks.sync.SyncHook.sync_dataset`.
        :raises aporia_provider.errors.ValidationError: if a server is reached, which cannot be told to sync.
        """
        from aporia_provider.sdk.hooks import SessionSyncHook

        hook = SessionSyncHook(self._session)
        return [
            hook.sync_dataset(self.model_id, self.model_version, role, full=full, engine=engine)
            for role in roles or self._connected(hook.get_conn())
        ]

    def get_metric(self, metric: str, **question: Any) -> list[dict[str, Any]]:
        """
        Answer a question about the version from what syncs have stored; not in the platform's SDK.

        :param metric: Name of the metric, such as ``missing_ratio``, ``drift_score`` or ``auc_roc``.
        :param question: As of :meth:`~aporia_provider.hooks.metrics.MetricsHook.get_metric`: ``column``,
            ``dataset_type``, ``start``, ``end``, ``baseline``, ``aggregation_period`` …
        :return: As of :meth:`~aporia_provider.hooks.metrics.MetricsHook.get_metric`.
        :raises aporia_provider.errors.ValidationError: if there is no answer for any range that has rows.
        """
        from aporia_provider.sdk.hooks import SessionMetricsHook

        hook = SessionMetricsHook(self._session)
        return hook.get_metric(self.model_id, metric, model_version=self.model_version, **question)

    def _connect(
        self, dataset: Mapping[str, Any], http_timeout_seconds: float | None, options: Options
    ) -> dict[str, Any]:
        connection, wait = made(
            f"The {dataset['role']} data of {self.model_id} {self.model_version} cannot be connected",
            lambda: DatasetConnection(**dataset),
            lambda: _Wait(http_timeout_seconds=http_timeout_seconds),
        )
        return connect(self, self._session, connection, wait.http_timeout_seconds, options)

    def _connected(self, registry: EmbeddedRegistry) -> list[Role]:
        with registry:
            found = {dataset.role for dataset in registry.get_datasets(self.model_id, self.model_version)}
        if not found:
            raise NotFoundError(f"Nothing is connected to {self.model_id} {self.model_version}")
        return [role for role in ROLES if role in found]  # type: ignore[misc]

    def _embedded(self, call: str) -> EmbeddedRegistry:
        from aporia_provider.backend.embedded import EmbeddedRegistry

        api = self._session.open()
        if isinstance(api, EmbeddedRegistry):
            return api
        api.close()
        raise AporiaError(f"{call} is supported by the embedded backend only, and init reaches a server")
