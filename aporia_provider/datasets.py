"""A dataset: a data source connected to a model version in a role."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import SerializeAsAny, field_validator, model_validator

from aporia_provider.base_model import Cron, Name, PublicModel, one_of
from aporia_provider.data_sources import DataSource, data_source_from_wire
from aporia_provider.errors import ValidationError
from aporia_provider.nearest import nearest
from aporia_provider.schema import CATEGORIES, VersionSchema

SERVING, ACTUALS = "serving", "actuals"
"""Role of predictions, and role of the labels they are compared with."""

Role = Literal["training", "testing", "serving", "actuals"]
ROLES: tuple[Role, ...] = get_args(Role)
MAPPINGS = ("predictions", "features", "labels", "raw_inputs")


class DatasetConnection(PublicModel):
    """
    Data source of a model version, and the columns of its fields.

    A field is read from the column of the same name unless a mapping names another column.

    :param role: ``training``, ``testing``, ``serving`` or ``actuals``.
    :param data_source: The data source.
    :param id_column: Column with the id of a prediction.
    :param timestamp_column: Column with the time of the prediction; for actuals, the time at which the label
        became known.
    :param predictions: Prediction names to columns.
    :param features: Feature names to columns.
    :param labels: Prediction names to the columns of their true values; predictions that are not listed have
        no labels. For actuals, None maps every prediction to the column of the same name.
    :param raw_inputs: Raw input names to columns.
    :param schedule: Cron expression (five fields, UTC) of the times at which a sync is due.
    :param enabled: Whether the dataset is synced.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    template_fields: ClassVar[tuple[str, ...]] = (
        "data_source",
        "id_column",
        "timestamp_column",
        *MAPPINGS,
        "schedule",
    )

    role: Annotated[str, one_of(*ROLES)]
    data_source: SerializeAsAny[DataSource]
    id_column: Name
    timestamp_column: Name
    predictions: dict[str, Name] | None = None
    features: dict[str, Name] | None = None
    labels: dict[str, Name] | None = None
    raw_inputs: dict[str, Name] | None = None
    schedule: Cron | None = None
    enabled: bool = True

    @field_validator("data_source", mode="before")
    @classmethod
    def _read_data_source(cls, value: Any) -> Any:
        if isinstance(value, DataSource):
            return value
        try:
            return data_source_from_wire(value)
        except ValidationError as error:
            raise ValueError(error.message) from None

    @model_validator(mode="after")
    def _actuals_hold_labels_only(self) -> DatasetConnection:
        mappings = [name for name in MAPPINGS if name != "labels" and getattr(self, name) is not None]
        if self.role == "actuals" and mappings:
            raise ValueError(f"actuals can have only labels, not {', '.join(mappings)}")
        return self

    def columns(self, schema: VersionSchema) -> Iterator[tuple[str, str, str]]:
        """
        Yield ``(category, field name, column)`` for each field that is read from this dataset.

        Labels have the category ``labels`` and the name of their prediction. Actuals have labels only.
        """
        for category in CATEGORIES if self.role != "actuals" else ():
            mapped = getattr(self, category) or {}
            for name in schema.fields(category):
                yield category, name, mapped.get(name, name)
        labels = self.labels
        if labels is None and self.role == "actuals":
            labels = {name: name for name in schema.predictions}
        for name, column in (labels or {}).items():
            yield "labels", name, column

    def mapping_faults(self, schema: VersionSchema, columns: Collection[str] | None = None) -> Iterator[str]:
        """
        Yield one line for each name in a mapping that is not in the schema.

        :param columns: Columns of the data, if known, to distinguish a reversed mapping from a misspelt name.
        """
        for mapping in MAPPINGS:
            category = "predictions" if mapping == "labels" else mapping
            names = schema.fields(category)
            mapped = getattr(self, mapping) or {}
            unknown = {name: column for name, column in mapped.items() if name not in names}
            reversed_ = all(column in names for column in unknown.values())
            if unknown and reversed_ and (columns is None or set(unknown) <= set(columns)):
                name, column = next(iter(unknown.items()))
                yield (
                    f"{mapping} looks reversed: it maps a name of the schema to a column, "
                    f"so write {column!r}: {name!r}, not {name!r}: {column!r}"
                )
                continue
            for name in unknown:
                hint = nearest(name, names)
                yield f"{mapping}: {name!r} is not among the {category} of the version; {hint}"

    def to_wire(self, environment: str) -> dict[str, Any]:
        """Return the body of the request that connects the dataset (protocol reference, section 1.8)."""
        sync: dict[str, Any] = {"enabled": self.enabled, "environment": environment}
        if self.schedule:
            sync["schedule"] = self.schedule
        mappings = {name: getattr(self, name) for name in MAPPINGS if getattr(self, name) is not None}
        return {
            "name": self.role,
            "data_source": self.data_source.to_wire(),
            "sync": sync,
            "id_column": self.id_column,
            "timestamp_column": self.timestamp_column,
            **mappings,
        }

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> DatasetConnection:
        """
        Parse the body of a request that connects a dataset.

        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        sync = body.get("sync")
        if sync is not None and not isinstance(sync, Mapping):
            raise ValidationError("sync has to be an object with enabled, environment and schedule")
        own_fields = {"name", "data_source", "sync", "id_column", "timestamp_column", *MAPPINGS}
        unknown = sorted(set(body) - own_fields)
        if unknown:
            raise ValidationError(f"The dataset has unknown keys: {', '.join(unknown)}")
        values = {key: body.get(key) for key in own_fields - {"name", "sync"}}
        sync = sync or {}
        return cls(
            role=body.get("name"),
            schedule=sync.get("schedule") or None,
            enabled=sync.get("enabled", True),
            **values,
        )

    def serialize(self) -> dict[str, Any]:
        """Return the body of the request with secrets hidden, as shown by Airflow."""
        return {**self.to_wire(environment=""), "data_source": self.data_source.serialize()}
