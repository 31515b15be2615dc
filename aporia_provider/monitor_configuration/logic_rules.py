"""The rules of monitors, named as in the JSON of the protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from aporia_provider.monitor_configuration.parts import Number, Part, Positive
from aporia_provider.monitor_configuration.spans import SpanText


class Rule(Part):
    """
    Rule that decides between ``pass`` and ``fail``.

    :param false_alarms_a_year: Number of false alarms a year that the monitor may raise, whatever its number
        of fields. An extension of this package.
    """

    name: str
    false_alarms_a_year: Positive | None = None


class RangeRule(Rule):
    """Limits of the value."""

    name: Literal["RANGE"]
    min: Number | None = None
    max: Number | None = None


class RatioRule(Rule):
    """Limits of the value divided by the value of the baseline."""

    name: Literal["RATIO"]
    min: Number | None = None
    max: Number | None = None


class SeriesRule(Rule):
    """
    Comparison with the values of earlier windows.

    :param sensitivity: From 0 to 1; more alarms are raised for a higher one. Default: 0.5.
    :param test_only_increase: Whether only values above the expected range fail.
    """

    name: Literal["TIME_SERIES_ANOMALY"]
    sensitivity: Annotated[float, Field(ge=0, le=1)] | None = None
    test_only_increase: bool = False


class Thresholds(Part):
    """Greatest drift scores that pass, by kind of the field."""

    numeric: Positive | None = None
    categorical: Positive | None = None
    vector: Positive | None = None


class DriftRule(Rule):
    """Limits of a distance from the baseline. Default: the comparison with each field's own history."""

    name: Literal["APORIA_DRIFT_SCORE"]
    thresholds: Thresholds | None = None


class ValuesRule(Rule):
    """
    Limits of the values of a field.

    :param distance: How far values may lie outside the range of the baseline, in relation to its width.
    :param min: Smallest value that passes.
    :param max: Greatest value that passes.
    :param values: Values that pass.
    :param new_values_count_threshold: Greatest number of values that pass and are not in the baseline.
    :param new_values_ratio_threshold: The same, divided by the number of values in the baseline.
    """

    name: Literal["VALUES_RANGE"]
    distance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    min: Number | None = None
    max: Number | None = None
    values: list[Any] | None = None
    new_values_count_threshold: Annotated[float | None, Field(ge=0, alias="new_values_count_threshold")] = (
        None
    )
    new_values_ratio_threshold: Annotated[float | None, Field(ge=0, alias="new_values_ratio_threshold")] = (
        None
    )


class StalenessRule(Rule):
    """
    Limit of the age of the latest version.

    :param max: The greatest age that passes.
    """

    name: Literal["MODEL_STALENESS"]
    max: SpanText


class FreshnessRule(Rule):
    """
    Limit of the time since the last write of a table. An extension of this package.

    :param max: The longest time that passes. Default: learned from the past writes.
    """

    name: Literal["TABLE_FRESHNESS"]
    max: SpanText | None = None


RULES = {
    "RANGE": RangeRule,
    "RATIO": RatioRule,
    "TIME_SERIES_ANOMALY": SeriesRule,
    "APORIA_DRIFT_SCORE": DriftRule,
    "VALUES_RANGE": ValuesRule,
    "MODEL_STALENESS": StalenessRule,
    "TABLE_FRESHNESS": FreshnessRule,
}


def _check_rule_name(value: Any) -> Any:
    if isinstance(value, Mapping):
        from aporia_provider.choices import choice_error

        name = value.get("name")
        if name not in RULES:
            raise ValueError(choice_error(name, tuple(RULES)))
    return value


AnyRule = Annotated[
    Annotated[
        RangeRule | RatioRule | SeriesRule | DriftRule | ValuesRule | StalenessRule | FreshnessRule,
        Field(discriminator="name"),
    ],
    BeforeValidator(_check_rule_name),
]
