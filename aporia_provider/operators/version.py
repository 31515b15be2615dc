"""Operator that registers a model version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from aporia_provider.assets import EventKind
from aporia_provider.data_sources import DataSource, as_data_source
from aporia_provider.errors import ValidationError
from aporia_provider.lineage import table_dataset, version_dataset
from aporia_provider.links import DeltaTableLink, ModelPageLink, ModelVersionLink
from aporia_provider.operators.base import VersionOperator, fail_without_retry
from aporia_provider.operators.parameters import Choice, ParameterError, parameter_errors
from aporia_provider.operators.protocol_parameters import DataSourceParameter, NamesParameter, SchemaParameter
from aporia_provider.registrations import IF_EXISTS
from aporia_provider.schema import CATEGORIES, MODEL_TYPES, VersionSchema

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import BaseOperatorLink, Context
    from airflow.sdk.definitions.mappedoperator import OperatorPartial

    from aporia_provider.hooks.delta_lake import DeltaLakeHook
    from aporia_provider.registrations import IfExists


_EITHER = "Give either schema or infer_from, not both"


class CreateModelVersionOperator(VersionOperator):
    """
    Register a model version, with a schema that is given or inferred from a data source.

    Emits an event of the kind :func:`~aporia_provider.assets.registered`. Once all data is connected,
    :class:`~aporia_provider.operators.completion.CompleteModelVersionOperator` emits an event that the
    version is complete.

    :param model_id: Id of the model.
    :param model_version: Name of the version; usually a template with the same value in all tasks of a DAG
        run, however the run was started, such as ``{{ dag_run.run_after | ts_nodash }}``. ``ds``, ``ts`` and
        ``logical_date`` are undefined in runs triggered by assets or started without a date.
    :param schema: Schema of the version. Give either this, or ``infer_from`` with ``model_type`` and
        ``predictions``.
    :param infer_from: Data source from whose columns the schema is inferred. Columns not named below are
        features.
    :param model_type: Model type of the inferred schema.
    :param predictions: Columns that are predictions.
    :param raw_inputs: Columns that are raw inputs.
    :param exclude: Columns that are not fields, such as the id, the timestamp and the label.
    :param overrides: Field types by column that replace the inferred ones; None excludes the column.
    :param if_exists: See :class:`~aporia_provider.operators.model.CreateModelOperator`.
    :param aws_conn_id: AWS connection used to read ``infer_from``.
    :param spark_conn_id: Connection of type ``spark_connect`` to the cluster that is used if the log is not
        sufficient, see :func:`~aporia_provider.hooks.spark_connect.engine_for`. None uses
        ``[aporia] engine``.
    :return: ``{"model_id", "model_version", "version_id", "status", "fields", "table_version"}``; ``fields``
        contains the numbers of ``features``, ``predictions`` and ``raw_inputs``.
    """

    event = EventKind.REGISTERED

    template_fields = (
        *VersionOperator.template_fields,
        "schema",
        "infer_from",
        "model_type",
        "predictions",
        "raw_inputs",
        "exclude",
        "overrides",
        "if_exists",
        "aws_conn_id",
        "spark_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "schema": "json",
        "infer_from": "json",
        "overrides": "json",
    }
    operator_extra_links: tuple[BaseOperatorLink, ...] = (
        ModelVersionLink(),
        DeltaTableLink(),
        ModelPageLink(),
    )
    ui_color = "#d7e8ff"

    schema = SchemaParameter["VersionSchema | Mapping[str, Any] | None"](mapping=True)
    infer_from = DataSourceParameter["DataSource | Mapping[str, Any] | None"]()
    model_type = Choice["str | None"](MODEL_TYPES, optional=True)
    predictions = NamesParameter()
    raw_inputs = NamesParameter()
    exclude = NamesParameter()
    if_exists = Choice["IfExists"](IF_EXISTS)

    def __init__(
        self,
        *,
        schema: VersionSchema | Mapping[str, Any] | None = None,
        infer_from: DataSource | Mapping[str, Any] | None = None,
        model_type: str | None = None,
        predictions: Sequence[str] = (),
        raw_inputs: Sequence[str] = (),
        exclude: Sequence[str] = (),
        overrides: Mapping[str, Any] | None = None,
        if_exists: IfExists = "match",
        aws_conn_id: str | None = "aws_default",
        spark_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.schema = schema
        self.infer_from = infer_from
        self.model_type = model_type
        self.predictions = predictions
        self.raw_inputs = raw_inputs
        self.exclude = exclude
        self.overrides = overrides
        self.if_exists = if_exists
        self.aws_conn_id = aws_conn_id
        self.spark_conn_id = spark_conn_id
        self.registered: VersionSchema | None = None
        with parameter_errors():
            self._check_choice()

    @classmethod
    def partial(cls, **kwargs: Any) -> OperatorPartial:
        """
        Set parameters that all mapped tasks have in common.

        :raises aporia_provider.errors.ValidationError: if a parameter is not valid, or schema and infer_from
            are both given.
        """
        if kwargs.get("schema") is not None and kwargs.get("infer_from") is not None:
            raise ParameterError(_EITHER)
        return super().partial(**kwargs)

    @cached_property
    def delta_lake_hook(self) -> DeltaLakeHook:
        """Return the hook that reads the data source."""
        from aporia_provider.hooks.delta_lake import DeltaLakeHook

        return DeltaLakeHook(self.aws_conn_id, spark_conn_id=self.spark_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Register the version and emit its asset event."""
        self.find_links(self.infer_from)
        with fail_without_retry(), self.aporia_hook.get_conn() as api:
            schema, table_version = self._schema()
            registered = api.create_model_version(
                self.model_id, self.model_version, schema, if_exists=self.if_exists
            )
            environment = api.environment
        self.registered = schema
        status = registered["status"]
        self.log.info("Version %r of model %r: %s", self.model_version, self.model_id, status)
        self.emit(context, environment, table_version=table_version, status=status)
        return {
            "model_id": self.model_id,
            "model_version": self.model_version,
            "version_id": registered["id"],
            "status": status,
            # The schema itself may have thousands of columns, too many for the metadata database.
            "fields": {category: len(schema.fields(category)) for category in CATEGORIES},
            "table_version": table_version,
        }

    def _schema(self) -> tuple[VersionSchema, int | None]:
        self._check_choice()
        if self.infer_from is None:
            return self._given_schema(), None
        return self.delta_lake_hook.infer_schema(
            as_data_source(self.infer_from),
            model_type=self.model_type or "",
            predictions=self.predictions,
            raw_inputs=self.raw_inputs,
            exclude=self.exclude,
            overrides=self.overrides,
        )

    def _check_choice(self) -> None:
        if (self.schema is None) == (self.infer_from is None):
            raise ValidationError(_EITHER)
        missing = [name for name in ("model_type", "predictions") if not getattr(self, name)]
        if self.infer_from is not None and missing:
            raise ValidationError(f"infer_from also requires {' and '.join(missing)}")

    def _given_schema(self) -> VersionSchema:
        if isinstance(self.schema, VersionSchema):
            return self.schema
        return VersionSchema(**dict(self.schema or {}))

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage[Any, Any]:
        """
        Return the lineage from the data source, if the schema was inferred, to the version with its schema.
        """
        from airflow.providers.openlineage.extractors import OperatorLineage

        version = version_dataset(self.environment, self.model_id, self.model_version, self.registered)
        return OperatorLineage(inputs=table_dataset(self.infer_from), outputs=version)
