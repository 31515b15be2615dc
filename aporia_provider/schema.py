"""Schema of a model version: raw inputs, features, predictions, metrics and their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, GetJsonSchemaHandler, model_serializer, model_validator
from pydantic_core import CoreSchema

from aporia_provider.base_model import Name, PublicModel, is_template, one_of
from aporia_provider.errors import ValidationError

FIELD_TYPES = (
    "numeric",
    "categorical",
    "string",
    "boolean",
    "datetime",
    "vector",
    "tensor",
    "text",
    "dict",
    "array",
)
_FIELD_TYPE_SYNONYMS = {
    **dict.fromkeys(("float", "double", "int", "integer", "long", "number", "decimal"), "numeric"),
    **dict.fromkeys(("category", "enum"), "categorical"),
    **dict.fromkeys(("date", "timestamp"), "datetime"),
    **dict.fromkeys(("map", "object", "struct"), "dict"),
    "bool": "boolean",
    "str": "string",
    "list": "array",
    "embedding": "vector",
}
"""Names of the types in Python, SQL and data frame libraries, to field types."""
MODEL_TYPES = ("regression", "binary", "multiclass", "multi-label", "ranking")
MODEL_DATA_TYPES = ("tabular", "nlp")
CATEGORIES = ("raw_inputs", "features", "predictions")
WIRE_CATEGORIES = ("features", "predictions", "raw_inputs", "metrics")
"""Keys of the fields in a request; metrics are registered, and not read from a dataset."""

_MAPPING_KEYS = {
    "batch_id_column_name": "raw_inputs",
    "relevance_column_name": "predictions",
    "actual_relevance_column_name": None,
}


_RankingColumns = Annotated[
    dict[str, str], Field(json_schema_extra={"propertyNames": {"enum": list(_MAPPING_KEYS)}})
]


class FieldSchema(PublicModel):
    """
    Type of one field, written ``"numeric"``, or ``{"type": "tensor", "dimensions": [768]}``.

    :param type: One of :data:`FIELD_TYPES`.
    :param dimensions: Shape of a tensor, outermost dimension first. Required for tensors, invalid for other
        types.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("type",)

    type: Annotated[str, one_of(*FIELD_TYPES, synonyms=_FIELD_TYPE_SYNONYMS)]
    dimensions: list[Annotated[int, Field(gt=0, strict=True)]] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"type": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_dimensions(self) -> FieldSchema:
        if is_template(self.type):
            return self
        if self.type == "tensor" and not self.dimensions:
            raise ValueError(
                'a tensor requires dimensions, for example {"type": "tensor", "dimensions": [768]}'
            )
        if self.type != "tensor" and self.dimensions is not None:
            raise ValueError(f"dimensions are valid only for tensors, not for {self.type}")
        return self

    @model_serializer
    def _to_wire(self) -> str | dict[str, Any]:
        return self.type if self.dimensions is None else {"type": self.type, "dimensions": self.dimensions}

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, __: GetJsonSchemaHandler) -> dict[str, Any]:
        dimensions = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1}
        tensor = {
            "type": "object",
            "properties": {"type": {"const": "tensor"}, "dimensions": dimensions},
            "required": ["type", "dimensions"],
            "additionalProperties": False,
        }
        return {"anyOf": [{"enum": [name for name in FIELD_TYPES if name != "tensor"]}, tensor]}


Fields = dict[Name, FieldSchema]


class VersionSchema(PublicModel):
    """
    Inputs and outputs of a model version.

    :param model_type: One of :data:`MODEL_TYPES`.
    :param features: Names to field types, in the order of the model's inputs.
    :param predictions: Names to field types of the outputs.
    :param raw_inputs: Names to field types of inputs before preprocessing, or of metadata.
    :param metrics: Names to field types of values logged with a prediction.
    :param model_data_type: ``tabular`` or ``nlp``.
    :param labels: Class names. The protocol deprecates them in favour of a ``dict`` prediction. The second
        class of a binary model is the positive one; without class names, its classes are recognized as true,
        false, yes, no, positive, negative, 1 and 0.
    :param feature_importance: Feature names to importances.
    :param mapping: ``batch_id_column_name`` (a raw input), ``relevance_column_name`` (a prediction) and
        ``actual_relevance_column_name`` (an actual) of a ranking model.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    template_fields: ClassVar[tuple[str, ...]] = (
        "model_type",
        "features",
        "predictions",
        "raw_inputs",
        "metrics",
        "model_data_type",
        "labels",
        "feature_importance",
        "mapping",
    )

    model_type: Annotated[str, one_of(*MODEL_TYPES)]
    features: Fields
    predictions: Fields
    raw_inputs: Fields | None = None
    metrics: Fields | None = None
    model_data_type: Annotated[str, one_of(*MODEL_DATA_TYPES)] | None = None
    labels: list[str] | None = None
    feature_importance: dict[str, Annotated[float, Field(allow_inf_nan=False)]] | None = None
    mapping: _RankingColumns | None = None

    @model_validator(mode="after")
    def _check_names(self) -> VersionSchema:
        faults = [*self._unknown_importances(), *self._mapping_faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _unknown_importances(self) -> Iterable[str]:
        for name in self.feature_importance or {}:
            if name not in self.features:
                yield f"feature_importance names {name!r}, which is not a feature"

    def _mapping_faults(self) -> Iterable[str]:
        for key, name in (self.mapping or {}).items():
            category = _MAPPING_KEYS.get(key, "")
            if category == "":
                yield f"mapping has no key {key!r}; its keys are {', '.join(_MAPPING_KEYS)}"
            elif category and not is_template(name) and name not in self.fields(category):
                yield f"mapping[{key!r}] names {name!r}, which is not in {category}"

    def fields(self, category: str) -> dict[str, FieldSchema]:
        """Return the fields of ``raw_inputs``, ``features``, ``predictions`` or ``metrics``; may be empty."""
        fields: dict[str, FieldSchema] | None = getattr(self, category)
        return fields or {}

    def to_wire(self, name: str) -> dict[str, Any]:
        """Return the body of the request that creates version ``name`` (protocol reference, section 1.6)."""
        values = self.model_dump()
        fields = {key: values[key] for key in WIRE_CATEGORIES}
        positions = {feature: position for position, feature in enumerate(self.features)}
        other_values = {
            key: values[key] for key in ("model_data_type", "labels", "feature_importance", "mapping")
        }
        schema = {**fields, "feature_positions": positions}
        return {"name": name, "model_type": self.model_type, "version_schema": schema, **other_values}

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> VersionSchema:
        """
        Parse the body of a request that creates a version.

        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        fields = body.get("version_schema")
        if not isinstance(fields, Mapping):
            raise ValidationError("The version has no version_schema")
        unknown = sorted(set(fields) - {*WIRE_CATEGORIES, "feature_positions"})
        if unknown:
            raise ValidationError(f"version_schema has unknown keys: {', '.join(unknown)}")
        fields_by_key = {key: fields.get(key) for key in WIRE_CATEGORIES}
        other_keys = ("model_type", "model_data_type", "labels", "feature_importance", "mapping")
        return cls(**fields_by_key, **{key: body.get(key) for key in other_keys})
