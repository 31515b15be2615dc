"""Models and monitors (protocol reference, sections 1.4 and 1.5)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, Field, WithJsonSchema, field_validator, model_validator

from aporia_provider.base_model import MAX_TITLE, Cron, Name, PublicModel, Title, is_template, one_of
from aporia_provider.query_types import Time
from aporia_provider.retention import Retention, RetentionText

COLORS = ("blue", "arctic_blue", "green", "turquoise", "pink", "purple", "yellow", "red")
ICONS = (
    "general",
    "churn-and-retention",
    "conversion-predict",
    "anomaly",
    "dynamic-pricing",
    "email-filtering",
    "demand-forecasting",
    "ltv",
    "personalization",
    "fraud-detection",
    "credit-risk",
    "recommendations",
)
PROTOCOL_MONITOR_TYPES = (
    "model_activity",
    "missing_values",
    "data_drift",
    "prediction_drift",
    "values_range",
    "new_values",
    "model_staleness",
    "performance_degradation",
    "metric_change",
    "custom_metric",
    "code_based_metric",
)
"""Types of monitors of the protocol."""
MONITOR_TYPES = (*PROTOCOL_MONITOR_TYPES, "table_freshness")
# Those of the protocol, and an extension of this package.
AggregationPeriod = Literal["hourly", "daily"]
AGGREGATION_PERIODS: tuple[AggregationPeriod, ...] = get_args(AggregationPeriod)
MAX_TAGS = 10
MAX_TAG_VALUE = 100
MAX_DESCRIPTION = 10_000

_TAG_KEY = re.compile(r"[A-Za-z0-9_ \-]{1,15}")


def _check_tags(tags: dict[str, str]) -> dict[str, str]:
    faults = [] if len(tags) <= MAX_TAGS else [f"at most {MAX_TAGS} tags, not {len(tags)}"]
    for key, value in tags.items():
        if not _TAG_KEY.fullmatch(key):
            faults.append(f"key {key!r} is not 1 to 15 letters, digits, spaces, '-' or '_'")
        if len(value) > MAX_TAG_VALUE and not is_template(value):
            faults.append(f"the value of {key!r} is longer than {MAX_TAG_VALUE} characters")
    if faults:
        raise ValueError("; ".join(faults))
    return tags


Tags = Annotated[
    dict[str, str],
    AfterValidator(_check_tags),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MAX_TAGS,
            "propertyNames": {"pattern": f"^{_TAG_KEY.pattern}$"},
            "additionalProperties": {"type": "string", "maxLength": MAX_TAG_VALUE},
        }
    ),
]


class ModelTags(PublicModel):
    """
    Tags of a model. Keys are stored in lower case, as the protocol documents.

    :param tags: At most 10; keys of at most 15 letters, digits, spaces, ``-`` and ``_``; values of at most
        100 characters.
    """

    tags: Tags


class Model(PublicModel):
    """
    A model to register.

    :param id: Id of the model, any text.
    :param name: Display name.
    :param description: Purpose of the model.
    :param owner: E-mail address of its owner.
    :param color: One of :data:`COLORS`.
    :param icon: One of :data:`ICONS`.
    :param tags: See :class:`ModelTags`.
    :param aggregation_period: Length of the buckets of its metrics, ``hourly`` or ``daily``. Default:
        ``daily``. It cannot be changed after registration, and neither can the other attributes except
        ``retention``; see :meth:`~aporia_provider.api.AporiaApi.update_model`.
    :param retention: How long the states of the serving dataset and the actuals are kept, such as
        ``hourly for 30 days, daily for 2 years``; see :class:`~aporia_provider.retention.Retention`. It
        begins with the aggregation period. Default: all are kept for ever. Not part of Aporia's protocol.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    id: Name
    name: Title
    description: Annotated[str, Field(max_length=MAX_DESCRIPTION)] | None = None
    owner: Annotated[str, Field(max_length=MAX_TITLE)] | None = None
    color: Annotated[str, one_of(*COLORS)] = "blue"
    icon: Annotated[str, one_of(*ICONS)] = "general"
    tags: Tags | None = None
    aggregation_period: Annotated[str, one_of(*AGGREGATION_PERIODS)] | None = None
    retention: RetentionText | None = None

    @model_validator(mode="after")
    def _retention_fits_the_period(self) -> Self:
        period = self.aggregation_period or "daily"
        if self.retention is None or is_template(self.retention) or is_template(period):
            return self
        problem = Retention.parse(self.retention).problem(period)
        if problem is not None:
            raise ValueError(f"retention {problem}")
        return self

    def to_wire(self) -> dict[str, Any]:
        """Return the body of the request that creates the model."""
        # Without both, the request is byte for byte equal to the request of the official SDK.
        extensions = ("aggregation_period", "retention")
        return self.model_dump(exclude={name for name in extensions if not getattr(self, name)})


class Monitor(PublicModel):
    """
    A rule on metrics.

    :param name: Display name.
    :param type: One of :data:`MONITOR_TYPES`.
    :param scheduling: Cron expression (five fields, UTC).
    :param configuration: Configuration (protocol reference, section 1.10), stored unchanged.
    :param is_active: Whether the monitor is enabled.
    :param custom_alert_description: Text of its alerts.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    template_fields: ClassVar[tuple[str, ...]] = ("name", "scheduling", "configuration")

    name: Title
    type: Annotated[str, one_of(*MONITOR_TYPES)]
    scheduling: Cron
    configuration: Annotated[dict[str, Any], Field(json_schema_extra={"minProperties": 1})]
    is_active: bool = True
    custom_alert_description: Annotated[str, Field(max_length=MAX_DESCRIPTION)] | None = None

    @field_validator("configuration")
    @classmethod
    def _configuration_says_something(cls, value: dict[str, Any]) -> dict[str, Any]:
        if not value:
            raise ValueError("must not be empty")
        return value

    def to_wire(self) -> dict[str, Any]:
        """Return the body of the request that creates the monitor."""
        return self.model_dump()

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> Monitor:
        """
        Parse the body of a request that creates a monitor.

        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        return cls(**body)


class EvaluationRequest(PublicModel):
    """
    A request to evaluate the monitors of a model.

    :param model_id: The model.
    :param model_version: The only version to judge, apart from the union of all versions. Default: all.
    :param start: Start of the first window. Default: the windows since the first that was judged.
    :param end: End of the last window. Default: the latest whose data is complete.
    """

    model_id: Name
    model_version: Name | None = None
    start: Time | None = None
    end: Time | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return the body of the request."""
        return self.model_dump(mode="json")


def finite_numbers(values: Mapping[str, Any]) -> tuple[dict[str, float], list[str]]:
    """
    Convert numbers, including types of other libraries such as ``numpy.float32``, to JSON numbers.

    :param values: Numbers by name.
    :return: The numbers by name, and a problem for each value that is not a finite number.
    """
    numbers = {name: _number(value) for name, value in values.items()}
    problems = [
        f"{name}: {values[name]!r} is not a finite number"
        for name, number in numbers.items()
        if not math.isfinite(number)
    ]
    return numbers, problems


def _number(value: Any) -> float:
    if isinstance(value, bool) or not hasattr(type(value), "__float__"):
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return value if isinstance(value, int) else number
