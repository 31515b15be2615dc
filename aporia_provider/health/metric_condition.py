"""Limits of a metric of a model version."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import Field, WrapValidator, model_validator

from aporia_provider.base_model import Name, PublicModel, is_template, one_of
from aporia_provider.datasets import ROLES
from aporia_provider.errors import ValidationError
from aporia_provider.metrics import Metric
from aporia_provider.query_types import Number, Time, Window
from aporia_provider.segment_values import segment_text

T = TypeVar("T")

CUSTOM_METRIC = "custom_metric"
_TEMPLATE = "{{ faulty }}"
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}


def _unless_template(value: Any, read: Callable[[Any], T]) -> Any:
    return value if is_template(value) else read(value)


OR_TEMPLATE = WrapValidator(_unless_template)
"""Annotation that accepts a template, which is rendered and validated when the task runs."""


def length_of(window: str) -> timedelta:
    """Return the length of a window such as ``12h``, ``7d`` or ``2w``."""
    return timedelta(hours=int(window[:-1]) * _HOURS[window[-1]])


class MetricCondition(PublicModel):
    """
    Limits of a metric of a model version.

    :param metric: Name of the metric, such as ``auc_roc``, ``missing_ratio`` or ``drift_score``.
    :param column: Name of the field; see :class:`~aporia_provider.metrics.MetricParameters`.
    :param min: Smallest number that passes; None if there is none.
    :param max: Greatest number that passes; None if there is none.
    :param dataset_type: Role of the dataset.
    :param period: Length of the time range that ends at the time of the check, such as ``12h``, ``7d`` or
        ``2w``. Without ``period``, ``start`` and ``end``, all rows are included.
    :param start: Start of the time range, instead of ``period``. Requires ``end``.
    :param end: End of the time range, exclusive.
    :param segment: Segment of the rows, such as ``{"id": "plan", "value": "gold"}``: its name or id and one
        of its values. Default: all rows.
    :param baseline: Baseline of a distance or an expected metric; see
        :class:`~aporia_provider.metrics.MetricDatasets`.
    :param parameters: Other parameters of the metric, such as ``threshold``, ``minimum`` or ``confidence``;
        see :class:`~aporia_provider.metrics.MetricParameters`.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    template_fields: ClassVar[tuple[str, ...]] = (
        *("metric", "column", "min", "max", "dataset_type", "period", "start", "end", "segment"),
        *("baseline", "parameters"),
    )

    placeholders: ClassVar[Mapping[str, Any]] = {
        **dict.fromkeys(("metric", "column", "min", "max", "period", "start", "end"), _TEMPLATE),
        **{name: {"": _TEMPLATE} for name in ("baseline", "parameters", "segment")},
        "dataset_type": ROLES[0],
    }

    metric: Name
    column: Name | None = None
    min: Annotated[Number | None, OR_TEMPLATE] = None
    max: Annotated[Number | None, OR_TEMPLATE] = None
    dataset_type: Annotated[str, one_of(*ROLES)] = "serving"
    period: Annotated[Window | None, OR_TEMPLATE] = None
    start: Annotated[Time | None, OR_TEMPLATE] = None
    end: Annotated[Time | None, OR_TEMPLATE] = None
    segment: dict[str, Any] | None = None
    baseline: dict[str, Any] | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_consistent(self) -> MetricCondition:
        problems = [*self._limit_problems(), *self._range_problems(), *self._query_problems()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _limit_problems(self) -> list[str]:
        if self.min is None and self.max is None:
            return ["give min, max or both"]
        limits = {"min": self.min, "max": self.max}
        if nans := [name for name, limit in limits.items() if isinstance(limit, float) and math.isnan(limit)]:
            return [f"{name} is not a number" for name in nans]
        if is_template(self.min) or is_template(self.max) or self.min is None or self.max is None:
            return []
        return [f"min {self.min:g} is greater than max {self.max:g}"] if self.min > self.max else []

    def _range_problems(self) -> list[str]:
        problems = []
        if (self.start is None) != (self.end is None):
            problems.append("give both start and end, or neither")
        if self.period is not None and (self.start is not None or self.end is not None):
            problems.append("give either period, or start and end")
        return problems

    def _query_problems(self) -> list[str]:
        if any(map(_has_template, (self.start, self.end, self.segment, self.baseline, self.parameters))):
            return []
        problems = ["column is no entry of parameters"] if "column" in self.parameters else []
        try:
            self.to_metric("0", None, None)
        except ValidationError as error:
            problems += error.problems or [error.message]
        return problems

    def to_metric(self, metric_id: str, model_version: str | None, until: datetime | None) -> Metric:
        """
        Return the metric of a query.

        :param metric_id: Id of the metric in the query.
        :param model_version: Name of the version.
        :param until: End of the period.
        """
        is_ranged = self.start is not None and self.end is not None
        time_range = {"start": self.start, "end": self.end} if is_ranged else None
        if self.period is not None and until is not None:
            time_range = {"start": until - length_of(self.period), "end": until}
        data = {
            "dataset_type": self.dataset_type,
            "model_version": model_version,
            "time_range": time_range,
            **({} if self.segment is None else {"segment": self.segment}),
        }
        return Metric(
            id=metric_id,
            metric=self.metric,
            parameters={"column": self.column, **self.parameters},
            datasets={"data": data, "baseline": self.baseline},
        )

    @property
    def title(self) -> str:
        """Name of the metric, with its field if it has one."""
        name = f"custom metric {self.parameters.get('id')}" if self.metric == CUSTOM_METRIC else self.metric
        title = name if self.column is None else f"{name} of {self.column}"
        if self.segment is None:
            return title
        return f"{title}, {segment_text(str(self.segment.get('id')), str(self.segment.get('value')))}"


def _has_template(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_template, value.values()))
    return is_template(value)
