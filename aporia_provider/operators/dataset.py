"""Operators that connect datasets to a model version and control their syncs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from aporia_provider.api import IF_EXISTS
from aporia_provider.assets import EventKind
from aporia_provider.data_sources import DataSource, as_data_source, with_login
from aporia_provider.datasets import DatasetConnection
from aporia_provider.lineage import table_dataset, version_dataset
from aporia_provider.links import DeltaTableLink, ModelVersionLink
from aporia_provider.operators.base import AporiaOperator, VersionOperator, permanent_errors_fail_at_once
from aporia_provider.operators.parameters import Choice, Flag
from aporia_provider.operators.protocol_parameters import SchemaParameter, Source
from aporia_provider.schema import VersionSchema

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseOperatorLink, Context

    from aporia_provider.api import IfExists
    from aporia_provider.datasets import Role
    from aporia_provider.hooks.delta_lake import DeltaLakeHook


class ConnectDatasetOperator(VersionOperator):
    """
    Base of the operators that connect a data source to a model version in one role.

    Before anything is registered, preflight checks that the data fits the version's schema and reports every
    fault at once. It reads the log of a Delta table, not its data. Where the embedded backend knows the other
    datasets of the version, it warns of columns that have another type there. Emits an event of the kind
    :func:`~aporia_provider.assets.registered`.

    :param data_source: Where the data lives; a data source, or its form on the wire (for mapped tasks).
    :param id_column: Column that identifies a prediction.
    :param timestamp_column: Column that says when it was made.
    :param labels: Prediction name to the column of its true value.
    :param schedule: Cron expression (five fields, UTC) that says when a sync is due.
    :param schema: Schema to check against, if the server does not show the registered one.
    :param preflight: Check before connecting.
    :param check_rows: Let preflight read the rows as well: duplicate ids, values that do not fit.
    :param if_exists: ``match``: the same again is a success, something different fails; ``skip``: keep what
        is there; ``fail``: fail even if it is the same.
    :param aws_conn_id: AWS connection that reads the data.
    :param spark_conn_id: Connection of type ``spark_connect`` to the cluster that reads what the log does not
        tell; see :func:`~aporia_provider.hooks.spark_connect.engine_for`. Without it, ``[aporia] engine``.
    :param data_source_conn_id: Connection whose login and password go into the data source, for those that
        take a user and a password.
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
    operator_extra_links: tuple[BaseOperatorLink, ...] = (ModelVersionLink(), DeltaTableLink())
    ui_color = "#d9f2dd"

    data_source = Source["DataSource | Mapping[str, Any]"]()
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
        """Hook to the data."""
        from aporia_provider.hooks.delta_lake import DeltaLakeHook

        return DeltaLakeHook(self.aws_conn_id, spark_conn_id=self.spark_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the data, connect it, and emit the asset event."""
        from aporia_provider.hooks.connector import Connector

        self.find_links(self.data_source)
        with permanent_errors_fail_at_once(), self.aporia_hook.get_conn() as api:
            version = (self.model_id, self.model_version)
            connector = Connector(api, *version, self.delta_lake_hook, self.schema)
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
        """Lineage: from the data to the version."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        version = version_dataset(self.environment, self.model_id, self.model_version, self.registered)
        return OperatorLineage(inputs=table_dataset(self.data_source), outputs=version)


class _ConnectFieldsOperator(ConnectDatasetOperator):
    """
    Base of the operators whose data holds the fields of the version.

    :param predictions: Prediction name to column, where they differ.
    :param features: Feature name to column, where they differ.
    :param raw_inputs: Raw input name to column, where they differ.
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

    Parameters: those of :class:`ConnectDatasetOperator`, and ``predictions``, ``features`` and
    ``raw_inputs``, which map names to columns where they differ.
    """

    role = "training"


class ConnectTestingOperator(_ConnectFieldsOperator):
    """
    Connect the test set, the baseline of performance.

    Parameters: those of :class:`ConnectDatasetOperator`, and ``predictions``, ``features`` and
    ``raw_inputs``, which map names to columns where they differ.
    """

    role = "testing"


class ConnectServingOperator(_ConnectFieldsOperator):
    """
    Connect the predictions made in production.

    Parameters: those of :class:`ConnectDatasetOperator`, and ``predictions``, ``features`` and
    ``raw_inputs``, which map names to columns where they differ.
    """

    role = "serving"


class ConnectActualsOperator(ConnectDatasetOperator):
    """
    Connect the labels that become known later.

    Parameters: those of :class:`ConnectDatasetOperator`. ``timestamp_column`` tells when labels became known;
    ``labels`` maps predictions to the columns of their true values; a prediction that is left out has no
    actuals. Without ``labels``, every prediction of the version has to have them, in the column of its name.
    """

    role = "actuals"


class SetSyncEnabledOperator(AporiaOperator):
    """
    Turn the syncs of all datasets of a version on or off.

    :param model_id: The model.
    :param model_version: The version.
    :param enabled: Whether they run.
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
        """Turn them on or off."""
        with permanent_errors_fail_at_once(), self.aporia_hook.get_conn() as api:
            api.set_sync_enabled(self.model_id, self.model_version, self.enabled)
        state = "on" if self.enabled else "off"
        self.log.info("Syncs of version %r of model %r: turned %s", self.model_version, self.model_id, state)
        return {"model_id": self.model_id, "model_version": self.model_version, "enabled": self.enabled}
