"""Methods of a model version that connect data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypedDict

from pydantic import Field

from aporia_provider.base_model import PublicModel
from aporia_provider.data_sources import DataSource
from aporia_provider.datasets import DatasetConnection, Role
from aporia_provider.registrations import IfExists
from aporia_provider.sdk.session import Session, create_all

Columns = Mapping[str, str] | None


class Options(TypedDict):
    """Options of the methods that connect data; see :class:`Datasets`."""

    preflight: bool | None
    check_rows: bool
    if_exists: IfExists


class _Wait(PublicModel):
    http_timeout_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None


def _connector(role: Role, description: str) -> Callable[..., dict[str, Any]]:
    """Return the method that connects data with the fields of the version."""

    def connect_fields(
        self: Datasets,
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
        Connect {description}.

        :param http_timeout_seconds: Seconds to wait for a server that ``init`` named, if more than 600.
        :return: See :class:`~aporia_provider.sdk.datasets.Datasets`. For further parameters, see
            :class:`~aporia_provider.datasets.DatasetConnection`.
        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
    return connect_fields


class Datasets:
    """
    A version, and the methods that connect its data.

    Like the operators, the methods validate the data first. If there are problems, the error lists all of
    them and the data is not connected. They return ``{"dataset", "status", "table_uri", "preflight",
    "table_version", "rows"}``. Three parameters are not in the platform's SDK: ``preflight`` (whether to
    validate; None uses the setting of ``init``), ``check_rows`` (whether to validate the rows as well), and
    ``if_exists`` (if the dataset is already connected, ``match`` succeeds if it is identical and fails
    otherwise, ``skip`` keeps the existing dataset, and ``fail`` always fails).

    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param session: Session with the server or embedded backend.
    """

    def __init__(self, model_id: str, model_version: str, session: Session) -> None:
        self.model_id = model_id
        self.model_version = model_version
        self._session = session

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
        Connect labels that become available after the predictions.

        ``timestamp_column`` is the time at which a label became available. For further parameters see
        :meth:`connect_serving`.

        :param labels: Columns of the true values by name of the prediction; None for columns of the same
            names.
        :return: See :class:`Datasets`.
        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
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

    def _connect(
        self, dataset: Mapping[str, Any], http_timeout_seconds: float | None, options: Options
    ) -> dict[str, Any]:
        from aporia_provider.hooks.connector import DatasetConnector
        from aporia_provider.hooks.delta_lake import DeltaLakeHook

        connection, wait = create_all(
            f"The {dataset['role']} data of {self.model_id} {self.model_version} cannot be connected",
            lambda: DatasetConnection(**dataset),
            lambda: _Wait(http_timeout_seconds=http_timeout_seconds),
        )
        session = self._session
        preflight = session.preflight if options["preflight"] is None else options["preflight"]
        hook = DeltaLakeHook(session.aws_conn_id, spark_conn_id=session.spark_conn_id)
        with session.open(timeout=wait.http_timeout_seconds) as api:
            return DatasetConnector(api, self.model_id, self.model_version, hook).connect(
                connection,
                preflight=preflight,
                check_rows=options["check_rows"],
                if_exists=options["if_exists"],
            )
