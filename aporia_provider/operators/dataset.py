"""Operators that connect datasets to a model version and control their syncs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from aporia_provider.assets import EventKind
from aporia_provider.data_sources import DataSource, as_data_source, with_login
from aporia_provider.datasets import DatasetConnection
from aporia_provider.lineage import table_dataset, version_dataset
from aporia_provider.links import DeltaTableLink, ModelPageLink, ModelVersionLink
from aporia_provider.operators.base import AporiaOperator, VersionOperator, fail_without_retry
from aporia_provider.operators.parameters import Choice, Flag
from aporia_provider.operators.protocol_parameters import DataSourceParameter, SchemaParameter
from aporia_provider.registrations import IF_EXISTS
from aporia_provider.schema import VersionSchema

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseOperatorLink, Context

    from aporia_provider.datasets import Role
    from aporia_provider.hooks.delta_lake import DeltaLakeHook
    from aporia_provider.registrations import IfExists


class ConnectDatasetOperator(VersionOperator):
    """
    Base class of operators that connect a data source to a model version in one role.

    Before the dataset is registered, preflight checks that the data matches the version's schema, and reports
    all problems at once. It reads the log of a Delta table, but not its data. With the embedded backend, it
    also warns of columns that have a different type in other datasets of the version. Emits an event of the
    kind :func:`~aporia_provider.assets.registered`.

    :param data_source: Data source, or its dict form (for mapped tasks).
    :param id_column: Column that identifies a prediction.
    :param timestamp_column: Column with the time of the prediction.
    :param labels: Columns of the true values by name of the prediction.
    :param schedule: Cron expression (five fields, UTC) of the syncs.
    :param schema: Schema to validate against, if the server does not return the registered one.
    :param preflight: Whether to validate the data before it is connected.
    :param check_rows: Whether preflight reads the rows as well, to find duplicate ids and invalid values.
    :param if_exists: If the dataset is already connected, ``match`` succeeds if it is identical and fails
        otherwise, ``skip`` keeps the existing dataset, and ``fail`` always fails.
    :param aws_conn_id: AWS connection used to read the data.
    :param spark_conn_id: Connection of type ``spark_connect`` to the cluster that is used if the log is not
        sufficient, see :func:`~aporia_provider.hooks.spark_connect.engine_for`. None uses
        ``[aporia] engine``.
    :param data_source_conn_id: Connection whose login and password are inserted into a data source that has
        a user and a password.
    :return: ``{"model_id", "model_version", "dataset", "status", "table_uri", "table_version", "rows",
        "preflight"}``.
    """

    event = EventKind.REGISTERED
    role: ClassVar[Role]
    mappings: ClassVar[tuple[str, ...]] = ("labels",)

    template_fields = (
        *VersionOperator.template_fields,
        "data_source",
        "id_column",
        "timestamp_column",
        "labels",
        "schedule",
        "schema",
        "preflight",
        "check_rows",
        "if_exists",
        "aws_conn_id",
        "spark_conn_id",
        "data_source_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "data_source": "json",
        "labels": "json",
        "schema": "json",
    }
    operator_extra_links: tuple[BaseOperatorLink, ...] = (
        ModelVersionLink(),
        DeltaTableLink(),
        ModelPageLink(),
    )
    ui_color = "#d9f2dd"

    data_source = DataSourceParameter["DataSource | Mapping[str, Any]"]()
    schema = SchemaParameter["VersionSchema | None"](mapping=False)
    preflight = Flag()
    check_rows = Flag()
    if_exists = Choice["IfExists"](IF_EXISTS)

    def __init__(
        self,
        *,
        data_source: DataSource | Mapping[str, Any],
        id_column: str,
        timestamp_column: str,
        labels: Mapping[str, str] | None = None,
        schedule: str | None = None,
        schema: VersionSchema | None = None,
        preflight: bool = True,
        check_rows: bool = False,
        if_exists: IfExists = "match",
        aws_conn_id: str | None = "aws_default",
        spark_conn_id: str | None = None,
        data_source_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.data_source = data_source
        self.id_column = id_column
        self.timestamp_column = timestamp_column
        self.labels = labels
        self.schedule = schedule
        self.schema = schema
        self.preflight = preflight
        self.check_rows = check_rows
        self.if_exists = if_exists
        self.aws_conn_id = aws_conn_id
        self.spark_conn_id = spark_conn_id
        self.data_source_conn_id = data_source_conn_id
        self.registered = schema

    @cached_property
    def delta_lake_hook(self) -> DeltaLakeHook:
        """Return the hook that reads the data."""
        from aporia_provider.hooks.delta_lake import DeltaLakeHook

        return DeltaLakeHook(self.aws_conn_id, spark_conn_id=self.spark_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Validate the data, connect it, and emit the asset event."""
        from aporia_provider.hooks.connector import DatasetConnector

        self.find_links(self.data_source)
        with fail_without_retry(), self.aporia_hook.get_conn() as api:
            version = (self.model_id, self.model_version)
            connector = DatasetConnector(api, *version, self.delta_lake_hook, self.schema)
            result = connector.connect(
                self._dataset(),
                preflight=self.preflight,
                check_rows=self.check_rows,
                if_exists=self.if_exists,
            )
            self.registered = connector.schema
            environment = api.environment
        self.emit(context, environment, role=self.role, **result)
        return {"model_id": self.model_id, "model_version": self.model_version, **result}

    def _dataset(self) -> DatasetConnection:
        source = as_data_source(self.data_source)
        if self.data_source_conn_id:
            connection = self.aporia_hook.get_connection(self.data_source_conn_id)
            source = with_login(source, connection.login, connection.password)
        mappings = {name: getattr(self, name) for name in self.mappings}
        return DatasetConnection(
            role=self.role,
            data_source=source,
            id_column=self.id_column,
            timestamp_column=self.timestamp_column,
            schedule=self.schedule,
            **mappings,
        )

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """Return the lineage from the data to the version."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        version = version_dataset(self.environment, self.model_id, self.model_version, self.registered)
        return OperatorLineage(inputs=table_dataset(self.data_source), outputs=version)


class _ConnectFieldsOperator(ConnectDatasetOperator):
    """
    Base class of operators whose data contains the fields of the version.

    :param predictions: Columns by name of the prediction, where the names differ.
    :param features: Columns by name of the feature, where the names differ.
    :param raw_inputs: Columns by name of the raw input, where the names differ.
    """

    mappings = ("predictions", "features", "labels", "raw_inputs")
    template_fields = (*ConnectDatasetOperator.template_fields, "predictions", "features", "raw_inputs")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **ConnectDatasetOperator.template_fields_renderers,
        "predictions": "json",
        "features": "json",
        "raw_inputs": "json",
    }

    def __init__(
        self,
        *,
        predictions: Mapping[str, str] | None = None,
        features: Mapping[str, str] | None = None,
        raw_inputs: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.predictions = predictions
        self.features = features
        self.raw_inputs = raw_inputs


class ConnectTrainingOperator(_ConnectFieldsOperator):
    """
    Connect the training set, the baseline of drift.

    Parameters: see :class:`ConnectDatasetOperator`; additionally ``predictions``, ``features`` and
    ``raw_inputs``, which map names to columns where they differ.
    """

    role = "training"


class ConnectTestingOperator(_ConnectFieldsOperator):
    """
    Connect the test set, the baseline of performance.

    Parameters: see :class:`ConnectDatasetOperator`; additionally ``predictions``, ``features`` and
    ``raw_inputs``, which map names to columns where they differ.
    """

    role = "testing"


class ConnectServingOperator(_ConnectFieldsOperator):
    """
    Connect the predictions made in production.

    Parameters: see :class:`ConnectDatasetOperator`; additionally ``predictions``, ``features`` and
    ``raw_inputs``, which map names to columns where they differ.
    """

    role = "serving"


class ConnectActualsOperator(ConnectDatasetOperator):
    """
    Connect labels that become available after the predictions.

    Parameters: see :class:`ConnectDatasetOperator`. ``timestamp_column`` is the time at which a label became
    available. ``labels`` maps predictions to the columns of their true values; other predictions have no
    actuals. Without ``labels``, each prediction of the version requires actuals in a column of the same name.
    """

    role = "actuals"


class SetSyncEnabledOperator(AporiaOperator):
    """
    Enable or disable the syncs of all datasets of a version.

    :param model_id: Id of the model.
    :param model_version: Name of the version.
    :param enabled: Whether the syncs are enabled.
    :return: ``{"model_id", "model_version", "enabled"}``.
    """

    template_fields = (*AporiaOperator.template_fields, "model_id", "model_version", "enabled")
    ui_color = "#d9f2dd"

    enabled = Flag()

    def __init__(self, *, model_id: str, model_version: str, enabled: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_id = model_id
        self.model_version = model_version
        self.enabled = enabled

    def execute(self, context: Context) -> dict[str, Any]:
        """Enable or disable the syncs."""
        with fail_without_retry(), self.aporia_hook.get_conn() as api:
            api.set_sync_enabled(self.model_id, self.model_version, self.enabled)
        state = "enabled" if self.enabled else "disabled"
        self.log.info("Syncs of version %r of model %r: %s", self.model_version, self.model_id, state)
        return {"model_id": self.model_id, "model_version": self.model_version, "enabled": self.enabled}
