"""What a monitor judges and how, named as in the JSON of the protocol."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from aporia_provider.base_model import Name
from aporia_provider.monitor_configuration.logic_rules import AnyRule
from aporia_provider.monitor_configuration.parts import (
    Action,
    Baseline,
    Condition,
    Focal,
    MetricChoice,
    Part,
    SegmentLabel,
)

FIELD_LISTS = ("raw_inputs", "features", "predictions", "actuals")


class Settings(Part):
    """
    What is judged, and how.

    :param focal: The data that is judged.
    :param metric: The metric.
    :param actions: What happens if a window fails.
    :param baseline: The data that it is compared with.
    :param logic_evaluations: The rule.
    :param pre_conditions: Conditions without which a window is not judged.
    """

    focal: Focal = Field(default_factory=Focal)
    metric: MetricChoice
    actions: list[Action] = Field(default_factory=list)
    baseline: Baseline | None = None
    logic_evaluations: Annotated[list[AnyRule], Field(min_length=1, max_length=1)]
    pre_conditions: list[Condition] = Field(default_factory=list)


class MonitoredModel(Part):
    """
    The model.

    :param id: Id of the model.
    :param version: None for each active version separately, ``all_versions`` for their union, ``latest``, or
        the name or id of a version.
    """

    id: Name
    version: Name | None = None


class Segment(Part):
    """
    A segment of the rows.

    :param group: Name or id of the segment; None for all rows.
    :param value: Value of the segment, or the lower bound for a numeric segment; None for each of its values
        itself.
    """

    group: SegmentLabel | None = None
    value: SegmentLabel | None = None


FieldNames = list[Name | Annotated[list[Any], Field(min_length=1, max_length=2)]]
"""Names of fields, or pairs of name and type."""


class Identification(Part):
    """
    The model and the fields that are judged.

    :param models: The model.
    :param segment: Segment of the rows.
    :param raw_inputs: Names of raw inputs.
    :param features: Names of features.
    :param predictions: Names of predictions.
    :param actuals: Names of labels.
    :param environment: Environment, in configurations of the first version; has no effect.
    """

    models: MonitoredModel
    segment: Segment | None = None
    raw_inputs: Annotated[FieldNames | None, Field(alias="raw_inputs")] = None
    features: FieldNames | None = None
    predictions: FieldNames | None = None
    actuals: FieldNames | None = None
    environment: Any = None

    @property
    def fields(self) -> dict[str, list[str]]:
        """Names of the fields by category, for the categories that are set."""
        field_lists = {name: getattr(self, name) for name in FIELD_LISTS}
        return {
            name: [str(each[0]) if isinstance(each, list) else each for each in names]
            for name, names in field_lists.items()
            if names
        }
